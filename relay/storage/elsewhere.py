"""Copies of a database that lie outside of the storage folder, where root alone may be allowed to write or read.

Guarantee: root follows no name in a folder of somebody else's when it writes: the folder and the files are held open
from before the process that copies becomes the owner of the storage folder, and SQLite works in there alone.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.model.errors import StorageError
from relay.storage.backup import Step, check_replaceable, copy_database, follow_links
from relay.storage.owner import Owner, strangers
from relay.storage.syncing import CREATE, open_plain, replacing

_SQLITE: Final = b"SQLite format 3\0"
_BESIDE: Final = ("", "-wal", "-journal")
"""A copy, and what belongs to it where it was made by other means than ours."""


def is_for_root(file: Path, owner: Owner | None) -> bool:
    """Return whether root is to open a file that it was given by name, before it becomes `owner`.

    It is not where the owner could have put something else there, to have root read for him what he can't. Raises
    StorageError where anybody else has put a link on the way, which could lead root to any file.
    """
    if os.geteuid() != 0:
        return False
    try:
        if owner is not None and any(uid == owner.uid for _, uid in strangers(file)):
            return False
        for link, uid in strangers(file, links=True):
            raise StorageError(
                f"{file}: {link} is a link of {Owner(uid, uid)}, which root does not follow: name the place itself"
            )
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from None
    return True


@contextlib.contextmanager
def opened_target(file: Path, source: Path) -> Iterator[int]:
    """Open the file that a copy is to become, with root's rights; give its descriptor, which `fill` takes.

    At the end it is durable and has its name; where the body raises, what was there before stays. Raises StorageError
    where that is no older copy, and where the file can't be made.
    """
    target = follow_links(file)
    check_replaceable(target, source)
    try:
        with replacing(target) as (_, descriptor):
            yield descriptor
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}") from None


def fill(descriptor: int, file: Path, source: Path, step: Step | None = None) -> None:
    """Copy a database in use into an open file, which people call `file`. `step`: as for `copy_database`.

    Raises StorageError.
    """
    work = _name_work(source)
    try:
        copy_database(source, work, step)
        with work.open("rb") as stream, os.fdopen(os.dup(descriptor), "wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from None
    finally:
        work.unlink(missing_ok=True)


@contextlib.contextmanager
def opened_copy(file: Path) -> Iterator[dict[str, int]]:
    """Open a copy that is to be taken back, with root's rights, and what belongs to it.

    Gives the descriptors, by what the names end in. Raises StorageError.
    """
    with contextlib.ExitStack() as stack:
        files: dict[str, int] = {}
        try:
            follow_links(file)
            for ending in _BESIDE:
                path = file.with_name(file.name + ending)
                with contextlib.suppress(*[FileNotFoundError] if ending else ()):
                    files[ending] = open_plain(path, links=True)
                    stack.callback(os.close, files[ending])
            magic = os.pread(files[""], len(_SQLITE), 0)
        except OSError as error:
            raise StorageError(f"{error.filename or file}: {error.strerror}") from None
        # What is no copy is not given to the folder's owner, not even for a moment.
        if magic != _SQLITE:
            raise StorageError(f"{file}: no copy of a relay's database: name what `relay backup` has made")
        yield files


@contextlib.contextmanager
def beside(target: Path, files: dict[str, int], name: Path) -> Iterator[Path]:
    """Give an opened copy, which people call `name`, as a file beside the database for a while. Raises StorageError."""
    if target.exists() and any(os.path.samestat(target.stat(), os.fstat(file)) for file in files.values()):
        raise StorageError(f"{name}: is the database itself: there is nothing to take back")
    work = _name_work(target)
    try:
        for ending, descriptor in files.items():
            path = work.with_name(work.name + ending)
            with os.fdopen(os.open(path, CREATE, 0o600), "wb") as out, os.fdopen(os.dup(descriptor), "rb") as copy:
                shutil.copyfileobj(copy, out, 1 << 20)
        yield work
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}") from None
    finally:
        for ending in (*files, "-shm"):
            work.with_name(work.name + ending).unlink(missing_ok=True)


def _name_work(database: Path) -> Path:
    """Name the file beside a database that this process works on; what killed ones have left there goes."""
    prefix = f".{database.name}."
    for left in database.parent.glob(f"{prefix}*.copy*"):
        if not Path("/proc", left.name.removeprefix(prefix).partition(".")[0]).exists():
            left.unlink(missing_ok=True)
    return database.with_name(f"{prefix}{os.getpid()}.copy")
