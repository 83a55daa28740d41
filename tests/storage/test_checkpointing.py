"""SQLite's log is copied beside the writer, begins anew under load, and stands in nobody's way."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.storage import meta
from relay.storage.checkpointing import Checkpointer
from relay.storage.committer import Operation
from relay.storage.engine import WriteConnection, open_engine, transaction
from relay.storage.transaction import Transaction
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer

MB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def database(file: Path) -> Engine:
    engine = open_engine(f"sqlite:///{file}")
    prepare_database(engine)
    return engine


def _log(file: Path) -> int:
    """Return the highest size that the log has had since it was made."""
    return file.with_name(f"{file.name}-wal").stat().st_size


def _write(tx: Transaction, bodies: Sequence[tuple[str, str]]) -> list[None]:
    for key, body in bodies:
        meta.write(tx, key, body)
    return [None for _ in bodies]


WRITE = Operation(1, _write, synced=False)


async def _fill(database: Engine, count: int, octets: int) -> None:
    writer = Writer(database)
    for n in range(count):
        await writer.run(WRITE, (f"said/{n % 8}", f"{n:08d}" + "x" * octets), octets=octets)
    await writer.close()


async def test_the_log_of_many_small_commits_begins_anew(database: Engine, file: Path) -> None:
    with database.connect():  # the last one that leaves takes the log away
        await _fill(database, 1_000, 4_000)
        assert _log(file) < 12 * MB
        with transaction(database, write=False) as tx:
            assert str(meta.read(tx, "said/7")).startswith("00000999")


async def test_the_log_of_large_bodies_begins_anew(database: Engine, file: Path) -> None:
    with database.connect():
        await _fill(database, 250, MB // 2)
        assert _log(file) < 80 * MB


async def test_a_reader_of_an_older_state_loses_nothing_and_holds_nobody_up(database: Engine) -> None:
    await _fill(database, 8, 10)
    with transaction(database, write=False) as tx:
        before = meta.read(tx, "said/7")
        await asyncio.wait_for(_fill(database, 200, 100_000), 60)
        assert meta.read(tx, "said/7") == before
    with transaction(database, write=False) as tx:
        assert str(meta.read(tx, "said/7")).startswith("00000199")


def test_a_copy_that_fails_is_made_up_for_by_the_next_one(database: Engine) -> None:
    writing = WriteConnection(database)
    checkpointer = Checkpointer(database)
    tx = writing.begin()
    meta.write(tx, "said/a", "b")
    checkpointer.committed(writing, 100 * MB)
    checkpointer.committed(writing, 100 * MB)  # by this connection, which SQLite refuses within a transaction
    writing.commit()
    checkpointer.committed(writing, 100 * MB)
    checkpointer.committed(writing, 100 * MB)
    checkpointer.close()
    with transaction(database, write=False) as other:
        assert meta.read(other, "said/a") == "b"
    with database.connect() as third:
        busy, log, copied = third.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, log) == (0, copied)


def test_the_writers_commits_copy_nothing_themselves(database: Engine) -> None:
    assert WriteConnection(database).begin().raw("PRAGMA wal_autocheckpoint") == [(0,)]
