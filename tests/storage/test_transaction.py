from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.storage.engine import open_engine, transaction


def test_lists_and_numbers_reach_the_database(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.change("CREATE TEMPORARY TABLE t (x TEXT)")
        tx.change_each("INSERT INTO t (x) VALUES (?)", [("a",), ("b?%",), ("c",)])
        tx.change_each("INSERT INTO t (x) VALUES (?)", [])
        assert tx.change("UPDATE t SET x = ? WHERE x {any}", "z", ["a", "b?%"]) == 2
        assert [row[0] for row in tx.rows("SELECT x FROM t WHERE x {any} ORDER BY x", ["z", "c"])] == ["c", "z", "z"]
        assert tx.rows("SELECT x FROM t WHERE x {any}", []) == []
        assert tx.time() > 1_700_000_000_000 if tx.is_shared else True
        assert (tx.lease_until(1) is not None) == tx.is_shared


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 100])
def test_many_rows_are_written_whatever_their_number(tmp_path: Path, count: int) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'r.db'}")
    rows = [(n, f"({n})") for n in range(count)]
    change = (
        "WITH new (a, b) AS (VALUES (CAST(? AS integer), CAST(? AS text)))"
        " UPDATE t SET b = new.b FROM new WHERE t.a = new.a"
    )
    with transaction(engine, write=True) as tx:
        tx.change("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        tx.change_each("INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT DO NOTHING", rows + rows[:1])
        tx.change_each(change, [(a, f"new {b}") for a, b in rows])
        assert tx.rows("SELECT a, b FROM t ORDER BY a") == [(a, f"new {b}") for a, b in rows]
    engine.dispose()


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
