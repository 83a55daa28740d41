"""A disk with as much room as a test wants."""

import os
from collections.abc import Callable
from pathlib import Path

Statvfs = Callable[[Path], os.statvfs_result]
_REAL = os.statvfs
_ORDER = (
    "f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail", "f_flag", "f_namemax",
)  # fmt: skip


def statvfs_of(free: int) -> Statvfs:
    """Give a stand-in for `os.statvfs` whose disks have so many free octets."""
    changed = {"f_frsize": 1, "f_bavail": free, "f_files": 0}

    def statvfs(folder: Path) -> os.statvfs_result:
        found = _REAL(folder)
        return os.statvfs_result([changed.get(name, getattr(found, name)) for name in _ORDER])

    return statvfs
