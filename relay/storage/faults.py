"""What an error of the database means: whose fault it is, and what may be said of it.

Errors are told apart by their names (PEP 249), whether SQLAlchemy has wrapped them or not: neither need be imported.
"""

import errno
import os
import shlex
import sqlite3
import stat
from pathlib import Path
from typing import Final

from relay.model.errors import StorageError, StorageFullError

_FAULTS_OF_THE_WRITE = {"IntegrityError", "DataError", "ProgrammingError", "InterfaceError", "NotSupportedError"}
"""Errors (PEP 249) that speak of one write, not of the database."""
_DISK_FULL = "53100"
"""SQLSTATE of a full disk."""
_CONFLICTS = ("40001", "40P01", "23505")
"""SQLSTATE of a serialization failure, a deadlock, and a row that another has just made: the same again may succeed."""
_LEAST_ROOM: Final = 1 << 17
"""Octets that SQLite needs beside a database to open it."""
_SHUT: Final = (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""Codes of SQLite's, in their lowest octet, where a file can't be written or opened."""
_LOST: Final = ("08", "57P")
"""How the SQLSTATE begins where the connection is lost."""
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


def storage_error(error: BaseException, file: Path | None = None) -> StorageError:
    """Make an error of ours of one of the driver's; no parameter, hence no text of a mail, is in it.

    `file`: the SQLite database; where it, or one that SQLite has beside it, can't be written, that is what is said.
    """
    original = _original(error)
    if not is_of_database(error):
        return StorageError(f"database: {type(original).__name__}")
    if file is not None and (getattr(original, "sqlite_errorcode", None) or 0) & 0xFF in _SHUT:
        whole = Path(os.path.realpath(file))
        if (reason := why_unwritable(whole) or _why_shut(whole.parent, os.W_OK | os.X_OK)) is not None:
            return StorageError(reason)
    # PostgreSQL's DETAIL shows whole rows; its first line does not.
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    text = primary or next(iter(str(original).splitlines()), "")
    if getattr(original, "sqlstate", None) == _DISK_FULL:
        return StorageFullError(f"the disk of the PostgreSQL server is full, and nothing more was changed: {text}")
    if type(original).__module__.startswith("psycopg") and getattr(original, "sqlstate", "") is None:
        return StorageError(
            "the database server (PostgreSQL) can't be reached, or was lost: see whether it runs, where it is"
            " installed: `systemctl status postgresql`; if so, compare host, port, user and password with [storage]"
            f" database. What was said: {text}"
        )
    code = (getattr(original, "sqlite_errorcode", None) or 0) & 0xFF
    return _what_helps(code, file) or StorageError(f"database: {type(original).__name__}: {text}")


def _what_helps(code: int, file: Path | None) -> StorageError | None:
    """Say of SQLite's errors that a person can mend what is the matter and what helps."""
    if code == sqlite3.SQLITE_FULL:
        return StorageFullError(_disk_full(file, ", and nothing more was changed"))
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and file is not None and _is_full(_folder(file)):
        # Even who only reads needs a little room beside the database.
        return StorageFullError(_disk_full(file))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        who = "the database" if file is None else str(file)
        look = "" if file is None else f"; `fuser -v {shlex.quote(str(file))}` shows who has it open"
        return StorageError(f"{who}: another program is writing into it, and nothing more was changed: try again{look}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        where = "" if file is None else f"{file}: "
        return StorageError(
            f"{where}the database is damaged: stop the service (systemctl stop relay) and put the last backup in its"
            " place (relay restore); the damaged file is kept beside it"
        )
    return None


def file_error(error: OSError, path: Path) -> StorageError:
    """Make an error of ours of what the system says of a file or folder beside the database."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageFullError(_disk_full(path)) if is_full else StorageError(f"{path}: {plain_reason(error)}")


def _disk_full(file: Path | None, besides: str = "") -> str:
    """Say what to do, and what not: who deletes in the service's own folder deletes mail."""
    if file is None:
        return f"the disk of the database is full{besides}: free space on it, not among its own files, then try again"
    folder = _folder(file)
    return (
        f"the disk that holds {folder} is full{besides} (`df -h {shlex.quote(str(folder))}` shows it): free space"
        f" elsewhere on it; delete nothing in {folder} itself; then try again"
    )


def _folder(file: Path) -> Path:
    return Path(os.path.realpath(file)).parent


def _is_full(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LEAST_ROOM or (found.f_files > 0 and found.f_favail == 0)


def why_unwritable(file: Path) -> str | None:
    """Return which file of a SQLite database this process can't write, and what mends it; None where there is none."""
    whole = Path(os.path.realpath(file))
    beside = (whole, *(whole.with_name(whole.name + ending) for ending in ("-wal", "-shm", "-journal")))
    return next(filter(None, (_why_shut(path, os.R_OK | os.W_OK) for path in beside)), None)


def _why_shut(path: Path, ways: int) -> str | None:
    try:
        found, folder = path.stat(), path.parent.stat()
    except OSError:
        return None  # what is not there is made, or its folder says why not
    if os.access(path, ways, effective_ids=True):
        return None
    name, mode = shlex.quote(str(path)), stat.S_IMODE(found.st_mode)
    is_folder = stat.S_ISDIR(found.st_mode)
    needed, owner = (0o700, found.st_uid) if is_folder else (0o600, folder.st_uid)
    if owner != os.geteuid():
        advice = f"ask as root, or as the owner of the folder, uid {owner}"
    elif found.st_uid != owner:
        advice = f"chown {owner} {name} && chmod {needed:04o} {name}"
    elif mode & needed != needed:
        advice = f"chmod {needed:04o} {name}"
    else:
        advice = f"look at its file system (findmnt -T {name}) and its attributes (lsattr -d {name})"
    return f"{path}: can't be written: it is of uid {found.st_uid}, with mode {mode:04o}: {advice}"


def is_fault_of_database(error: BaseException) -> bool:
    """Return whether the database failed, so that no write could succeed, rather than refused one write."""
    if is_of_database(error):
        return not _names(_original(error)) & _FAULTS_OF_THE_WRITE
    return isinstance(error, OSError)


def is_conflict(error: BaseException) -> bool:
    """Return whether two transactions got in each other's way, and the same again may well succeed."""
    return getattr(_original(error), "sqlstate", None) in _CONFLICTS


def is_connection_lost(error: BaseException) -> bool:
    """Return whether a connection to a server turned out to be dead: another one may well work."""
    if not is_fault_of_database(error) or isinstance(_original(error), sqlite3.Error):
        return False
    state = getattr(_original(error), "sqlstate", None)
    return state is None or state.startswith(_LOST)


def is_surely_undone(error: BaseException) -> bool:
    """Return of an error at COMMIT whether nothing was committed for certain: SQLite had no room, or not its turn."""
    return getattr(_original(error), "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)


def _original(error: BaseException) -> BaseException:
    """Return the driver's error where SQLAlchemy has wrapped it."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def is_of_database(error: BaseException) -> bool:
    """Tell the errors of PEP 249 and of SQLAlchemy from all others; neither need be imported for it."""
    return bool(_names(error) & {"DatabaseError", "InterfaceError", "SQLAlchemyError"})


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


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
