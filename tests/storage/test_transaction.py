import pytest
from sqlalchemy import Engine, delete

from relay.storage.account_tables import mailbox
from relay.storage.engine import WriteConnection, transaction
from relay.storage.statement import Many, Parameters, Statement, insert
from relay.storage.transaction import Transaction


def test_what_is_one_databases_own_is_asked_as_text(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        tx.raw("CREATE TEMPORARY TABLE t (x TEXT)")
        tx.raw("INSERT INTO t (x) VALUES (?)", "a%")
        assert list(tx.raw("SELECT x FROM t WHERE x = ?", "a%")) == [("a%",)]
        assert tx.has_table("message")
        assert not tx.has_table("massage")
        assert tx.time() > 1_700_000_000_000 if tx.is_shared else True
        assert (tx.lease_until(1) is not None) == tx.is_shared


def test_a_transaction_knows_whether_it_has_changed_anything(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        assert tx.change(Statement(delete(mailbox))) == 0
        assert not tx.has_changed
        tx.change_each(
            Many.insert(insert(mailbox), "account", "host", "login"), [dict.fromkeys(("account", "host", "login"), "x")]
        )
        assert tx.has_changed


def test_free_pages_go_back_to_the_file_system_in_steps(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        rows = [{"account": f"a{n}", "host": "h", "login": "x" * 4000} for n in range(200)]
        tx.change_each(Many.insert(insert(mailbox), "account", "host", "login"), rows)
    with transaction(engine, write=True) as tx:
        tx.change(Statement(delete(mailbox)))
        if tx.is_shared:
            tx.give_back_space(50)  # it does that by itself
            return
        before = tx.raw("PRAGMA freelist_count")[0][0]
        tx.give_back_space(50)
        assert tx.raw("PRAGMA freelist_count")[0][0] == before - 50 > 0
        tx.give_back_space(10_000)
        assert tx.raw("PRAGMA freelist_count")[0][0] == 0


def test_what_a_writer_sends_is_answered_before_it_is_counted_or_committed(engine: Engine) -> None:
    """On PostgreSQL it waits for no answer in between."""
    rows: list[Parameters] = [{"account": name, "host": "h", "login": "x"} for name in ("a", "b")]
    statement = Many.insert(insert(mailbox), "account", "host", "login")
    connection = WriteConnection(engine)
    tx = connection.begin()
    assert tx.change_each(statement, rows, counted=True) == 2
    connection.rollback()
    tx = connection.begin()
    tx.change_each(statement, rows)
    assert tx.has_changed
    assert tx.change(Statement(delete(mailbox))) == 2
    tx.change_each(statement, rows)
    with pytest.raises(Exception, match=r"(?i)unique"):
        _insert_again(tx, statement, rows)
    connection.abandon()


def _insert_again(tx: Transaction, statement: Many, rows: list[Parameters]) -> None:
    tx.change_each(statement, rows)
    tx.raw("SELECT 1")
