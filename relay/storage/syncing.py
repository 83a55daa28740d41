"""Files and folders that are durable, and files that are so before they have their names."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


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

    At the end it is durable, and takes the place of whatever has that name; where the body raises, it is removed.
    Raises OSError.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(partial, flags, 0o600)
        try:
            yield partial, descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.replace(target)
        sync(target.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
