"""Credentials for tests: a password that is known, and a token that is another one at each login."""

from relay.accounts.credentials import Credentials, PasswordCredential
from relay.model.account import Server
from relay.model.credential import Credential, Identity, keyed_hash
from relay.model.errors import CredentialError
from relay.model.secret import Secret


def password(value: str, login: str = "u") -> Credential:
    """Return the credential of a password."""
    identity = Identity(kind="password", login=login, host="127.0.0.1")
    return PasswordCredential(identity=identity, source=Secret(value=value))


class Token:
    """What a token will be: refreshed for each login, granted once by a person. `fault` is raised in place of one."""

    mechanisms: tuple[str, ...] = ("plain",)
    origin = "oauth"

    def __init__(self, login: str = "u") -> None:
        self.identity = Identity(kind="token", login=login, host="issuer.example")
        self.grant = 1
        self.given: list[str] = []
        self.fault: CredentialError | None = None
        self.has_another = False
        """Whether another one is given in place of one that was refused."""

    async def secret(self) -> str:
        if self.fault is not None:
            raise self.fault
        self.given.append(f"token-{self.grant}-{len(self.given)}")
        return self.given[-1]

    async def secret_after(self, refused: str) -> str | None:
        assert refused == self.given[-1]
        return await self.secret() if self.has_another else None

    async def revision(self, key: bytes, *, by_person: bool = False) -> str:  # noqa: ARG002 - the same for everybody
        return keyed_hash(key, self.grant)


async def key() -> bytes:
    """Return a key of hashes where no database has one."""
    return b"k"


class TokenCredentials(Credentials):
    """Every server is used with one token."""

    def __init__(self, token: Token) -> None:
        super().__init__(key)
        self.token = token

    def of(self, server: Server) -> Credential:  # noqa: ARG002 - see above
        return self.token
