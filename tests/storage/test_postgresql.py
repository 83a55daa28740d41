import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from relay.storage.postgresql import connect_arguments
from sqlalchemy import Engine, make_url, text

from relay.model.errors import StorageError
from relay.storage.engine import open_engine, transaction
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from tests.peers.proxy import Proxy
from tests.storage.conftest import new_mail

URL = make_url("postgresql://relay@db.example/relay")


def test_a_peer_that_is_gone_is_noticed_and_the_server_gives_up_before_we_do() -> None:
    said = connect_arguments(URL, patience=20.0, prepared=True)
    assert (said["connect_timeout"], said["tcp_user_timeout"], said["keepalives"]) == (10, 15_000, 1)
    assert said["options"].startswith("-c statement_timeout=15000 ")
    assert "statement_timeout" not in connect_arguments(URL, patience=None, prepared=True)["options"]


def test_what_stands_in_the_url_is_left_to_it() -> None:
    url = make_url("postgresql://db.example/relay?connect_timeout=3&options=-csearch_path%3Dx")
    assert not {"connect_timeout", "options"} & connect_arguments(url, patience=20.0, prepared=True).keys()


def test_behind_a_pooler_nothing_belongs_to_one_server_process() -> None:
    said = connect_arguments(URL, patience=20.0, prepared=False)
    assert said["prepare_threshold"] is None
    assert "options" not in said


@pytest.mark.parametrize("prepared", [True, False])
async def test_statements_are_prepared_unless_there_is_a_pooler(postgresql_tables: str, prepared: bool) -> None:
    engine = open_engine(postgresql_tables, prepared_statements=prepared)
    queue = Queue(engine, Writer(engine))
    for _ in range(8):
        await queue.accept(new_mail())
        await queue.next_due()
    with transaction(engine, write=False) as tx:
        for _ in range(8):
            found = tx.rows("SELECT count(*) FROM pg_prepared_statements")
    assert (found[0][0] > 0) is prepared
    await queue.close()
    engine.dispose()


@contextmanager
def behind_a_proxy(url: str) -> Generator[tuple[Proxy, str]]:
    """A proxy before the server, in a loop of its own: what is tested may block."""
    folder = str(make_url(url).query["host"])
    (socket,) = [str(path) for path in Path(folder).glob(".s.PGSQL.*") if path.suffix != ".lock"]
    loop, proxy = asyncio.new_event_loop(), Proxy(socket)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
    try:
        yield (
            proxy,
            make_url(url).set(query={}, host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False),
        )
    finally:
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ask_what_falls_silent(engine: Engine, proxy: Proxy) -> None:
    with transaction(engine, write=False) as tx:
        assert tx.rows("SELECT 1") == [(1,)]
        proxy.fall_silent()
        tx.rows("SELECT 1")


def test_a_server_that_falls_silent_is_given_up(postgresql_tables: str) -> None:
    with behind_a_proxy(postgresql_tables) as (proxy, url):
        engine = open_engine(url, patience=0.3)
        begun = time.monotonic()
        with pytest.raises(StorageError, match=r"no answer for 0\.3 seconds"):
            ask_what_falls_silent(engine, proxy)
        assert time.monotonic() - begun < 5
        proxy.speak_again()
        with transaction(engine, write=False) as tx:
            assert tx.rows("SELECT 1") == [(1,)]
        engine.dispose()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_a_client_of_a_silent_server_is_told_to_come_again_and_what_was_begun_is_found_out(
    postgresql_tables: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.storage.queue.PATIENCE", 0.4)
    with behind_a_proxy(postgresql_tables) as (proxy, url):
        silent = open_engine(url, patience=1.0)
        queue = Queue(silent, Writer(silent))
        first, second, third = new_mail(), new_mail(), new_mail()
        await queue.accept(first)
        proxy.fall_silent()
        begun = asyncio.create_task(queue.accept(second))
        await asyncio.sleep(0.1)
        said = await asyncio.gather(begun, queue.accept(third), return_exceptions=True)
        assert [isinstance(one, StorageError) for one in said] == [True, True]
        proxy.speak_again()
        fourth = new_mail()
        monkeypatch.setattr("relay.storage.queue.PATIENCE", 20.0)
        await queue.accept(fourth)
        with engine.connect() as connection:
            found = set(connection.execute(text("SELECT id FROM message")).scalars())
        # Who was not begun is not there; the one that was begun may be.
        assert {first.message.id, fourth.message.id} <= found
        assert third.message.id not in found
        await queue.close()
        silent.dispose()
