"""Whether the disk has room for one more mail. Some is always left: what was accepted must be settled, too."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_FRESH = 0.1
"""Seconds for which a look at the disk counts."""
_LEAST_FILES = 16
"""Files that the disk must be able to hold besides: each notice and each collected mail is one, and so is a journal."""


class DiskRoom:
    """Looks at the file systems of some folders, at most ten times a second."""

    def __init__(
        self,
        folders: Callable[[], Iterable[Path]],
        least: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._least = least
        self._monotonic = monotonic
        self._looked = -_FRESH
        self._free: int | None = None

    def has(self, octets: int) -> bool:
        """Tell whether a mail of so many octets leaves the room that is to be left; true where nobody can tell."""
        if self._monotonic() - self._looked >= _FRESH:
            found = [free for free in map(free_octets, self._folders()) if free is not None]
            self._looked, self._free = self._monotonic(), min(found, default=None)
        return self._free is None or self._free - octets >= self._least()


def free_octets(folder: Path, *, statvfs: Callable[[Path], os.statvfs_result] | None = None) -> int | None:
    """Give the free octets of a folder's file system; none where it has no room for more files, None if unknown."""
    try:
        found = (statvfs or os.statvfs)(_existing(folder))
    except OSError:
        return None  # whoever writes there says what is wrong
    # Some file systems make files as they need them, and count none.
    if found.f_files and found.f_favail < _LEAST_FILES:
        return 0
    return found.f_bavail * found.f_frsize


def _existing(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that is there: it will be made in that one."""
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)
