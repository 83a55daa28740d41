import errno
import os
import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from relay.model.errors import StorageFullError
from relay.storage.faults import (
    is_conflict,
    is_fault_of_database,
    is_of_database,
    is_of_source,
    plain_reason,
    storage_error,
    why_unwritable,
)
from tests.peers.machine import require_root


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize(
    ("error", "of_database", "fault"),
    [
        (sqlite3.OperationalError("locked"), True, True),
        (sqlite3.IntegrityError("UNIQUE"), True, False),
        (sqlite3.InterfaceError("odd"), True, False),
        (psycopg.OperationalError("gone"), True, True),
        (psycopg.errors.UniqueViolation("twice"), True, False),
        (OperationalError("SELECT secret", {}, sqlite3.OperationalError("locked")), True, True),
        (OperationalError("SELECT secret", {}, sqlite3.IntegrityError("UNIQUE")), True, False),
        (OSError("no"), False, True),
        (ValueError("no"), False, False),
    ],
)
def test_whose_fault_an_error_is(error: Exception, of_database: bool, fault: bool) -> None:
    assert is_of_database(error) is of_database
    assert is_fault_of_database(error) is fault


def test_a_full_disk_is_told_apart() -> None:
    assert isinstance(storage_error(_full()), StorageFullError)
    assert isinstance(storage_error(OperationalError("x", {}, _full())), StorageFullError)
    assert isinstance(storage_error(psycopg.errors.DiskFull("full")), StorageFullError)
    assert not isinstance(storage_error(sqlite3.OperationalError("locked")), StorageFullError)


def test_what_a_person_can_mend_is_said_without_the_drivers_words(tmp_path: Path) -> None:
    file = tmp_path / "relay.db"
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    said = {str(storage_error(error, place)) for error in (_full(), busy) for place in (file, None)}
    said |= {str(storage_error(psycopg.errors.DiskFull("could not extend file")))}
    assert not any("OperationalError" in text or "DiskFull" in text for text in said)
    assert all("nothing more was changed" in text for text in said)
    assert (
        f"the disk that holds {tmp_path} is full, and nothing more was changed (`df -h {tmp_path}` shows it): free"
        f" space elsewhere on it; delete nothing in {tmp_path} itself; then try again" in said
    )
    assert any(text.startswith(f"{file}: another program is writing into it") for text in said)


def test_a_disk_without_room_for_what_sqlite_needs_beside_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | 19 << 8  # SQLITE_IOERR_SHMSIZE
    assert str(storage_error(error, tmp_path / "relay.db")) == "database: OperationalError: disk I/O error"
    found = os.statvfs(tmp_path)
    full = os.statvfs_result((*found[:3], 0, 0, *found[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _folder: full)
    said = storage_error(error, tmp_path / "relay.db")
    assert isinstance(said, StorageFullError)
    assert str(said).startswith(f"the disk that holds {tmp_path} is full (`df -h {tmp_path}` shows it): free space")


def test_a_server_that_is_not_there_is_told_with_what_to_look_at() -> None:
    said = str(storage_error(psycopg.OperationalError("connection failed: Connection refused")))
    assert said == (
        "the database server (PostgreSQL) can't be reached, or was lost: see whether it runs, where it is"
        " installed: `systemctl status postgresql`; if so, compare host, port, user and password with [storage]"
        " database. What was said: connection failed: Connection refused"
    )


def test_a_conflict_may_be_tried_again() -> None:
    assert is_conflict(psycopg.errors.SerializationFailure("again"))
    assert is_conflict(psycopg.errors.DeadlockDetected("again"))
    assert is_conflict(psycopg.errors.UniqueViolation("another has just made it"))
    assert not is_conflict(psycopg.errors.ForeignKeyViolation("missing"))
    assert not is_conflict(sqlite3.OperationalError("locked"))


def test_neither_statement_nor_parameters_are_said() -> None:
    text = str(storage_error(OperationalError("SELECT secret", {"a": "hunter2"}, sqlite3.OperationalError("locked"))))
    assert text == "database: OperationalError: locked"
    assert str(storage_error(ValueError("hunter2"))) == "database: ValueError"


@pytest.mark.parametrize(
    ("name", "mode", "uid", "advice"),
    [
        ("relay.db", 0o400, 0, "it is of uid 0, with mode 0400: chmod 0600 {}"),
        ("relay.db-wal", 0o040, 0, "it is of uid 0, with mode 0040: chmod 0600 {}"),
        ("relay.db-shm", 0o640, 7, "it is of uid 7, with mode 0640: chown 0 {0} && chmod 0600 {0}"),
        ("relay.db-shm", 0o600, 0, "it is of uid 0, with mode 0600: look at its file system (findmnt -T {0})"),
        ("", 0o500, 0, "it is of uid 0, with mode 0500: chmod 0700 {}"),
        ("", 0o700, 7, "it is of uid 7, with mode 0700: ask as root, or as the owner of the folder, uid 7"),
        ("relay.db", 0o400, 7, "it is of uid 7, with mode 0400: chown 0 {0} && chmod 0600 {0}"),
    ],
)
def test_the_file_that_cant_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int, uid: int, advice: str
) -> None:
    require_root("to give files away")
    data = tmp_path / "data"
    data.mkdir()
    file = data / name
    for path in (data / "relay.db", file):
        path.touch(0o600)
    os.chown(file, uid, uid)
    file.chmod(mode)
    monkeypatch.setattr(os, "access", lambda path, _ways, **_options: Path(path) != file)  # root can write all
    error = sqlite3.OperationalError("attempt to write a readonly database")
    assert str(storage_error(error, data / "relay.db")).startswith("database: OperationalError")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DBMOVED
    said = str(storage_error(OperationalError("x", {}, error), data / "relay.db"))
    assert said.startswith(f"{file}: can't be written: " + advice.format(file))
    assert (why_unwritable(data / "relay.db") is None) is (name == "")
    assert str(storage_error(error)) == "database: OperationalError: attempt to write a readonly database"


def test_a_damaged_database_is_named_with_the_way_back(tmp_path: Path) -> None:
    file = tmp_path / "relay.db"
    for code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        error = sqlite3.DatabaseError("odd")
        error.sqlite_errorcode = code
        said = str(storage_error(error, file))
        assert said.startswith(f"{file}: the database is damaged: stop the service")
        assert "relay restore" in said
        assert str(storage_error(error)).startswith("the database is damaged: ")


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
