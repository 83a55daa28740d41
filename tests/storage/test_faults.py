import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from relay.model.errors import StorageFullError
from relay.storage.faults import is_conflict, is_fault_of_database, is_of_database, storage_error


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
