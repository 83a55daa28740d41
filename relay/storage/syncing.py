"""Making a file or a folder durable by its path."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until what a file holds, or which names a folder has, is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
