"""Takes a snapshot: from the database, the disk, the control socket and the configuration, with or without a service.

It reads only, needs no secrets and no lock, and waits for nobody for longer than a few seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay.model.account import Account
from relay.places import digest_of
from relay.rules.certificates import read_pem
from relay.rules.hours import open_time
from relay.rules.nightly import BackupState
from relay.settings import Settings
from relay.storage import backups
from relay.storage.engine import Database, transaction
from relay.storage.lock import database_file
from relay.storage.outbox import Watch, read_watches
from relay.storage.quarantine import list_times
from relay.storage.room import free_octets
from relay.storage.standing import QueueState, Standing, read_standing
from relay.watching.asking import Service
from relay.watching.snapshot import AccountState, Snapshot

LARGEST_CERTIFICATE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """What the configuration's own files say: they may be root's alone."""

    digest: str = ""
    """Of the configuration as it stands on the disk; empty where it can't be read."""
    certificates: Mapping[str, int] = field(default_factory=dict)
    """When those of the listeners expire, by their files."""


def look_at_files(settings: Settings, *, digest: str = "") -> Files:
    """Read the configuration's file, unless somebody has who gives its `digest`, and the certificates that it names."""
    paths = {listener.certificate for listener in settings.listeners if listener.certificate is not None}
    certificates = {str(path): expires for path in sorted(paths) if (expires := _expiry(path)) is not None}
    return Files(digest=digest or digest_of(settings.path), certificates=certificates)


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
    if database is not None:
        with transaction(database, write=False) as tx:
            standing = read_standing(tx, hours=settings.hours, retry=settings.retry, now=now)
            watches = read_watches(tx)
            backup = backups.read_state(tx)
        quarantined = list_times(database, settings.folder)
    configured = {account.name for account in settings.directory.accounts}
    return Snapshot(
        running=service.running,
        silence=service.silence,
        accounts=tuple(_account(settings, account, standing, now) for account in settings.directory.accounts),
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
        first_seen={key: watch.since for key, watch in watches.items() if watch.well is None},
    )


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


def _expiry(path: Path) -> int | None:
    try:
        with path.open("rb") as stream:
            certificate = read_pem(stream.read(LARGEST_CERTIFICATE))
    except OSError:
        return None
    return None if certificate is None else round(certificate.until.timestamp() * 1000)
