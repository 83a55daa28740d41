"""How things stand at one moment, as a value: made by `taking`, judged by `findings`. Times are milliseconds, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.model.account import Account
from relay.model.mail import Pause
from relay.model.maildrop import Mailbox
from relay.rules.nightly import BackupState
from relay.storage.standing import ArchiveTrouble, QueueState
from relay.watching.asking import Running


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountState:
    """How it stands with one account of the configuration."""

    account: Account
    queue: QueueState = field(default_factory=QueueState)
    pause: Pause | None = None
    mailbox: Mailbox | None = None
    """How its polls ended; None where it is not collected."""
    failing_for: int = 0
    """Open milliseconds since a poll last ended well; 0 where none has."""
    recipients_today: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """How things stand."""

    running: Running = Running.YES
    silence: str = ""
    """Of a service that gives no answer: why."""
    accounts: tuple[AccountState, ...] = ()
    strangers: Mapping[str, QueueState] = field(default_factory=dict)
    """What waits for accounts that the configuration does not have, by their names."""
    notices: int = 0
    """Notices that wait for an inbox."""
    quarantined: int = 0
    quarantined_since: int | None = None
    disks: Mapping[str, int] = field(default_factory=dict)
    """For each of our folders the octets of its file system that we may use; 0 where no more files have room."""
    free_space: int = 0
    """`[limits] free_space`."""
    backup: BackupState | None = None
    """None: the configuration asks for none."""
    backup_folder: str = ""
    """Where it wants them."""
    archive: tuple[ArchiveTrouble, ...] = ()
    bounced: int = 0
    """Mails of the last seven days that did not reach everybody."""
    bounced_last: int | None = None
    certificates: Mapping[str, int] = field(default_factory=dict)
    """When the certificates expire that listeners show to their clients, by the files on the disk."""
    configuration_changed: bool = False
    """Whether the file is another than the service has read."""
    first_seen: Mapping[str, int] = field(default_factory=dict)
    """Since when a finding is known that has no time of its own, by its key."""

    @property
    def waiting(self) -> int:
        """Mails that wait."""
        return self._sum("waiting") + self.notices

    @property
    def active(self) -> int:
        """Mails that are being sent."""
        return self._sum("active")

    @property
    def held(self) -> int:
        """Mails that are held."""
        return self._sum("held")

    @property
    def oldest(self) -> int | None:
        """Since when the oldest of what waits does so."""
        return min((queue.oldest for queue in self._queues if queue.oldest is not None), default=None)

    @property
    def disk_free(self) -> int | None:
        """The free octets of the fullest file system."""
        return min(self.disks.values(), default=None)

    @property
    def _queues(self) -> tuple[QueueState, ...]:
        return (*(account.queue for account in self.accounts), *self.strangers.values())

    def _sum(self, what: str) -> int:
        return sum(getattr(queue, what) for queue in self._queues)
