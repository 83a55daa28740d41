import errno
import sqlite3

import pytest

from relay.storage.copy_faults import is_of_source, plain_reason


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "reason", "is_source"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL), "No space left on device: make room there, or name another place", False),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN_ISDIR), "can't be opened: look whether the file", True),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), "the disk gives an error: look at the system's log", False),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), "the file is damaged", True),
        (sqlite_error(sqlite3.SQLITE_BUSY), "is in use by another program: try again", False),
        (sqlite3.OperationalError("whatever"), "whatever", False),
        (sqlite3.OperationalError(), "OperationalError", False),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device: make room there, or", False),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system: name another place", False),
        (OSError(errno.EISDIR, "Is a directory"), "Is a directory", False),
        (OSError(), "OSError", False),
    ],
)
def test_each_fault_is_told_in_words(error: Exception, reason: str, *, is_source: bool) -> None:
    assert plain_reason(error).startswith(reason)
    assert is_of_source(error) is is_source
