"""Files and folders that are durable, and files that are so before they have their names."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is held open, and how a file of our own is made: a name that is there is neither taken nor followed."""


def sync(path: Path) -> None:
    """Wait until what a file holds, or which names a folder has, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[tuple[Path, int]]:
    """Make a file beside `target`, its user's alone, and give its path and its descriptor.

    At the end it is durable, and takes the place of whatever has that name; where the body raises, it is removed. The
    folder is held open meanwhile, and what a process that was killed has left there goes. Raises OSError.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    folder = os.open(target.parent, FOLDER)
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
