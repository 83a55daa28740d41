"""What an error of the database means: whose fault it is, and what may be said of it.

Errors are told apart by their names (PEP 249), whether SQLAlchemy has wrapped them or not: neither need be imported.
"""

import sqlite3
from typing import Final

from relay.model.errors import StorageError, StorageFullError

_FAULTS_OF_THE_WRITE = {"IntegrityError", "DataError", "ProgrammingError", "InterfaceError", "NotSupportedError"}
"""Errors (PEP 249) that speak of one write, not of the database."""
_DISK_FULL = "53100"
"""SQLSTATE of a full disk."""
_CONFLICTS = ("40001", "40P01", "23505")
"""SQLSTATE of a serialization failure, a deadlock, and a row that another has just made: the same again may succeed."""
_LOST: Final = ("08", "57P")
"""How the SQLSTATE begins where the connection is lost."""


def storage_error(error: BaseException) -> StorageError:
    """Make an error of ours of one of the driver's; no parameter, hence no text of a mail, is in it."""
    original = _original(error)
    if not is_of_database(error):
        return StorageError(f"database: {type(original).__name__}")
    # PostgreSQL's DETAIL shows whole rows; its first line does not.
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    text = primary or next(iter(str(original).splitlines()), "")
    full = getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    full = full or getattr(original, "sqlstate", None) == _DISK_FULL
    return (StorageFullError if full else StorageError)(f"database: {type(original).__name__}: {text}")


def is_fault_of_database(error: BaseException) -> bool:
    """Tell whether the database failed, so that no write could succeed, rather than refused one write."""
    if is_of_database(error):
        return not _names(_original(error)) & _FAULTS_OF_THE_WRITE
    return isinstance(error, OSError)


def is_conflict(error: BaseException) -> bool:
    """Tell whether two transactions got in each other's way, and the same again may well succeed."""
    return getattr(_original(error), "sqlstate", None) in _CONFLICTS


def is_connection_lost(error: BaseException) -> bool:
    """Tell whether a connection to a server turned out to be dead: another one may well work."""
    if not is_fault_of_database(error) or isinstance(_original(error), sqlite3.Error):
        return False
    state = getattr(_original(error), "sqlstate", None)
    return state is None or state.startswith(_LOST)


def is_surely_undone(error: BaseException) -> bool:
    """Tell of an error at COMMIT whether nothing was committed for certain: SQLite had no room, or not its turn."""
    return getattr(_original(error), "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)


def _original(error: BaseException) -> BaseException:
    """Give the driver's error where SQLAlchemy has wrapped it."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def is_of_database(error: BaseException) -> bool:
    """Tell the errors of PEP 249 and of SQLAlchemy from all others; neither need be imported for it."""
    return bool(_names(error) & {"DatabaseError", "InterfaceError", "SQLAlchemyError"})


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
