"""A PostgreSQL that says nothing any more: clients are asked to come again, and what was begun is found out."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from relay.model.errors import StorageError
from relay.storage import queue as queue_module
from relay.storage.engine import open_engine, transaction
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from tests.peers.machine import Loop
from tests.peers.proxy import Proxy
from tests.storage.conftest import new_mail


@contextmanager
def behind_a_proxy(url: str) -> Generator[tuple[Proxy, str]]:
    """A proxy before the server, in a loop of its own: what is tested may block."""
    folder = str(make_url(url).query["host"])
    (socket,) = [str(path) for path in Path(folder).glob(".s.PGSQL.*") if path.suffix != ".lock"]
    proxy = Proxy(socket)
    with Loop() as loop:
        loop.run(proxy.__aenter__())
        before = make_url(url).set(query={}, host="127.0.0.1", port=proxy.port)
        try:
            yield proxy, before.render_as_string(hide_password=False)
        finally:
            loop.run(proxy.__aexit__())


def ask_what_falls_silent(engine: Engine, proxy: Proxy) -> None:
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT 1") == [(1,)]
        proxy.fall_silent()
        tx.raw("SELECT 1")


def test_a_server_that_falls_silent_is_given_up(postgresql_tables: str) -> None:
    with behind_a_proxy(postgresql_tables) as (proxy, url):
        engine = open_engine(url, patience=0.3)
        with pytest.raises(StorageError, match=r"no answer for 0\.3 seconds"):
            ask_what_falls_silent(engine, proxy)
        proxy.speak_again()
        with transaction(engine, write=False) as tx:
            assert tx.raw("SELECT 1") == [(1,)]
        engine.dispose()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_a_client_of_a_silent_server_is_told_to_come_again(
    postgresql_tables: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with behind_a_proxy(postgresql_tables) as (proxy, url):
        silent = open_engine(url, patience=1.0)
        queue = Queue(silent, Writer(silent))
        first, begun, waiting, last = (new_mail() for _ in range(4))
        await queue.accept(first)
        proxy.fall_silent()
        monkeypatch.setattr(queue_module, "PATIENCE", 0.4)
        one = asyncio.create_task(queue.accept(begun))
        await asyncio.sleep(0.1)
        said = await asyncio.gather(one, queue.accept(waiting), return_exceptions=True)
        assert [isinstance(error, StorageError) for error in said] == [True, True]
        proxy.speak_again()
        monkeypatch.setattr(queue_module, "PATIENCE", 20.0)
        await queue.accept(last)
        with engine.connect() as connection:
            found = set(connection.execute(text("SELECT id FROM message")).scalars())
        # Who had not begun is not there; the one that had may be.
        assert {first.message.id, last.message.id} <= found
        assert waiting.message.id not in found
        await queue.close()
        silent.dispose()


def test_a_plan_that_was_made_for_small_tables_reads_none_whole_later(postgresql_tables: str) -> None:
    engine = open_engine(postgresql_tables, patience=5.0)
    with transaction(engine, write=False) as tx:
        for wanted, step in (("id", "Index"), ("client", "Seq Scan")):  # by no index: there is no other way
            plan = tx.raw(f"EXPLAIN SELECT 1 FROM message WHERE {wanted} = 'x'")
            assert step in plan[0][0]
    engine.dispose()


@pytest.mark.parametrize("prepared", [True, False])
async def test_statements_are_prepared_unless_there_is_a_pooler(postgresql_tables: str, prepared: bool) -> None:
    engine = open_engine(postgresql_tables, prepared_statements=prepared)
    queue = Queue(engine, Writer(engine))
    for _ in range(8):
        await queue.accept(new_mail())
        await queue.next_due()
    with transaction(engine, write=False) as tx:
        for _ in range(8):
            found = tx.raw("SELECT count(*) FROM pg_prepared_statements")
    assert (found[0][0] > 0) is prepared
    await queue.close()
    engine.dispose()
