"""Which logins a run of the account doctor has found refused, so that they are not tried again."""

from dataclasses import dataclass, field

from relay.model.account import Account, Server
from relay.model.credential import Credential
from relay.model.secret import Secret


@dataclass(kw_only=True, slots=True)
class Refusals:
    """The logins that were refused so far, and the passwords that could not be read."""

    whole_provider: bool
    """Whether one refusal is enough to try nothing more at its provider."""
    _logins: dict[tuple[str, ...], str] = field(default_factory=dict)
    _unread: set[tuple[str, str | None, Secret]] = field(default_factory=set, repr=False)

    def note(self, credential: Credential, provider: str, account: str) -> None:
        """Note that an account's login was refused."""
        self._logins[self._key(credential, provider)] = account

    def before(self, credential: Credential, provider: str) -> str | None:
        """Return the account whose refused login forbids this one."""
        return self._logins.get(self._key(credential, provider))

    def note_unread(self, account: Account, server: Server) -> None:
        """Note that the password of a server can't be read: no provider was asked, and none has refused."""
        self._unread.add((account.name, server.username, server.password))

    def is_unread(self, account: Account, server: Server) -> bool:
        """Return whether this is a password that can't be read, as another server of the account has it, too."""
        return (account.name, server.username, server.password) in self._unread

    def _key(self, credential: Credential, provider: str) -> tuple[str, ...]:
        if self.whole_provider:
            return (provider,)
        identity = credential.identity
        # One server of a provider may want the address, and another one what stands before the @.
        return (provider, identity.kind, identity.login.partition("@")[0].lower())
