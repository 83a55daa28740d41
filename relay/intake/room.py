"""Whether the disk has room for one more mail. Some is always left: what was accepted must be settled, too."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_FRESH = 0.1
"""Seconds for which a look at the disk counts."""


class DiskRoom:
    """Looks at the file system of a folder, at most ten times a second."""

    def __init__(
        self, folder: Path, least: Callable[[], int], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._least = least
        self._monotonic = monotonic
        self._looked = -_FRESH
        self._free = 0

    def has(self, octets: int) -> bool:
        """Tell whether a mail of so many octets leaves the room that is to be left; true where nobody can tell."""
        if self._monotonic() - self._looked >= _FRESH:
            try:
                found = os.statvfs(self._folder)
            except OSError:
                return True  # the database says what is wrong
            self._looked, self._free = self._monotonic(), found.f_bavail * found.f_frsize
        return self._free - octets >= self._least()
