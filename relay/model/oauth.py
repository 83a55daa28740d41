"""What an account's login by OAuth 2 is made of (`[account.oauth]`): values, and no token."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from relay.model.secret import Secret

KEY_FILE: Final = "tokens.key"
"""In the storage folder: what seals the logins."""


class Provider(StrEnum):
    """Who issues the tokens."""

    MICROSOFT = "microsoft"
    GOOGLE = "google"
    CUSTOM = "custom"
    """Another one, whose addresses the configuration names."""


class Flow(StrEnum):
    """How the service comes to its first token."""

    DEVICE = "device"
    """A person types a code into a page on any computer (RFC 8628)."""
    BROWSER = "browser"
    """A person signs in in a browser (RFC 6749 section 4.1, RFC 7636)."""
    APP = "app"
    """Nobody signs in: the service proves itself who it is (RFC 6749 section 4.4, RFC 7523)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuth:
    """`[account.oauth]`: who signs in, where, and how."""

    provider: Provider
    flow: Flow
    client_id: str
    """The office's own registration at the provider; of a service account at Google its address."""
    tenant: str | None = None
    """Microsoft: the directory, by its id or one of its domains, or `common`, `organizations`, `consumers`."""
    client_secret: Secret = field(default_factory=lambda: Secret(key="client_secret"))
    certificate: str | None = None
    """An absolute path to a PEM file, which proves the service in place of a client secret."""
    private_key: str | None = None
    """An absolute path: the key of the certificate, or of Google's service account, whose JSON file may be named."""
    user: str = ""
    """Who signs in; the account's address where nothing else is said."""
    secret_expires: date | None = None
    """When the client secret ends, as the provider showed it."""
    token_url: str | None = None
    device_url: str | None = None
    authorize_url: str | None = None
    scopes: tuple[str, ...] = ()
    """Custom: what the token is asked to be good for, as the provider writes it."""
    account: str = field(default="", metadata={"is_key": False})
    """The account that logs in."""
    protocols: tuple[str, ...] = field(default=(), metadata={"is_key": False})
    """What it is to log in to: `smtp`, `pop3`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLogin:
    """What is kept of an account's login between two refreshes. Times are milliseconds since 1970, UTC."""

    account: str
    binding: str
    """What it is bound to; where the configuration says another, it is not the account's login any more."""
    sealed: str = field(default="", repr=False)
    """The tokens; empty where the first are still to be got."""
    begun_at: int
    """When somebody signed in; of an app, when it was first asked for a token."""
    got_at: int = 0
    """When the tokens came."""
    ends_at: int = 0
    """Until when the access token holds."""
    renewal_at: int = 0
    """When the issuer gave what renews the tokens, where it has said until when that holds."""
    renewal_ends_at: int = 0
    """Until when that holds, whatever is done; 0: the issuer has not said it."""
    ended: str = ""
    """Why the login is over, in the issuer's words; empty while it is not."""
