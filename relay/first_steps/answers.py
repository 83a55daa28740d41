"""What `relay init` has to know, once it is asked and found to be right."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class UserAnswer:
    """Somebody of the office."""

    name: str
    address: str
    password_hash: str | None = field(default=None, repr=False)
    """Of the password with which a mail program logs in here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountAnswer:
    """The first account: its tables as they are to stand in the file, without the secret."""

    name: str
    address: str
    owner: str
    display_name: str | None = None
    preset: str | None = None
    sending: Mapping[str, Any] = field(default_factory=dict)
    """[account.smtp]: what the preset does not say."""
    collecting: Mapping[str, Any] | None = None
    """[account.pop3]; None: nothing is collected."""
    oauth: Mapping[str, Any] | None = None
    """[account.oauth]; None: it logs in by a password."""

    def with_secret_in(self, file: str) -> "AccountAnswer":
        """Return it with the file that has its password, or the secret of its client."""
        if self.oauth is not None:
            return replace(self, oauth={**self.oauth, "client_secret_file": file})
        smtp = {**self.sending, "password_file": file}
        pop3 = None if self.collecting is None else {**self.collecting, "password_file": file}
        return replace(self, sending=smtp, collecting=pop3)


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateAnswer:
    """The certificate of the listeners."""

    certificate: str
    private_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """All of them."""

    language: str
    hostname: str
    users: tuple[UserAnswer, ...]
    """Those that are new; the first of all is the postmaster."""
    account: AccountAnswer
    archive: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """None: this machine alone."""
    certificate: CertificateAnswer | None = None
    storage: str | None = None
    """The storage folder where the file names none; None: its own folder."""
