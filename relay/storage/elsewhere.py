"""Copies of a database that lie outside of the storage folder, where root alone may be allowed to write or read.

Guarantee: root follows no name in a folder of somebody else's when it writes: it holds the folder and the files open
from before it becomes the owner of the storage folder, and SQLite works in the storage folder alone.
"""

import contextlib
import errno
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, Self

from relay.model.errors import StorageError
from relay.storage.backup import Step, check_replaceable, copy_database, follow_links
from relay.storage.owner import Owner, links_of_strangers, strangers

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SQLITE: Final = b"SQLite format 3\0"
_BESIDE: Final = ("", "-wal", "-journal")
"""A copy, and what belongs to it where it was made by other means than ours."""


def is_for_root(file: Path, owner: Owner | None) -> bool:
    """Return whether root is to open a file that it was given by name, before it becomes `owner`.

    Where the owner could have put something else in its place, it is opened with his rights: else he would have root
    read for him what he can't. Raises StorageError where anybody else has put a link on the way, which could lead root
    to any file.
    """
    if os.geteuid() != 0:
        return False
    try:
        if owner is not None and any(uid == owner.uid for _, uid in strangers(file)):
            return False
        for link, uid in links_of_strangers(file):
            raise StorageError(
                f"{file}: {link} is a link of {Owner(uid, uid)}, which root does not follow: name the place itself"
            )
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from None
    return True


class Target:
    """The file that a copy is to become; a context manager that leaves a whole copy behind or what was there before."""

    def __init__(self, file: Path, source: Path) -> None:
        """Open it with root's rights. Raises StorageError where it is there and no older copy, and where it can't be.

        Another process is left behind with root's rights, since this one may give them up: it gives the copy its name
        or removes it, and does nothing else.
        """
        self._target = follow_links(file)
        self._partial = f".{self._target.name}.{os.getpid()}.partial"
        check_replaceable(self._target, source)
        self._ended = False
        with contextlib.ExitStack() as undo:
            try:
                self._folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                undo.callback(os.close, self._folder)
                self._file = os.open(self._partial, _CREATE, 0o600, dir_fd=self._folder)
                undo.callback(os.close, self._file)
                undo.callback(os.unlink, self._partial, dir_fd=self._folder)
                told, self._tell = os.pipe()
                undo.callback(os.close, told)
                undo.callback(os.close, self._tell)
                self._keeper = os.fork()
            except OSError as error:
                what = "" if error.filename else "a second process can't be started: "
                raise StorageError(f"{self._target}: {what}{error.strerror}") from None
            undo.pop_all()
        if self._keeper == 0:
            self._keep(told)
        os.close(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self._end(whole=False)
        os.close(self._file)
        os.close(self._folder)

    def fill(self, source: Path, step: Step | None = None) -> int:
        """Copy a database that may be in use; return the octets. `step`: as for `copy_database`.

        Raises StorageError: then there is no new copy.
        """
        work = source.with_name(f".{source.name}.{os.getpid()}.copy")
        try:
            size = copy_database(source, work, step)
            with work.open("rb") as stream, os.fdopen(os.dup(self._file), "wb") as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            raise StorageError(f"{self._target}: {error.strerror}") from None
        finally:
            work.unlink(missing_ok=True)
        if not self._end(whole=True):
            raise StorageError(f"{self._target}: the copy was made, but could not be given this name")
        return size

    def _end(self, *, whole: bool) -> bool:
        """Have the copy given its name, or removed; return whether that was done."""
        self._ended = True
        with contextlib.suppress(OSError):
            os.write(self._tell, b"whole" if whole else b"")
        os.close(self._tell)
        return os.waitpid(self._keeper, 0)[1] == 0

    def _keep(self, told: int) -> NoReturn:
        """Wait for `_end`, or for the death of the process that fills the copy; then end this one."""
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
            os.close(self._tell)
            if os.read(told, 16):
                os.replace(self._partial, self._target.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                os.fsync(self._folder)
            else:
                os.unlink(self._partial, dir_fd=self._folder)
            status = 0
        finally:
            os._exit(status)


class Copy:
    """A copy that is to be taken back, opened with root's rights."""

    def __init__(self, file: Path) -> None:
        """Open it, and what belongs to it. Raises StorageError."""
        self._name = file
        self._files: list[tuple[str, int]] = []
        try:
            follow_links(file)
            for ending in _BESIDE:
                self._open(file.with_name(file.name + ending), ending)
            magic = os.pread(self._files[0][1], len(_SQLITE), 0)
        except OSError as error:
            self.close()
            raise StorageError(f"{error.filename or file}: {error.strerror}") from None
        # What is no copy is not given to the folder's owner, not even for a moment.
        if magic != _SQLITE:
            self.close()
            raise StorageError(f"{file}: no copy of a relay's database: name what `relay backup` has made")

    def _open(self, path: Path, ending: str) -> None:
        try:
            descriptor = os.open(path, _READ)
        except FileNotFoundError:
            if not ending:
                raise
            return
        self._files.append((ending, descriptor))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no plain file", str(path))

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop()[1])

    @contextlib.contextmanager
    def beside(self, target: Path) -> Iterator[Path]:
        """Give the copy as a file beside the database for a while. Raises StorageError."""
        if target.exists() and any(os.path.samestat(target.stat(), os.fstat(file)) for _, file in self._files):
            raise StorageError(f"{self._name}: is the database itself: there is nothing to take back")
        work = target.with_name(f".{target.name}.{os.getpid()}.copy")
        made: list[Path] = []
        try:
            for ending, descriptor in self._files:
                path = work.with_name(work.name + ending)
                made.append(path)
                with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as out, os.fdopen(os.dup(descriptor), "rb") as copy:
                    shutil.copyfileobj(copy, out, 1 << 20)
            yield work
        except OSError as error:
            raise StorageError(f"{target}: {error.strerror}") from None
        finally:
            for path in (*made, work.with_name(f"{work.name}-shm")):
                path.unlink(missing_ok=True)
