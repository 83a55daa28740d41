"""One node polls a mailbox: the right to do so is taken, kept, lost and given back."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from relay.collection import Collector
from relay.collection.lease import Lease
from relay.model.errors import SourceError
from relay.model.maildrop import MessageKey
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.storage.mailboxes import MailboxElsewhereError, Mailboxes
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from tests.peers.dialogue import Dialogue
from tests.peers.relay_process import write_config

IN = "S: +OK\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\nS: +OK\nC: CAPA\nS: -ERR\n"
ONE = IN + "C: LIST\nS: +OK\nS: 1 9\nS: .\nC: UIDL\nS: +OK\nS: 1 a\nS: .\n"


@dataclass
class Nodes:
    """Two nodes on one database, and a way to take a lease from whoever has it."""

    engine: Engine
    writer: Writer
    first: Mailboxes = field(init=False)
    second: Mailboxes = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.second = (Mailboxes(self.engine, self.writer, node=node) for node in ("a", "b"))

    async def take_over(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE mailbox SET lease_until = 1"))
        assert await self.second.acquire("sales", "stolen")

    def is_free(self) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(text("SELECT token = '' FROM mailbox")).scalar_one())


@pytest.fixture
async def nodes(engine: Engine) -> AsyncGenerator[Nodes]:
    writer = Writer(engine)
    yield Nodes(engine, writer)
    await writer.close()


@pytest.fixture
def shared(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite is one process's")


async def test_a_lease_is_given_back_whatever_ends_the_poll(nodes: Nodes) -> None:
    async with Lease(nodes.first, "sales") as lease:
        lease.check()
        await lease.confirm()
        assert not nodes.is_free()
    assert nodes.is_free()
    with pytest.raises(ZeroDivisionError):
        async with Lease(nodes.first, "sales"):
            raise ZeroDivisionError
    assert nodes.is_free()


@pytest.mark.usefixtures("shared")
async def test_a_lease_that_another_has_taken_is_lost(nodes: Nodes) -> None:
    async with Lease(nodes.first, "sales") as lease:
        with pytest.raises(MailboxElsewhereError):
            async with Lease(nodes.second, "sales"):
                pass
        await nodes.take_over()
        with pytest.raises(MailboxElsewhereError):
            await lease.confirm()
        with pytest.raises(MailboxElsewhereError):
            lease.check()
    assert not nodes.is_free()


@pytest.mark.usefixtures("shared")
async def test_who_was_stopped_for_longer_than_the_lease_has_lost_it_without_asking(nodes: Nodes) -> None:
    clock = [1000.0]
    async with Lease(nodes.first, "sales", boottime=lambda: clock[0]) as lease:
        clock[0] += nodes.first.lease / 1000 - 0.001
        lease.check()
        clock[0] += 0.001
        with pytest.raises(MailboxElsewhereError):
            lease.check()
        with pytest.raises(MailboxElsewhereError):
            await lease.confirm()


@pytest.mark.usefixtures("shared")
async def test_a_lease_is_renewed_until_it_is_lost_and_then_the_connection_is_cut(nodes: Nodes) -> None:
    nodes.first.lease = 40
    lost, renewed = asyncio.Event(), asyncio.Event()
    clock = [1000.0]
    renew = nodes.first.renew

    async def note(account: str, token: str) -> bool:
        held = await renew(account, token)
        renewed.set()
        return held

    nodes.first.renew = note  # type: ignore[method-assign]
    async with asyncio.timeout(10), Lease(nodes.first, "sales", boottime=lambda: clock[0]) as lease:
        lease.on_lost = lost.set
        await renewed.wait()
        assert not lost.is_set()
        await nodes.take_over()
        await lost.wait()


def collector_of(nodes: Nodes, mailboxes: Mailboxes, folder: Path, port: int) -> Collector:
    pop3 = {"host": "127.0.0.1", "port": port, "security": "none", "username": "u", "password": "p"}
    account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": pop3}
    settings = load_settings(write_config(folder, accounts=[account]))
    queue = Queue(nodes.engine, nodes.writer)
    return Collector(Runtime(settings=lambda: settings, queue=queue), mailboxes)


async def poll(collector: Collector) -> None:
    await collector.poll(collector._runtime.settings().directory.accounts[0], lambda *_: None)


@pytest.mark.usefixtures("shared")
async def test_two_nodes_never_hold_a_session_with_one_mailbox_at_a_time(nodes: Nodes, tmp_path: Path) -> None:
    listed = asyncio.Event()
    async with Dialogue(IN + "C: LIST\n! silence") as server:
        first, second = (collector_of(nodes, node, tmp_path, server.port) for node in (nodes.first, nodes.second))
        seen = nodes.first.acquire

        async def acquire(account: str, token: str) -> object:
            granted = await seen(account, token)
            listed.set()
            return granted

        nodes.first.acquire = acquire  # type: ignore[method-assign, assignment]
        polling = asyncio.create_task(poll(first))
        await listed.wait()
        with pytest.raises(MailboxElsewhereError):
            await poll(second)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        assert server.connections <= 1
    assert nodes.is_free()


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(("moment", "said"), [("record", []), ("delete", []), ("quit", ["DELE 1"])])
async def test_who_has_lost_the_mailbox_deletes_nothing(
    nodes: Nodes, tmp_path: Path, moment: str, said: list[str]
) -> None:
    """What is marked with DELE stays unless QUIT follows. The server would take both."""
    async with Dialogue(ONE + "C: RETR 1\nS: +OK\nS: one\nS: .\nC: DELE 1\nS: +OK\nC: QUIT\nS: +OK") as server:
        collector = collector_of(nodes, nodes.first, tmp_path, server.port)
        record, renew = nodes.first.record, nodes.first.renew

        async def lose(account: str, token: str, keys: list[MessageKey], **more: Any) -> Mapping[str, str]:  # noqa: ANN401
            if moment == "record":
                await nodes.take_over()
            known = await record(account, token, keys, **more)
            if moment == "delete":
                await nodes.take_over()
            return known

        async def lose_later(account: str, token: str) -> bool:
            held = await renew(account, token)
            if held and moment == "quit":
                await nodes.take_over()
            return held

        nodes.first.record = lose  # type: ignore[method-assign, assignment]
        nodes.first.renew = lose_later  # type: ignore[method-assign]
        with pytest.raises(MailboxElsewhereError):
            await poll(collector)
        assert server.heard[server.heard.index("RETR 1") + 1 :] == said
    assert await nodes.second.renew("sales", "stolen")
    assert (MessageKey("a") in await nodes.second.seen("sales")) == (moment != "record")


async def test_how_a_poll_ended_is_noted_before_the_mailbox_is_given_back(nodes: Nodes, tmp_path: Path) -> None:
    noted, end = [], nodes.first.end

    async def note(account: str, token: str, *, now: int, error: str = "") -> None:
        noted.append((nodes.is_free(), error.partition(":")[0]))
        await end(account, token, now=now, error=error)

    nodes.first.end = note  # type: ignore[method-assign]
    async with Dialogue("S: -ERR busy") as server:
        with pytest.raises(SourceError):
            await poll(collector_of(nodes, nodes.first, tmp_path, server.port))
    async with Dialogue(IN + "C: LIST\nS: +OK\nS: .\nC: UIDL\nS: +OK\nS: .\nC: QUIT\nS: +OK") as server:
        await poll(collector_of(nodes, nodes.first, tmp_path, server.port))
    assert noted == [(False, "connect"), (False, "")]
    assert nodes.is_free()


@pytest.mark.usefixtures("shared")
async def test_who_fails_after_another_took_the_mailbox_says_nothing_of_it(nodes: Nodes, tmp_path: Path) -> None:
    async with Dialogue(IN + "C: LIST\nS: -ERR later") as server:
        collector = collector_of(nodes, nodes.first, tmp_path, server.port)
        end = nodes.first.end

        async def lose(account: str, token: str, *, now: int, error: str = "") -> None:
            await nodes.take_over()
            await nodes.second.end(account, "stolen", now=1)
            await end(account, token, now=now, error=error)

        nodes.first.end = lose  # type: ignore[method-assign]
        with pytest.raises(SourceError, match="later"):
            await poll(collector)
    found = await nodes.second.find("sales")
    assert found is not None
    assert (found.last_ok, found.error) == (1, "")


@pytest.mark.usefixtures("shared")
async def test_who_loses_the_mailbox_while_a_message_comes_stops_at_once(nodes: Nodes, tmp_path: Path) -> None:
    nodes.first.lease = 1000
    async with Dialogue(ONE + "C: RETR 1\nS: +OK\nS: half\n! silence") as server:
        polling = asyncio.create_task(poll(collector_of(nodes, nodes.first, tmp_path, server.port)))
        async with asyncio.timeout(10):
            while "RETR 1" not in server.heard:  # noqa: ASYNC110 - the server has no event
                await asyncio.sleep(0.005)
            await nodes.take_over()
            with pytest.raises(MailboxElsewhereError):
                await polling
