from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from relay.model.errors import StorageError
from relay.storage.engine import open_engine, transaction


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


def test_lists_and_numbers_reach_the_database(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change("CREATE TEMPORARY TABLE t (x TEXT)")
        tx.change_each("INSERT INTO t (x) VALUES (?)", [("a",), ("b?%",), ("c",)])
        tx.change_each("INSERT INTO t (x) VALUES (?)", [])
        assert tx.change("UPDATE t SET x = ? WHERE x {any}", "z", ["a", "b?%"]) == 2
        assert [row[0] for row in tx.rows("SELECT x FROM t WHERE x {any} ORDER BY x", ["z", "c"])] == ["c", "z", "z"]
        assert tx.rows("SELECT x FROM t WHERE x {any}", []) == []
        assert tx.time() > 1_700_000_000_000 if tx.is_shared else True
        assert (tx.lease_until() is not None) == tx.is_shared


def test_a_transaction_that_raises_keeps_nothing(engine: Engine) -> None:
    with pytest.raises(StorageError):
        break_off(engine)
    with transaction(engine, write=False) as tx:
        assert tx.rows("SELECT * FROM mailbox") == []


def break_off(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change("INSERT INTO mailbox (account, host, login) VALUES ('a', 'b', 'c')")
        tx.rows("SELECT * FROM missing")


def test_free_pages_go_back_to_the_file_system_in_steps(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change_each("INSERT INTO mailbox (account, host, login) VALUES (?, 'h', ?)",
                       [(f"a{n}", "x" * 4000) for n in range(200)])  # fmt: skip
    with transaction(engine, write=True) as tx:
        tx.change("DELETE FROM mailbox")
        if tx.is_shared:
            tx.give_back_space(50)  # it does that by itself
            return
        before = tx.rows("PRAGMA freelist_count")[0][0]
        tx.give_back_space(50)
        assert tx.rows("PRAGMA freelist_count")[0][0] == before - 50 > 0
        tx.give_back_space(10_000)
        assert tx.rows("PRAGMA freelist_count")[0][0] == 0
