"""How things stand at one moment, as a value, and how it is taken: from database, disk, control socket, configuration.

With a service or without one. It reads only, needs no secrets and no lock, and waits for nobody for longer than a few
seconds. Times are milliseconds, UTC.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from relay.certificates.store import RENEWED, Store
from relay.model.account import Account
from relay.model.mail import Pause
from relay.model.maildrop import Mailbox
from relay.model.oauth import Flow, StoredLogin
from relay.places import digest_of
from relay.rules.certificates import read_pem, warn_at
from relay.rules.hours import open_time
from relay.rules.nightly import BackupState
from relay.rules.oauth_ends import ProofEnd
from relay.rules.oauth_provider import binding_of
from relay.settings import Settings
from relay.storage import backups
from relay.storage.engine import Database, transaction
from relay.storage.lock import database_file
from relay.storage.logins import list_logins
from relay.storage.outbox import Watch, read_watches
from relay.storage.quarantine import list_times
from relay.storage.room import free_octets
from relay.storage.standing import ArchiveTrouble, QueueState, Standing, read_standing
from relay.watching.asking import Running, Service

LARGEST_CERTIFICATE: Final = 1 << 20


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
    proofs_end: tuple[ProofEnd, ...] = ()
    """When what it proves itself by at the issuer of its tokens ends: the client secret, or a certificate."""
    sign_in: StoredLogin | None = None
    """What is stored of its login by a token; None where it has none."""

    @property
    def needs_sign_in(self) -> bool:
        """Whether a person is to sign in for it, and nobody has, or for what the configuration said before only."""
        oauth = self.account.oauth
        waits = oauth is not None and oauth.flow is not Flow.APP and not self.account.excluded
        return waits and self.sign_in is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """When a certificate ends. Milliseconds since 1970, UTC."""

    expires: int
    told: tuple[int, ...]
    """The moments before, in their order, at which people are told."""


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
    certificates: Mapping[str, Ending] = field(default_factory=dict)
    """When the certificates expire that listeners show to their clients, by the files on the disk."""
    configuration_changed: bool = False
    """Whether the file is another than the service has read."""
    watches: Mapping[str, Watch] = field(default_factory=dict)
    """What is known of findings already, by their keys: of one without a time of its own, since when."""

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
        """When the mail that has waited longest began to wait, in milliseconds since 1970; None: none waits."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """What the configuration's own files say: they may be root's alone."""

    digest: str = ""
    """Of the configuration as it stands on the disk; empty where it can't be read."""
    certificates: Mapping[str, Ending] = field(default_factory=dict)
    """When those of the listeners expire, by their files."""
    proofs: Mapping[str, int] = field(default_factory=dict)
    """When those of `[account.oauth]` expire, by their files."""


def look_at_files(settings: Settings, *, digest: str = "") -> Files:
    """Read the configuration's file, unless somebody has who gives its `digest`, and the certificates that it names."""
    paths = {listener.certificate for listener in settings.listeners if listener.certificate is not None}
    own = Store(settings.folder).server
    certificates = {str(path): ending for path in sorted(paths) if (ending := _ending(path, own=path == own))}
    accounts = settings.directory.accounts
    named = {one.oauth.certificate for one in accounts if one.oauth is not None and one.oauth.certificate is not None}
    proofs = {path: ending.expires for path in sorted(named) if (ending := _ending(Path(path)))}
    return Files(digest=digest or digest_of(settings.path), certificates=certificates, proofs=proofs)


def take_snapshot(
    settings: Settings,
    database: Database | None,
    *,
    now: int,
    service: Service,
    files: Files,
) -> Snapshot:
    """Take a snapshot at `now`, in milliseconds; `database`: None where there is none yet. Raises StorageError."""
    standing, watches, backup = Standing(), dict[str, Watch](), BackupState()
    quarantined: list[int] = []
    logins: dict[str, StoredLogin] = {}
    if database is not None:
        with transaction(database, write=False) as tx:
            standing = read_standing(tx, hours=settings.hours, retry=settings.retry, now=now)
            watches = read_watches(tx)
            backup = backups.read_state(tx)
            if any(account.oauth is not None for account in settings.directory.accounts):
                logins = list_logins(tx)
        quarantined = list_times(database, settings.folder)
    configured = {account.name for account in settings.directory.accounts}
    return Snapshot(
        running=service.running,
        silence=service.silence,
        accounts=tuple(
            replace(
                _account(settings, account, standing, now),
                proofs_end=proofs_end(account, files),
                sign_in=sign_in_of(account, logins),
            )
            for account in settings.directory.accounts
        ),
        strangers={name: queue for name, queue in sorted(standing.queues.items()) if name and name not in configured},
        notices=standing.queues.get("", QueueState()).waiting,
        quarantined=len(quarantined),
        quarantined_since=min(quarantined, default=None),
        disks=_disks(settings),
        free_space=settings.limits.free_space,
        backup=None if settings.backup is None else backup,
        backup_folder="" if settings.backup is None else str(settings.backup.folder),
        archive=standing.archive,
        bounced=standing.bounced,
        bounced_last=standing.bounced_last,
        certificates=files.certificates,
        configuration_changed=bool(service.digest and files.digest) and service.digest != files.digest,
        watches=watches,
    )


def proofs_end(account: Account, files: Files) -> tuple[ProofEnd, ...]:
    """Return when the client secret, by the day that the configuration says, and the certificate of a login end."""
    oauth = account.oauth
    if oauth is None:
        return ()
    ends = [
        ProofEnd(expires, is_certificate=True) for path, expires in files.proofs.items() if path == oauth.certificate
    ]
    if (day := oauth.secret_expires) is not None:
        at = round(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() * 1000)
        ends.append(ProofEnd(at, is_certificate=False))
    return tuple(ends)


def sign_in_of(account: Account, logins: Mapping[str, StoredLogin]) -> StoredLogin | None:
    """Return the login of an account, if it is of what the configuration says now."""
    login, oauth = logins.get(account.name), account.oauth
    return login if login is not None and oauth is not None and login.binding == binding_of(oauth) else None


def _account(settings: Settings, account: Account, standing: Standing, now: int) -> AccountState:
    mailbox = standing.mailboxes.get(account.name) if account.is_collected else None
    last_ok = None if mailbox is None else mailbox.last_ok
    return AccountState(
        account=account,
        queue=standing.queues.get(account.name, QueueState()),
        pause=standing.pauses.get(account.name),
        mailbox=mailbox,
        failing_for=0 if last_ok is None else open_time(settings.hours, last_ok, now),
        recipients_today=standing.recipients_today.get(account.name, 0),
    )


def _disks(settings: Settings) -> dict[str, int]:
    database = database_file(settings.database)
    folders = [settings.folder, settings.inboxes, *([] if database is None else [database.parent])]
    found = {str(folder): free_octets(folder) for folder in folders}
    return {folder: free for folder, free in found.items() if free is not None}


def _ending(path: Path, *, own: bool = False) -> Ending | None:
    """Read when a certificate ends; `own`: the service makes it anew, so that people are told only if it has not."""
    try:
        with path.open("rb") as stream:
            certificate = read_pem(stream.read(LARGEST_CERTIFICATE))
    except OSError:
        return None
    if certificate is None:
        return None
    told = warn_at(certificate, RENEWED - dt.timedelta(days=1) if own else None)
    return Ending(expires=_milliseconds(certificate.until), told=tuple(map(_milliseconds, told)))


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
