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
from typing import Final

from relay.editing import EditError
from relay.settings.document import read_document
from relay.storage.syncing import open_plain, replacing

PATIENCE: Final = 10.0
"""Seconds that a change waits for another one."""
_PAUSE: Final = 0.02
_OURS: Final = threading.Lock()
"""Held by the thread of this process that changes a file: the name beside it is one for a process."""
_NO_ATTRIBUTES: Final = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA)


def change_file(path: Path, edit: Callable[[str], str], prove: Callable[[bytes], None]) -> bool:
    """Replace a configuration by what `edit` makes of its text; return whether that is something else.

    `prove` gets what is to stand there, and raises what is against it. Raises EditError, ConfigurationError with each
    mistake where the file is no TOML, and OSError.
    """
    target = Path(os.path.realpath(path))
    with _locked(target) as descriptor:
        before = _read(descriptor)
        read_document(path, before)
        after = edit(before.decode("utf-8")).encode("utf-8")
        if after == before:
            return False
        prove(after)
        _replace(target, descriptor, after)
        return True


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[int]:
    """Open the file and lock it, until it is still the one of this name once the lock is there."""
    if not _OURS.acquire(timeout=PATIENCE):
        raise _busy(target)
    try:
        with _lock_file(target) as descriptor:
            yield descriptor
    finally:
        _OURS.release()


@contextlib.contextmanager
def _lock_file(target: Path) -> Iterator[int]:
    deadline = time.monotonic() + PATIENCE
    while True:
        descriptor = open_plain(target)
        try:
            if _take_lock(descriptor) and os.path.samestat(os.fstat(descriptor), target.stat()):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise _busy(target)
        time.sleep(_PAUSE)


def _take_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy(target: Path) -> EditError:
    return EditError(f"{target}: another command is changing it: try again when it has ended")


def _read(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read()


def _replace(target: Path, old: int, content: bytes) -> None:
    found = os.fstat(old)
    with replacing(target) as (_, new):
        made = os.fstat(new)
        if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
            try:
                os.fchown(new, found.st_uid, found.st_gid)
            except PermissionError:
                raise EditError(
                    f"{target}: owner and group could not be kept: run the command again with sudo before it"
                ) from None
        os.fchmod(new, found.st_mode & 0o7777)
        _copy_attributes(old, new)
        with os.fdopen(os.dup(new), "wb") as stream:
            stream.write(content)


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
