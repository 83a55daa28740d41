"""What goes wrong with copies of a database, in words for people, and the next thing to do."""

import errno
import sqlite3
from typing import Final

_PLAIN: Final = {
    sqlite3.SQLITE_FULL: "No space left on device: make room there, or name another place",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: look whether the file and its folder are there and may be used",
    sqlite3.SQLITE_READONLY: "can't be written: look at its mode and its owner, and at the disk",
    sqlite3.SQLITE_PERM: "can't be written: look at its mode and its owner",
    sqlite3.SQLITE_BUSY: "is in use by another program: try again in a moment",
    sqlite3.SQLITE_LOCKED: "is in use by another program: try again in a moment",
    sqlite3.SQLITE_IOERR: "the disk gives an error: look at the system's log (journalctl -k), and at the disk",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "is no SQLite database",
}
"""What SQLite's codes mean, in their lowest octet."""
_ADVICE: Final = {
    errno.ENOSPC: ": make room there, or name another place",
    errno.EDQUOT: ": make room there, or name another place",
    errno.EROFS: ": name another place",
    errno.EACCES: ": look at the owner and the mode of it and of the folders above",
}
_OF_THE_SOURCE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
"""What is wrong with what is copied: the copy itself is opened before."""


def is_of_source(error: Exception) -> bool:
    """Return whether a copy failed for what is copied, not for where to."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _OF_THE_SOURCE


def plain_reason(error: Exception) -> str:
    """Say what an error of the system or of SQLite means; its own words where they are all there is."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None) or 0
        return _PLAIN.get(code & 0xFF) or str(error) or type(error).__name__
    if isinstance(error, OSError):
        advice = _ADVICE.get(error.errno or 0, "")
        return f"{error.strerror or type(error).__name__}{advice}"
    return str(error) or type(error).__name__
