"""What the parts of one poll share."""

from dataclasses import dataclass

from relay.collection.lease import Lease
from relay.collection.troubles import Troubles
from relay.model.account import Account, MailboxServer
from relay.model.errors import StorageFullError
from relay.runtime import Runtime
from relay.settings import Settings
from relay.storage.mailboxes import Mailboxes
from relay.storage.room import DiskRoom


@dataclass(frozen=True, kw_only=True, slots=True)
class PollContext:
    """One poll of one account's mailbox: its settings, which stay as they are until it ends, and its helpers."""

    account: Account
    server: MailboxServer
    settings: Settings
    runtime: Runtime
    mailboxes: Mailboxes
    lease: Lease
    troubles: Troubles
    disk: DiskRoom

    def require_room(self) -> None:
        """Raise StorageFullError if the disk has less room than `[limits] free_space`."""
        if not self.disk.has(0):
            raise StorageFullError("the disk has less room than [limits] free_space: mail stays on the server for now")
