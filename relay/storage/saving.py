"""Making a backup: database, configuration, and where wanted secrets and inboxes, as a folder of its own.

Guarantee: it is made under a name that no backup has, synced, looked through, and only then given its own; whatever
fails leaves nothing behind but what the next one removes. The database is as of one moment. Inboxes have no such
moment: what was there all the time is in the copy, whatever its flags. No link is followed below them.
"""

import errno
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from relay import __version__
from relay.model.errors import StorageBusyError, StorageError
from relay.settings.backup_folder import why_unusable
from relay.storage.backup import Step, copy_database
from relay.storage.bodies import IN_FILES, folder_of
from relay.storage.faults import plain_reason
from relay.storage.inbox_copies import NewFile, find_maildirs
from relay.storage.lock import FileLock
from relay.storage.manifest import (
    CHUNK,
    DATABASE,
    MANIFEST,
    Entry,
    Manifest,
    digest,
    find_backups,
    name_backup,
    read_manifest,
    verify,
    write_manifest,
)
from relay.storage.named_files import Gathered
from relay.storage.pausing import FORGET_KEY
from relay.storage.sqlite_file import opened_file
from relay.storage.syncing import sync

LOCK: Final = "backup.lock"
_PARTIAL: Final = re.compile(r"\.relay-[0-9A-Za-z:-]+\.([0-9a-f]+)\.partial")
_LONGEST_REST: Final = 0.5
_SPARE: Final = 1 << 20
_MAKE_ROOM: Final = "make room there, lower [backup] keep, or name another disk"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be copied, and where to."""

    folder: Path
    """The folder of the backups."""
    storage: Path
    database: Path
    configuration: Path
    inboxes: Path | None
    """None: they are not copied."""
    secrets: bool
    room: int
    """Octets that are to stay free on the disk of the backups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A backup that was made."""

    path: Path
    size: int
    """Octets."""
    missing: tuple[str, ...]
    """A line for each file that should be in it and could not be read."""


def estimate(job: Job) -> int:
    """Return about how many octets a backup will have."""
    database = sum(_size(job.database.with_name(job.database.name + end)) for end in ("", "-wal"))
    database += sum(map(_size, folder_of(job.database).glob("*")))
    return database + sum(size for inbox in find_maildirs(job.storage, job.inboxes) for _, size in inbox.sizes())


def make_backup(job: Job, gathered: Gathered, *, at: int, installation: str, step: Step) -> Made:
    """Make a backup; `step` is told of the octets, and may rest, or raise to end it.

    Raises StorageError with a reason and the next thing to do, StorageBusyError where another is being made.
    """
    lock = FileLock(job.storage / LOCK, "another backup is being made: wait until it is done")
    lock.acquire()
    partial: Path | None = None
    try:
        _check_folder(job)
        _remove_partials(job.folder, installation)
        _check_room(job)
        while (final := job.folder / name_backup(at)).exists():
            at += 1000  # another was made within this second
        partial = job.folder / f".{final.name}.{installation}.partial"
        partial.mkdir(mode=0o700)
        manifest = _fill(partial, job, gathered, at=at, installation=installation, step=step)
        verify(partial, manifest, step, whole=False)
        partial.rename(final)
        sync(job.folder)
    except StorageBusyError:
        raise
    except (OSError, StorageError) as error:
        raise StorageError(_reason(error, job, partial)) from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        lock.release()
    return Made(path=final, size=sum(entry.size for entry in manifest.files), missing=manifest.missing)


def remove_old(newest: Path, keep: int, installation: str) -> list[Path]:
    """Remove and return the oldest backups of an installation beyond `keep`; `newest` stays. Raises StorageError."""
    folder = newest.parent
    ours = [backup for backup in find_backups(folder) if backup != newest and _is_of(backup, installation)]
    gone = ours[: max(0, len(ours) - (keep - 1))]
    try:
        for backup in gone:
            # Half of a backup must not look like one.
            partial = backup.with_name(f".{backup.name}.{installation}.partial")
            backup.rename(partial)
            shutil.rmtree(partial)
    except OSError as error:
        raise StorageError(f"{folder}: old backups can't be removed: {error.strerror}") from None
    return gone


class Pace:
    """Rests as long as the work before it took, so that others have the disk for half of the time."""

    def __init__(
        self,
        note: Step,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._note, self._monotonic, self._sleep = note, monotonic, sleep
        self._octets = 0
        self._begun = monotonic()

    def __call__(self, octets: int) -> None:
        """Note octets that are done."""
        self._note(octets)
        self._octets += octets
        if self._octets >= CHUNK:
            self._sleep(min(_LONGEST_REST, max(0.0, self._monotonic() - self._begun)))
            self._octets, self._begun = 0, self._monotonic()


def _fill(partial: Path, job: Job, gathered: Gathered, *, at: int, installation: str, step: Step) -> Manifest:
    copy_database(job.database, partial / DATABASE, step)
    schema = _look_through(partial / DATABASE, step)
    with opened_file(partial / DATABASE, "ro") as copy:
        lacking = [f"the body of mail {row[0]}: its file is missing or damaged" for row in copy.execute(IN_FILES)]
    if not job.secrets:
        _forget_key(partial / DATABASE)
    with (partial / DATABASE).open("rb", buffering=0) as stream:
        entries = [Entry(path=DATABASE, sha256=digest(stream, step), size=stream.tell())]
    for named in gathered.files:
        path = partial / named.path
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with NewFile(path) as writer:
            writer.write(named.content)
            entries.append(writer.enter(named.path, named.origin))
    for inbox in find_maildirs(job.storage, job.inboxes):
        entries += inbox.copy(partial, step)
    manifest = Manifest(
        at=at,
        installation=installation,
        program=__version__,
        schema=schema,
        configuration=str(job.configuration),
        inboxes=job.inboxes is not None,
        secrets=job.secrets,
        blanked=gathered.blanked,
        missing=(*gathered.missing, *lacking),
        files=tuple(entries),
    )
    with NewFile(partial / MANIFEST) as writer:
        writer.write(write_manifest(manifest))
    for folder, _, _ in os.walk(partial):
        sync(Path(folder))
    return manifest


def _look_through(file: Path, step: Step) -> int:
    """Return the schema of a copied database. Raises StorageError where it is damaged."""
    try:
        with opened_file(file, "ro") as connection:
            connection.set_progress_handler(lambda: step(0), 1_000_000)  # what it raises ends the look
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (schema,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except (sqlite3.Error, TypeError):
        step(0)
        verdict = schema = ""
    if verdict != "ok" or not str(schema).isdecimal():
        raise StorageError(
            f"{file.name}: the copy of the database is damaged: the database itself may be, look at its disk, and keep"
            " your older backups"
        )
    return int(schema)


def _forget_key(file: Path) -> None:
    """Remove what makes hashes of passwords comparable; it stays neither in free pages nor in a journal."""
    try:
        with opened_file(file, "rwc") as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA journal_mode = MEMORY")
            with connection:
                connection.execute(FORGET_KEY)
    except sqlite3.Error as error:
        raise StorageError(f"{file.name}: can't be freed of secrets: {plain_reason(error)}") from None


def _remove_partials(folder: Path, installation: str) -> None:
    """Remove what was left of a backup whose process died; only ours: others may be at work."""
    for path in folder.iterdir():
        found = _PARTIAL.fullmatch(path.name)
        if found is not None and found[1] == installation:
            shutil.rmtree(path)


def _check_folder(job: Job) -> None:
    if (reason := why_unusable(job.folder, job.storage)) is not None:
        raise StorageError(f"{job.folder}: {reason}")


def _check_room(job: Job) -> None:
    found = os.statvfs(job.folder)
    free, needed = found.f_bavail * found.f_frsize, estimate(job) + _SPARE
    if free - needed < job.room:
        raise StorageError(
            f"{job.folder}: No space left on device: about {needed >> 20} MiB are needed, {free >> 20} MiB are free, of"
            f" which {job.room >> 20} MiB must stay so ([limits] free_space): {_MAKE_ROOM}{_name_giant(job, needed)}"
        )


def _name_giant(job: Job, needed: int) -> str:
    """Name a file that alone makes the most of it: whoever may write into an inbox can make one of any size."""
    sizes = ((size, inbox, name) for inbox in find_maildirs(job.storage, job.inboxes) for name, size in inbox.sizes())
    size, inbox, name = max(sizes, key=itemgetter(0), default=(0, None, ""))
    if inbox is None or size <= needed // 2:
        return ""
    return f" ({size >> 20} MiB of it are one file of {inbox.source}, {name!r}: is that a mail?)"


def _reason(error: OSError | StorageError, job: Job, partial: Path | None) -> str:
    """Return a reason for people, who know nothing of the name that a backup has while it is made."""
    if isinstance(error, OSError):
        if (reason := why_unusable(job.folder, job.storage)) is not None:
            return f"{job.folder}: {reason}"
        advice = f": {_MAKE_ROOM}" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"{error.filename or job.folder}: {error.strerror}{advice}".replace(str(partial), str(job.folder))
    return str(error).replace(str(partial), str(job.folder))


def _is_of(backup: Path, installation: str) -> bool:
    try:
        return read_manifest(backup).installation == installation
    except StorageError:
        return False  # what can't be read is nothing that we remove


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
