"""Group commit: what one bad write, a failed commit, a caller who leaves, and the end of the thread do."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, text, update
from structlog.testing import capture_logs

from relay.model.errors import NotFoundError, StorageError
from relay.storage.committer import Operation
from relay.storage.engine import WriteConnection
from relay.storage.statement import Many, Statement, insert
from relay.storage.transaction import Transaction
from relay.storage.writer import MOST_WRITES, Writer

pytestmark = pytest.mark.usefixtures("table")


@pytest.fixture
def table(engine: Engine) -> Generator[None]:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER PRIMARY KEY, y INTEGER)"))
        connection.execute(text("CREATE TABLE u (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)"))
    yield
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE u"))
        connection.execute(text("DROP TABLE t"))


T = Table("t", MetaData(), Column("x", Integer), Column("y", Integer))
INTO_T = Many.insert(insert(T))
INTO_U = Many.insert(insert(Table("u", MetaData(), Column("x", Integer))))
batches: list[int] = []


def _insert(tx: Transaction, numbers: Sequence[int]) -> list[int]:
    batches.append(len(numbers))
    tx.change_each(INTO_T, [{"x": n, "y": n} for n in numbers])
    return [n * 10 for n in numbers]


def _break_commit(tx: Transaction, numbers: Sequence[int]) -> list[None]:
    tx.change_each(INTO_U, [{"x": n} for n in numbers])
    return [None] * len(numbers)


def _raise(_tx: Transaction, _numbers: Sequence[int]) -> list[None]:
    raise NotFoundError("nothing there")


INSERT = Operation(1, _insert)
BREAK_COMMIT = Operation(2, _break_commit)
RAISE = Operation(3, _raise)


def rows(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT x FROM t")).scalars())


async def test_many_writes_share_a_commit_and_each_gets_its_result(engine: Engine) -> None:
    writer = Writer(engine)
    batches.clear()
    assert await asyncio.gather(*(writer.run(INSERT, n) for n in range(300))) == [n * 10 for n in range(300)]
    assert len(batches) < 20
    assert max(batches) <= MOST_WRITES
    await writer.close()
    assert rows(engine) == set(range(300))


async def test_a_bad_write_fails_alone(engine: Engine) -> None:
    writer = Writer(engine)
    await writer.run(INSERT, 7)
    results = await asyncio.gather(*(writer.run(INSERT, n) for n in (5, 6, 7, 8)), return_exceptions=True)
    assert results[:2] + results[3:] == [50, 60, 80]
    assert isinstance(results[2], StorageError)
    await writer.close()
    assert rows(engine) == {5, 6, 7, 8}


async def test_an_error_of_ours_is_the_callers(engine: Engine) -> None:
    writer = Writer(engine)
    good, bad = asyncio.create_task(writer.run(INSERT, 1)), asyncio.create_task(writer.run(RAISE, 1))
    assert await good == 10
    with pytest.raises(NotFoundError):
        await bad
    await writer.close()


async def test_a_failed_commit_fails_all_of_its_batch_and_nothing_is_kept(engine: Engine) -> None:
    writer = Writer(engine)
    results = await asyncio.gather(writer.run(INSERT, 1), writer.run(BREAK_COMMIT, 99), return_exceptions=True)
    assert all(isinstance(result, StorageError) and "COMMIT" in str(result) for result in results)
    assert rows(engine) == set()
    assert await writer.run(INSERT, 2) == 20
    await writer.close()


async def test_a_caller_that_leaves_does_not_cancel_the_write(engine: Engine) -> None:
    writer = Writer(engine)
    caller = asyncio.create_task(writer.run(INSERT, 1))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await writer.run(INSERT, 2)
    await writer.close()
    assert rows(engine) == {1, 2}


async def test_a_closed_writer_finishes_what_waits_and_takes_no_more(engine: Engine) -> None:
    writer = Writer(engine)
    waiting = asyncio.gather(*(writer.run(INSERT, n) for n in range(10)))
    await asyncio.sleep(0)
    await writer.close()
    assert len(await waiting) == 10
    with pytest.raises(StorageError, match="closed"):
        await writer.run(INSERT, 11)


class _Death(BaseException):
    """What no write should ever raise."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_the_death_of_the_thread_is_told_to_all_who_wait(engine: Engine) -> None:
    def die(_tx: Transaction, _arguments: Sequence[int]) -> list[None]:
        raise _Death

    writer = Writer(engine)
    results = await asyncio.gather(writer.run(Operation(9, die), 1), writer.run(INSERT, 1), return_exceptions=True)
    assert all(isinstance(result, StorageError) for result in results)
    await asyncio.wait_for(writer.dead.wait(), 5)
    with pytest.raises(StorageError):
        await writer.run(INSERT, 2)
    await writer.close()


async def test_no_data_is_in_an_error(engine: Engine) -> None:
    def insert_text(tx: Transaction, texts: Sequence[str]) -> list[None]:
        for _ in range(2):
            tx.change_each(INTO_T, [{"x": 1, "y": secret} for secret in texts])
        return [None] * len(texts)

    writer = Writer(engine)
    with pytest.raises(StorageError) as error:
        await writer.run(Operation(1, insert_text), "4711")
    assert "4711" not in str(error.value)
    assert error.value.__cause__ is None
    await writer.close()


async def test_a_query_that_fails_is_told_and_the_thread_lives(engine: Engine) -> None:
    writer = Writer(engine)

    def ask_for_what_is_missing(tx: Transaction, _numbers: Sequence[int]) -> list[None]:
        tx.raw("SELECT * FROM missing")
        return []

    broken = Operation(1, ask_for_what_is_missing)
    for _ in range(2):
        with pytest.raises(StorageError):
            await writer.run(broken, 1)
    await writer.run(INSERT, 1)
    await writer.close()


class _Connections:
    """Lets COMMITs lose their answers: `effects` tells of each that is to come whether it takes effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *effects: bool) -> None:
        self.left = list(effects)
        commit = WriteConnection.commit

        def lossy(connection: WriteConnection) -> None:
            if not self.left:
                commit(connection)
            elif self.left.pop(0):
                commit(connection)
                raise sqlite3.OperationalError("the answer is lost")
            else:
                connection._driver.rollback()
                raise sqlite3.OperationalError("the answer is lost")

        monkeypatch.setattr(WriteConnection, "commit", lossy)


@pytest.mark.parametrize("effects", [[True], [False], [False, True], [False, False]])
async def test_a_commit_whose_answer_is_lost_is_found_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, effects: list[bool]
) -> None:
    writer = Writer(engine)
    await writer.run(INSERT, 1)
    _Connections(monkeypatch, *effects)
    # INSERT twice would be an IntegrityError: it is run again only where it did not take effect.
    assert await writer.run(INSERT, 2) == 20
    assert rows(engine) == {1, 2}
    await writer.close()


async def test_where_the_database_never_answers_the_batch_fails(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(engine)
    await writer.run(INSERT, 1)
    _Connections(monkeypatch, True)

    def silent(_connection: WriteConnection) -> None:
        raise sqlite3.OperationalError("it does not answer")

    monkeypatch.setattr(WriteConnection, "rollback", silent)
    monkeypatch.setattr("relay.storage.committer.FIND_OUT", 0.0)
    monkeypatch.setattr("relay.storage.committer.FIND_OUT_FROM_FILE", 0.0)
    with capture_logs() as lines, pytest.raises(StorageError, match="COMMIT failed"):
        await writer.run(INSERT, 2)
    assert [line["took_effect"] for line in lines if line["event"] == "commit_in_doubt"] == [None]
    await writer.close()


async def test_a_write_that_has_not_begun_is_withdrawn_when_its_time_is_over(engine: Engine) -> None:
    writer, gate = Writer(engine), threading.Event()

    def wait(_tx: Transaction, numbers: Sequence[int]) -> list[bool]:
        return [gate.wait(10)] * len(numbers)

    waits = Operation(9, wait)
    first = asyncio.create_task(writer.run(waits, 1))
    await asyncio.sleep(0.02)
    with pytest.raises(StorageError, match=r"does not answer within 0.01 s\Z"):
        await writer.run(INSERT, 7, patience=0.01)
    slow = asyncio.create_task(writer.run(waits, 1, patience=0.01))
    gate.set()
    await asyncio.gather(first, slow, return_exceptions=True)
    await writer.close()
    assert rows(engine) == set()


async def test_a_writer_leaves_no_name_behind(engine: Engine) -> None:
    writer = Writer(engine)
    await writer.run(INSERT, 1)
    await writer.close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM meta WHERE key LIKE 'batch/%'")).scalar_one() == 0


async def test_what_changes_nothing_writes_nothing(engine: Engine, count: Callable[[str], int]) -> None:
    def look(tx: Transaction, numbers: Sequence[int]) -> list[int]:
        tx.change(Statement(update(T).values(y=1).where(T.c.x == 4711)))
        return [row[0] for _ in numbers for row in tx.raw("SELECT count(*) FROM t")]

    writer = Writer(engine)
    before = count("meta")
    assert await writer.run(Operation(1, look), 1) == 0
    assert count("meta") == before
    await writer.run(INSERT, 1)
    assert count("meta") == before + 1
    await writer.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_a_connection_that_died_while_nothing_was_written_is_replaced(engine: Engine) -> None:
    writer = Writer(engine)
    await writer.run(INSERT, 1)
    with engine.connect() as connection:
        connection.execute(text(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ))  # fmt: skip
    assert await writer.run(INSERT, 2) == 20
    await writer.close()


async def test_a_writer_that_stands_still_gives_no_answer_and_one_that_fails_does(engine: Engine) -> None:
    writer = Writer(engine)
    await writer.answer()
    begun, go_on = threading.Event(), threading.Event()

    def stand_still(_tx: Transaction, arguments: Sequence[None]) -> list[None]:
        begun.set()
        go_on.wait()
        return [None] * len(arguments)

    blocked = writer.submit(Operation(1, stand_still), None)
    await asyncio.to_thread(begun.wait)
    answer = asyncio.create_task(writer.answer())
    done, _ = await asyncio.wait([answer], timeout=0.05)
    assert not done
    go_on.set()
    await asyncio.gather(blocked, answer)
    await writer.close()
    with pytest.raises(StorageError, match="closed"):
        await writer.answer()


async def test_a_question_is_answered_before_the_commit_that_writes_beside_it_wait_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, go_on = WriteConnection.commit, threading.Event()

    def wait(connection: WriteConnection) -> None:
        go_on.wait(10)
        commit(connection)

    monkeypatch.setattr(WriteConnection, "commit", wait)
    writer = Writer(engine)
    written = writer.submit(Operation(2, _insert), 1)
    asked = writer.submit(Operation(1, lambda _tx, numbers: [n + 1 for n in numbers], asks=True), 4)
    assert await asked == 5
    assert not written.done()
    go_on.set()
    assert await written == 10
    await writer.close()
