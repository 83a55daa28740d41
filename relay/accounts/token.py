"""A login by a token: XOAUTH2 or OAUTHBEARER, with what the keeper of tokens has."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from relay.accounts.assertions import read_key_file
from relay.accounts.keeping import TokenKeeper
from relay.model.credential import TOKEN, Identity, keyed_hash
from relay.model.oauth import Flow, OAuth
from relay.rules.oauth_provider import binding_of, endpoints_of
from relay.rules.sasl import BY_TOKEN
from relay.settings.secrets import read_secret


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCredential:
    """A token, which the keeper refreshes; one login serves all servers of an account."""

    oauth: OAuth
    keeper: TokenKeeper = field(repr=False)

    mechanisms = BY_TOKEN
    origin = "oauth"

    @property
    def identity(self) -> Identity:
        """Who signs in, at which issuer."""
        host = urlsplit(endpoints_of(self.oauth).token).hostname or ""
        return Identity(kind=TOKEN, login=self.oauth.user, host=host)

    async def secret(self) -> str:
        """Return a token that holds for a while, refreshed if need be. Raises CredentialError."""
        return await self.keeper.token(self.oauth)

    async def secret_after(self, refused: str) -> str | None:
        """Return another token than one that a server has refused; None where that is new. Raises CredentialError."""
        return await self.keeper.token_after(self.oauth, refused)

    async def revision(self, key: bytes, *, by_person: bool = False) -> str:
        """Hash when somebody signed in, and what proves the client; never what an issuer renews.

        Of a command that gives the client's secret only the command, unless a person asks. Raises CredentialError.
        """
        oauth = self.oauth
        begun = None
        if oauth.flow is not Flow.APP and (login := await self.keeper.find(oauth)) is not None:
            begun = login.begun_at
        parts: list[object] = [binding_of(oauth), begun, oauth.client_secret.command]
        if oauth.client_secret.is_given and (by_person or not oauth.client_secret.command):
            parts.append(await asyncio.to_thread(read_secret, oauth.client_secret))
        for what, name in (("certificate", oauth.certificate), ("private_key", oauth.private_key)):
            parts.append(b"" if name is None else await asyncio.to_thread(read_key_file, name, what))
        return keyed_hash(key, *parts)
