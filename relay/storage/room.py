"""Whether the disk can keep one more mail: room is left to settle it, too, and nobody has deleted the database."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from relay.emitting import emit
from relay.events.service import DatabaseGone
from relay.storage.upgrade import GONE

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
        """Return whether a mail of so many octets leaves the room that is to be left; true where nobody can tell."""
        if self._monotonic() - self._looked >= _FRESH:
            found = [free for free in map(free_octets, self._folders()) if free is not None]
            self._looked, self._free = self._monotonic(), min(found, default=None)
        return self._free is None or self._free - octets >= self._least()


class KeptFile:
    """Looks, at most ten times a second, whether a name leads to the file that is open; logs once that it does not."""

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take the file that has the name now. Raises OSError where there is none."""
        self._path = path
        self._monotonic = monotonic
        self._opened = _identity(path)
        self._looked = monotonic()
        self._is_there = True

    def is_there(self) -> bool:
        """Return whether the next process will find what is written into the file; true where nobody can tell."""
        if self._monotonic() - self._looked >= _FRESH:
            was_there, self._looked = self._is_there, self._monotonic()
            try:
                self._is_there = _identity(self._path) == self._opened
            except FileNotFoundError:
                self._is_there = False
            except OSError:
                pass  # a folder that can't be passed now says nothing of the file
            if was_there and not self._is_there:
                emit(DatabaseGone(file=str(self._path), reason=GONE))
        return self._is_there


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def free_octets(folder: Path) -> int | None:
    """Return the free octets of a folder's file system; none where it has no room for more files, None if unknown."""
    try:
        # What is not there will be made in the nearest folder above that is.
        found = os.statvfs(next((path for path in (folder, *folder.parents) if path.exists()), folder))
    except OSError:
        return None  # whoever writes there says what is wrong
    # Some file systems make files as they need them, and count none.
    if found.f_files and found.f_favail < _LEAST_FILES:
        return 0
    return found.f_bavail * found.f_frsize
