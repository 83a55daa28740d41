"""Files of SQLite are opened in one place, and only as the caller says."""

import sqlite3
from pathlib import Path

import pytest

from relay.storage.sqlite_file import opened_file
from tests.peers.relay_process import ROOT


def test_a_file_is_opened_as_the_mode_says(tmp_path: Path) -> None:
    file = tmp_path / "a name with ? and #.db"
    with pytest.raises(sqlite3.OperationalError), opened_file(file, "rw"):
        pass
    assert not file.exists()
    with opened_file(file, "rwc") as made, made:
        made.execute("CREATE TABLE one (n)")
    with opened_file(file, "ro") as read, pytest.raises(sqlite3.OperationalError, match="readonly"):
        read.execute("INSERT INTO one VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        read.execute("SELECT 1")
    with opened_file(file, "rw") as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with opened_file(file, "ro", immutable=True) as still:
            writer.execute("INSERT INTO one VALUES (1)")
            writer.commit()
            assert still.execute("SELECT count(*) FROM one").fetchone() == (0,)


def test_the_driver_opens_nothing_elsewhere() -> None:
    found = {file.name for file in (ROOT / "relay").rglob("*.py") if "sqlite3.connect(" in file.read_text()}
    assert found == {"engine.py", "sqlite_file.py"}
