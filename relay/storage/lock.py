"""The locks that make one process the service of a storage folder, and of a SQLite file wherever it lies.

Guarantee: two processes that hold these locks share neither a folder nor a SQLite file, by whatever paths they name
them. The kernel gives a lock back when its process ends, however that happens.
"""

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from relay.model.errors import StorageBusyError, StorageError
from relay.storage.faults import why_unwritable
from relay.storage.syncing import FOLDER

FOLDER_LOCK: Final = "relay.lock"
_DATABASE_LOCK: Final = "-lock"
"""Behind the name of a SQLite file, as SQLite's own `-wal` and `-shm`."""


def database_file(database: URL | str) -> Path | None:
    """Return the file of a SQLite database, its links followed; None for any other database, and for no URL."""
    name = database_name(database)
    return None if name is None else Path(os.path.realpath(name))


def database_name(database: URL | str) -> Path | None:
    """Return the file of a SQLite database as it is named; None for any other database, and for no URL."""
    try:
        url = make_url(database)
    except ArgumentError:
        return None
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


class FileLock:
    """The lock on one file: in it the process that has it and, in a second line, an identity that it keeps."""

    def __init__(self, file: Path, what: str) -> None:
        self._path = file
        self._what = what
        self._file: int | None = None
        self.identity = ""
        """Of the file, once the lock is taken: others, such as one of another container's volume, have another."""

    def acquire(self) -> None:
        """Take the lock. Raises StorageBusyError where another has it, StorageError where the file can't be used."""
        file = _open(self._path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _lines(file)[0]
            os.close(file)
            if not isinstance(error, BlockingIOError):
                raise StorageError(f"{self._path}: {error.strerror}") from None
            who = f" (process {holder})" if holder.isdecimal() else ""
            busy = StorageBusyError(f"{self._what}{who}: stop it first, with `systemctl stop relay`")
            busy.holder = holder if holder.isdecimal() else ""
            raise busy from None
        self.identity = _lines(file)[1] or os.urandom(8).hex()
        content = f"{os.getpid()}\n{self.identity}\n".encode()
        os.ftruncate(file, os.pwrite(file, content, 0))
        self._file = file

    def release(self) -> None:
        """Give the lock back; without effect where it is not held."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def _open(path: Path) -> int:
    """Open the file of a lock, or make it. Raises StorageError, also where a link would lead our writing elsewhere."""
    try:
        folder = os.open(path.parent, FOLDER)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}") from None
    try:
        # Not blocking: a pipe would wait for its other end.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(path.name, flags, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StorageError(f"{path}: is a link, where only the lock's own file can be: remove it") from None
        if error.errno in (errno.ENXIO, errno.EISDIR):
            raise StorageError(f"{path}: is no plain file, and can't be the lock: remove it") from None
        raise StorageError(why_unwritable(path) or f"{path}: {error.strerror}") from None
    finally:
        os.close(folder)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        os.close(file)
        raise StorageError(f"{path}: is no plain file, and can't be the lock: remove it")
    if found.st_nlink > 1:
        os.close(file)
        raise StorageError(f"{path}: has other names (hard links), where only the lock's own file can be: remove it")
    return file


def _lines(file: int) -> tuple[str, str]:
    holder, identity, *_ = (*os.pread(file, 100, 0).decode("ascii", "replace").split("\n"), "", "")
    return holder.strip(), identity.strip()


def files_of_service(folder: Path, database: URL | str) -> list[Path]:
    """Return the files that a service makes for itself alone: its locks, a SQLite database and what is beside it."""
    file = database_file(database)
    beside = [] if file is None else [file.with_name(file.name + end) for end in ("", "-wal", "-shm", _DATABASE_LOCK)]
    return [folder / FOLDER_LOCK, *beside]


class StorageLock:
    """What a service, or whoever is one for a moment, holds: the locks on its folder and on its SQLite file."""

    def __init__(self, folder: Path, database: URL | str) -> None:
        self._locks = [FileLock(folder / FOLDER_LOCK, f"{folder}: another relay is running here")]
        file = database_file(database)
        if file is not None:
            # Two configurations may have folders of their own and yet name one file.
            beside = file.with_name(file.name + _DATABASE_LOCK)
            self._locks.append(FileLock(beside, f"{file}: another relay is using this database"))

    @property
    def identity(self) -> str:
        """What tells this folder from one of the same name elsewhere, once the locks are taken."""
        return self._locks[0].identity

    def acquire(self) -> None:
        """Take both locks, or none. Raises StorageBusyError where another has one, StorageError."""
        for lock in self._locks:
            try:
                lock.acquire()
            except StorageError:
                self.release()
                raise

    def release(self) -> None:
        """Give the locks back; without effect where they are not held."""
        for lock in reversed(self._locks):
            lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def name_node(folder: Path, identity: str) -> str:
    """Name the node that holds the lock of a storage folder: by its `identity`, and by its file, which no copy has.

    The name outlives the process, the machine's name and a container.
    """
    return f"{identity}-{(folder / FOLDER_LOCK).stat().st_ino}"
