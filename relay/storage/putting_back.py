"""What a backup holds, put back in its place: mails into inboxes, files where the configuration names them.

Guarantee: nothing that is there is overwritten, and a mail that is there is not added again; each file is whole and
durable before it has its name. No link is followed below the inboxes, and root writes nothing that a backup names
elsewhere than beside the configuration.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, Self

from relay.model.errors import StorageError
from relay.storage.backup import Step
from relay.storage.manifest import CHUNK, Entry, Manifest, faults_of, opened, read_entry
from relay.storage.quarantine import QUARANTINE
from relay.storage.sqlite_file import opened_file
from relay.storage.syncing import CREATE, FOLDER, open_plain, replacing

_BATCH: Final = 64
_SPOILT: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM))
"""What comes of an inbox that is a link, a file or shut, or where another removes what is just put there."""
_OPEN_MAIL: Final = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'active', 'held') AND since > ?"
_SELECT_NAME: Final = "SELECT value FROM meta WHERE key = 'installation'"


def look_at_present(database: Path, manifest: Manifest) -> tuple[bool, int]:
    """Return whether the database to be replaced is another installation's, and how much newer mail waits in it.

    One that is not there, or can't be read, holds nothing.
    """
    try:
        with opened_file(database, "rw") as connection:
            found = connection.execute(_SELECT_NAME).fetchone()
            (newer,) = connection.execute(_OPEN_MAIL, (manifest.at,)).fetchone()
    except (OSError, sqlite3.Error):
        return False, 0
    return found is not None and found[0] != manifest.installation, newer


def put_back_mails(
    backup: Path, manifest: Manifest, *, inboxes: Path, storage: Path, shared: bool, step: Step
) -> tuple[int, int]:
    """Add the mails of a backup to inboxes and quarantine; return how many were added, and how many were there.

    `step` is told of the octets. Raises StorageError; an inbox that somebody has spoilt keeps no other from its mails.
    """
    added = there = 0
    spoilt: list[str] = []
    mails = sorted((entry for entry in manifest.files if entry.is_mail), key=_maildir_of)
    with opened(backup) as open_file:
        for path, entries in groupby(mails, _maildir_of):
            is_quarantine = path == QUARANTINE
            top = storage if is_quarantine else inboxes
            below = path if is_quarantine else path.partition("/")[2]
            try:
                with _Inbox(top, below, shared=shared and not is_quarantine) as inbox:
                    for entry in entries:
                        if inbox.add(entry, backup, open_file, step):
                            added += 1
                        else:
                            there += 1
            except OSError as error:
                line = f"{top / below}: {error.strerror or error}"
                if error.errno not in _SPOILT:
                    raise StorageError(line) from None
                spoilt.append(line)
    if spoilt:
        lines = "; ".join(spoilt)
        raise StorageError(f"{lines} (tmp, new and cur must be folders, and no links): mend that, and restore again")
    return added, there


def put_back_files(
    backup: Path, entries: Sequence[Entry], *, storage: Path, allowed: Path, group: int | None
) -> list[str]:
    """Put files back where the configuration names them, if they are missing and their place is within `allowed`.

    `group`: who may read them beside their owner. Gives a line for each that needs a person. Raises StorageError.
    """
    lines = []
    for entry in entries:
        target = storage / entry.origin
        if os.path.lexists(target):
            if not _is_as(target, entry):
                lines.append(f"{target} is there and stays; another one is {backup / entry.path}")
        elif not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(allowed)):
            lines.append(f"put back by hand: {backup / entry.path} belongs to {target}")
        else:
            content = read_entry(backup, entry)
            try:
                _make_parent(target.parent, group)
                write_file(target, content, group=group)
            except OSError as error:
                raise StorageError(f"{target}: {error.strerror}") from None
    return lines


def write_file(target: Path, content: bytes, *, group: int | None) -> None:
    """Write a file that is whole and durable before it has its name, in place of whatever has it. Raises OSError."""
    with replacing(target) as (_, descriptor), os.fdopen(descriptor, "wb", closefd=False) as stream:
        if group is not None:
            os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, 0o640)
        stream.write(content)


def keep_old(file: Path) -> Path:
    """Give a file that is to be replaced a second name beside it; return that. Raises OSError."""
    n = 1
    while os.path.lexists(kept := file.with_name(f"{file.name}.before-restore-{n}")):
        n += 1
    os.link(file, kept)
    return kept


class _Inbox:
    """A Maildir or a folder of one, held open and made where it is missing; a context manager."""

    def __init__(self, top: Path, path: str, *, shared: bool) -> None:
        self._top = top
        self._parts = path.split("/")
        self._shared = shared
        self._waiting: list[tuple[int, str, str, str]] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._top.mkdir(mode=0o700, exist_ok=True)
            here = os.open(self._top, FOLDER)
            stack.callback(os.close, here)
            for part in self._parts:
                here = self._open(here, part, stack)
            self._folders = {name: self._open(here, name, stack) for name in ("tmp", "new", "cur")}
            listed = [name for folder in ("new", "cur") for name in os.listdir(self._folders[folder])]  # noqa: PTH208 - of a descriptor
            self._names = {name.partition(":")[0] for name in listed}
            self._opened = stack.pop_all()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._opened:
            try:
                if kind is None:
                    self._publish()
            finally:
                for descriptor, temporary, _folder, _name in self._waiting:
                    os.close(descriptor)
                    with contextlib.suppress(OSError):
                        os.unlink(temporary, dir_fd=self._folders["tmp"])
            for name in ("new", "cur"):
                os.fsync(self._folders[name])

    def add(self, entry: Entry, backup: Path, open_file: Callable[[str], int], step: Step) -> bool:
        """Add a mail; false where it is there already. It is visible at the end of its batch."""
        _, folder, name = entry.path.rsplit("/", 2)
        unique = name.partition(":")[0]
        if unique in self._names:
            step(entry.size)
            return False
        temporary = f"{os.getpid()}.{os.urandom(8).hex()}"
        descriptor = os.open(temporary, CREATE, 0o600, dir_fd=self._folders["tmp"])
        self._waiting.append((descriptor, temporary, folder, name))
        with faults_of(backup / entry.path):
            source = open_file(entry.path)
        with os.fdopen(source, "rb", buffering=0) as stream, os.fdopen(descriptor, "wb", closefd=False) as mail:
            while True:
                with faults_of(backup / entry.path):
                    chunk = stream.read(CHUNK)
                if not chunk:
                    break
                mail.write(chunk)
                step(len(chunk))
            times = os.fstat(source)
        if self._shared:
            os.fchmod(descriptor, 0o660)
        os.utime(descriptor, ns=(times.st_atime_ns, times.st_mtime_ns))  # mail programs show it as the time of arrival
        self._names.add(unique)
        if len(self._waiting) >= _BATCH:
            self._publish()
        return True

    def _publish(self) -> None:
        for waiting in self._waiting:
            os.fsync(waiting[0])
        for _, temporary, folder, name in self._waiting:
            with contextlib.suppress(FileExistsError):
                tmp = self._folders["tmp"]
                os.link(temporary, name, src_dir_fd=tmp, dst_dir_fd=self._folders[folder], follow_symlinks=False)
        while self._waiting:
            descriptor, temporary, _, _ = self._waiting.pop()
            os.close(descriptor)
            os.unlink(temporary, dir_fd=self._folders["tmp"])

    def _open(self, parent: int, name: str, stack: contextlib.ExitStack) -> int:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o770 if self._shared else 0o700, dir_fd=parent)
        descriptor = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        stack.callback(os.close, descriptor)
        return descriptor


def _make_parent(folder: Path, group: int | None) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700 if group is None else 0o750, parents=True)
        if group is not None:
            os.chown(folder, -1, group)


def _maildir_of(entry: Entry) -> str:
    return entry.path.rsplit("/", 2)[0]


def _is_as(path: Path, entry: Entry) -> bool:
    """Return whether what is there is what was saved. A backup may name anything: a pipe, a device, what never ends."""
    try:
        if not path.is_file():  # a device is not even opened: with some that alone does something
            return False
        with os.fdopen(open_plain(path, links=True), "rb") as stream:
            content = stream.read(entry.size + 1)
    except OSError:
        return False
    return entry.is_of(content)
