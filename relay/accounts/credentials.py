"""The credentials of the accounts, made of their settings: passwords and tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import overload

from relay.accounts.keeping import TokenKeeper
from relay.accounts.token import TokenCredential
from relay.model.account import MailboxServer, Server, SmtpServer
from relay.model.credential import Credential, Identity, keyed_hash
from relay.model.errors import CredentialError
from relay.model.secret import Secret
from relay.settings.secrets import read_secret


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordCredential:
    """A password, which is read in a thread at each login, so that a corrected one applies to the next."""

    identity: Identity
    source: Secret = field(repr=False)

    mechanisms = ("plain", "login", "cram-md5")
    """CRAM-MD5 comes last: many servers that offer it can't do it for passwords that they keep hashed."""

    @property
    def origin(self) -> str:
        """The key that the password comes from, with its file or variable."""
        if self.source.file is not None:
            return f"password_file ({self.source.file})"
        if self.source.env is not None:
            return f"password_env ({self.source.env})"
        return "password_command" if self.source.command is not None else "password"

    async def secret(self) -> str:
        """Read the password. Raises CredentialError, which names its source and nothing of its content."""
        return await asyncio.to_thread(read_secret, self.source)

    async def secret_after(self, refused: str) -> None:
        """Return None: only a person gives another password."""

    async def revision(self, key: bytes, *, by_person: bool = False) -> str:
        """Hash the password; of a command that gives it only the command, unless a person asks for a look.

        What a command prints may be a token, another one each time. Raises CredentialError.
        """
        if self.source.command and not by_person:
            return keyed_hash(key, self.source.command)
        return keyed_hash(key, await self.secret(), self.source.command)


class Credentials:
    """The credentials of all accounts, and the hashes by which the nodes of one database compare them."""

    def __init__(self, key: Callable[[], Awaitable[bytes]], tokens: TokenKeeper | None = None) -> None:
        """`key` reads the database's key of hashes, once; `tokens` keeps the logins of accounts that have such."""
        self._read_key = key
        self._key: bytes | None = None
        self._tokens = tokens

    @overload
    def of(self, server: MailboxServer) -> Credential: ...
    @overload
    def of(self, server: Server) -> Credential | None: ...
    def of(self, server: Server) -> Credential | None:
        """Return the credential of a server's settings; None if it is used without a login."""
        if server.username is None:
            return None
        if server.oauth is not None:
            assert self._tokens is not None, "an account logs in by a token, and nothing keeps tokens"
            return TokenCredential(oauth=server.oauth, keeper=self._tokens)
        identity = Identity(kind="password", login=server.username, host=server.host)
        return PasswordCredential(identity=identity, source=server.password)

    async def revision(self, credential: Credential | None, *, by_person: bool = False) -> str:
        """Return the credential's revision; empty where there is none. Raises CredentialError or StorageError."""
        return "" if credential is None else await credential.revision(await self._get_key(), by_person=by_person)

    async def fingerprint(self, server: SmtpServer) -> str:
        """Hash what decides whether a login is refused; empty where the secret can't be had. Raises StorageError.

        How the certificate is verified plays no part: a login is refused after that.
        """
        key, credential = await self._get_key(), self.of(server)
        try:
            revision = await self.revision(credential)
        except CredentialError:
            return ""
        identity = "" if credential is None else credential.identity.hashed(key)
        return keyed_hash(key, server.host, server.port, server.security, server.username, identity, revision)

    async def _get_key(self) -> bytes:
        if self._key is None:
            self._key = await self._read_key()
        return self._key
