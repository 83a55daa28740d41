"""The one place where the configuration's file is replaced.

Guarantee: at every moment, also after a loss of power, the file is the old one or the new one, as a whole. Owner,
group, mode and extended attributes stay; a link leads to where it led. Of two changes at a time the second begins with
what the first has made. Whatever fails leaves the old file.
"""

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from relay.editing import EditError
from relay.editing.place import Place, open_place
from relay.settings.document import read_document
from relay.storage.syncing import replacing

_Proved = TypeVar("_Proved")
PATIENCE: Final = 10.0
"""Seconds that a change waits for another one."""
_PAUSE: Final = 0.02
_OURS: Final = threading.Lock()
"""Held by the thread of this process that changes a file: the name beside it is one for a process."""
_NO_ATTRIBUTES: Final = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA)


def change_file(path: Path, edit: Callable[[str], str], prove: Callable[[bytes], _Proved]) -> _Proved | None:
    """Replace a configuration by what `edit` makes of its text; return what `prove` makes of it; None if it was so.

    `prove` gets what is to stand there, also where that is the same, and raises what is against it. Raises EditError,
    ConfigurationError with each mistake where the file is no TOML, and OSError.
    """
    with open_place(path) as place, _locked(place) as descriptor:
        before = _read(descriptor)
        read_document(path, before)
        after = edit(before.decode("utf-8")).encode("utf-8")
        proved = prove(after)
        if after == before:
            return None
        replace_file(place, descriptor, after)
        return proved


def replace_file(place: Place, old: int, content: bytes) -> None:
    """Put another file in the place of one that is open; owner, group, mode and attributes stay.

    Raises EditError, also where the name has another file meanwhile, and OSError.
    """
    found = os.fstat(old)
    with replacing(place.path, place.folder) as (_, new):
        made = os.fstat(new)
        if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
            try:
                os.fchown(new, found.st_uid, found.st_gid)
            except PermissionError:
                raise EditError(
                    f"{place.path}: owner and group could not be kept: run the command again with sudo before it"
                ) from None
        os.fchmod(new, found.st_mode & 0o777)
        _copy_attributes(old, new)
        with os.fdopen(os.dup(new), "wb") as stream:
            stream.write(content)
        if not place.has(old):
            raise EditError(f"{place.path}: somebody has put another file there meanwhile: try again")


@contextlib.contextmanager
def _locked(place: Place) -> Iterator[int]:
    """Open the file and lock it, until it is still the one of this name once the lock is there."""
    if not _OURS.acquire(timeout=PATIENCE):
        raise _busy(place)
    try:
        with _lock_file(place) as descriptor:
            yield descriptor
    finally:
        _OURS.release()


@contextlib.contextmanager
def _lock_file(place: Place) -> Iterator[int]:
    deadline = time.monotonic() + PATIENCE
    while True:
        descriptor = place.open_file()
        try:
            if _take_lock(descriptor) and place.has(descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise _busy(place)
        time.sleep(_PAUSE)


def _take_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(place: Place) -> EditError:
    return EditError(f"{place.path}: another command is changing it: try again when it has ended")


def _read(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read()


def _copy_attributes(old: int, new: int) -> None:
    """Copy what is beside the mode, such as access lists; not where the file system, or our rights, have none."""
    with _tolerating():
        for name in os.listxattr(old):
            with _tolerating():
                os.setxattr(new, name, os.getxattr(old, name))


@contextlib.contextmanager
def _tolerating() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTES:
            raise
