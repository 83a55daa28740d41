"""Which source serves an account: decided here alone, at each poll, from the settings of that moment."""

from collections.abc import Callable
from typing import Final

from relay.accounts.credentials import Credentials
from relay.model.account import Account, MailboxServer, Pop3Server
from relay.model.credential import Credential
from relay.sources.pop3 import Pop3Source
from relay.sources.source import MailboxSource

_SOURCES: Final[dict[type[MailboxServer], Callable[[MailboxServer, Credential], MailboxSource]]] = {
    Pop3Server: Pop3Source
}


def open_source(account: Account, credentials: Credentials) -> MailboxSource:
    """Return a source for an account's mailbox, which it must have; no connection is made yet."""
    assert account.mailbox is not None
    return _SOURCES[type(account.mailbox)](account.mailbox, credentials.of(account.mailbox))
