import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from relay.model.errors import StorageError
from relay.storage.engine import WriteConnection, open_engine, transaction
from relay.storage.lock import database_name


def test_a_new_sqlite_file_is_its_owners_alone_and_durable(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
    with engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "auto_vacuum", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "auto_vacuum": 2, "foreign_keys": 1}
    assert (tmp_path / "relay.db").stat().st_mode & 0o777 == 0o600
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:////nowhere/at/all.db"]
)
def test_what_is_no_database_of_ours_is_refused_with_a_clear_text(url: str) -> None:
    with pytest.raises(StorageError) as error:
        open_engine(url)
    assert "\n" not in str(error.value)


def test_to_open_the_file_once_more_leaves_the_locks_that_keep_its_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/relay.db"
    first = open_engine(url)
    with transaction(first, write=True) as tx:
        tx.raw("CREATE TABLE t (a INTEGER)")
    open_engine(url).dispose()
    look = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(*db.execute('SELECT * FROM t')); db.close()"

    def look_elsewhere() -> str:
        return subprocess.check_output([sys.executable, "-c", look, tmp_path / "relay.db"], text=True)

    assert look_elsewhere() == "\n"
    with transaction(first, write=True) as tx:
        tx.raw("INSERT INTO t VALUES (1)")
    assert look_elsewhere() == "(1,)\n"
    first.dispose()


def test_a_transaction_that_raises_keeps_nothing(engine: Engine) -> None:
    with pytest.raises(StorageError):
        break_off(engine)
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT * FROM mailbox") == []


def break_off(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.raw("INSERT INTO mailbox (account, host, login) VALUES ('a', 'b', 'c')")
        tx.raw("SELECT * FROM missing")


def test_a_command_opens_the_file_that_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a b?.db'}".replace("?", "%3F")
    open_engine(url).connect().close()
    engine = open_engine(url, create=False)
    assert database_name(engine.url) == tmp_path / "a b?.db"
    with transaction(engine, write=True) as tx:
        assert not tx.has_table("t")
        tx.raw("CREATE TABLE t (a INTEGER)")
    with pytest.raises(StorageError), transaction(engine, write=True) as tx:  # noqa: PT012 - the first change is undone
        tx.raw("INSERT INTO t VALUES (1)")
        tx.raw("DELETE FROM u")
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT count(*) FROM t") == [(0,)]


def test_a_reader_need_not_wait_for_who_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    engine = open_engine(url)
    with transaction(engine, write=True) as tx:
        tx.raw("CREATE TABLE t (a INTEGER)")
    assert auto_vacuum(tmp_path / "relay.db") == 2
    with transaction(engine, write=True) as writer:
        writer.raw("INSERT INTO t VALUES (1)")
        begun = time.monotonic()
        for database in (open_engine(url, create=False), open_engine(url)):
            with transaction(database, write=False) as tx:
                assert tx.raw("SELECT count(*) FROM t") == [(0,)]
            database.dispose()
        assert time.monotonic() - begun < 5  # a write has 10 seconds
    engine.dispose()


def auto_vacuum(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA auto_vacuum").fetchone()[0])


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    file = open_engine(f"sqlite:///{tmp_path / 'none.db'}", create=False)
    with pytest.raises(StorageError, match="unable to open"), transaction(file, write=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_synced_is_synced_with_the_next_that_is(engine: Engine) -> None:
    connection = WriteConnection(engine)
    modes = []
    for synced in (False, True, False):
        tx = connection.begin(synced=synced)
        mode = "SHOW synchronous_commit" if tx.is_shared else "PRAGMA synchronous"
        modes.append(str(tx.raw(mode)[0][0]))
        connection.commit()
    connection.abandon()
    assert modes in (["1", "2", "1"], ["off", "on", "off"])
