"""What an account logs in with: an identity, which lasts, and a secret, which is read at each login and may rotate."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Protocol

TOKEN: Final = "token"  # noqa: S105 - a kind
"""The kind of a login by OAuth 2."""


def keyed_hash(key: bytes, *parts: object) -> str:
    """Return a hash of the parts; hashes made with the same key can be compared, and tell nothing of the parts."""
    return hmac.new(key, repr(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whose login it is. Two credentials of equal identity are the same one, whatever their secrets are."""

    kind: str
    """`password`; a kind is a class that implements `Credential`."""
    login: str
    """The user name that the secret belongs to. What a protocol is told (`username`) may be a mailbox beside it."""
    host: str
    """Who checks the secret: the mail server for a password. For a token it is the issuer, so that one login serves
    several protocols."""

    def hashed(self, key: bytes) -> str:
        """Return a hash that is the same on all nodes, given the database's key."""
        return keyed_hash(key, self.kind, self.login, self.host)


class Credential(Protocol):
    """A way to log in. Connections, pauses, probes and polls compare the identity and the revision, never the secret.

    No implementation shows the secret in its `repr`, in an exception or in a log.
    """

    @property
    def identity(self) -> Identity:
        """Whose login it is."""

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms that may carry the secret, in lower case, the best one first.

        `plain` also allows what protocols had before SASL, such as USER and PASS of POP3.
        """

    @property
    def origin(self) -> str:
        """The keys of the configuration that a person changes where the login fails, such as `password_env (SALES)`."""

    async def secret(self) -> str:
        """Return the secret of this moment: read, or refreshed, anew. Asked for once for each login.

        It limits its own time. Raises CredentialError, which says whether only a person can help.
        """

    async def secret_after(self, refused: str) -> str | None:
        """Return another secret in place of one that a server has refused; None where there is none.

        A token may end before its time, as when a person changes the password at the provider: then only its issuer
        knows whether the login goes on. Raises CredentialError, which says why it does not.
        """

    async def revision(self, key: bytes, *, by_person: bool = False) -> str:
        """Return a keyed hash that changes when a person has changed what is sent, and never because it rotates.

        A login that was refused is worth another try at once where it has changed. `by_person`: a person has asked for
        a look, so that it may cost something. Raises CredentialError.
        """
