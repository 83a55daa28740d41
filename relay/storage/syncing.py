"""Files and folders: how they are opened, made durable, and replaced by what is so before it has the name."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is held open, and how a file of our own is made: a name that is there is neither taken nor followed."""


def open_plain(path: Path | str, at: int | None = None, *, links: bool = False) -> int:
    """Open a plain file for reading, which no pipe holds up; through a link only with `links`. Raises OSError.

    `at`: a descriptor of the folder that the path is relative to.
    """
    follow = 0 if links else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow, dir_fd=at)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is no plain file", str(path))


def sync(path: Path) -> None:
    """Wait until what a file holds, or which names a folder has, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(target: Path, at: int | None = None) -> Iterator[tuple[Path, int]]:
    """Make a file beside `target`, its user's alone, and give its path and its descriptor. Raises OSError.

    At the end it is durable, and takes the place of whatever has that name; where the body raises, it is removed. What
    a process that was killed has left there goes. `at`: a descriptor of the target's folder, where that is open.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    folder = os.open(target.parent, FOLDER) if at is None else os.dup(at)
    try:
        _remove_abandoned(folder, target.name)
        descriptor = os.open(partial.name, CREATE, 0o600, dir_fd=folder)
        try:
            yield partial, descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(partial.name, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial.name, dir_fd=folder)
        os.close(folder)


def _remove_abandoned(folder: int, name: str) -> None:
    for left in os.listdir(folder):
        found = re.fullmatch(rf"\.{re.escape(name)}\.([0-9]+)\.partial(-journal)?", left)
        if found is not None and (found[1] == str(os.getpid()) or not Path("/proc", found[1]).exists()):
            with contextlib.suppress(OSError):
                os.unlink(left, dir_fd=folder)
