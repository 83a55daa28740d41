import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from sqlalchemy import Engine, text

from relay.model.maildrop import Mailbox, MessageKey, Seen
from relay.storage.mailboxes import MailboxElsewhereError, Mailboxes
from relay.storage.writer import Writer
from tests.storage.conftest import NOW

HOST = ["one.example"]
A, B, C, OLD, THREE = (MessageKey(uid) for uid in ("a", "b", "c", "old", "three"))


def box(hosts: Sequence[str], login: str) -> Mailbox:
    return Mailbox(hosts=tuple(hosts), login=login, folders={"": ""})


@pytest.fixture
async def writer(engine: Engine) -> AsyncGenerator[Writer]:
    writer = Writer(engine)
    yield writer
    await writer.close()


async def test_a_mailbox_that_begins_anew_forgets_what_was_seen(engine: Engine, writer: Writer) -> None:
    mailboxes = Mailboxes(engine, writer)
    assert await mailboxes.find("sales") is None
    assert await mailboxes.acquire("sales", "t")
    await mailboxes.begin("sales", "t", box(HOST, "u"), is_new=True, skip=[OLD], now=NOW)
    await mailboxes.record("sales", "t", [A, B], now=NOW + 1)
    await mailboxes.record("sales", "t", [A], now=NOW + 9)
    seen = {
        OLD: Seen(first_seen=NOW, fetched=False), A: Seen(first_seen=NOW + 1), B: Seen(first_seen=NOW + 1),
    }  # fmt: skip
    assert await mailboxes.seen("sales") == seen
    assert await mailboxes.seen("other") == {}
    await mailboxes.begin("sales", "t", box([*HOST, "two.example"], "U"), is_new=False, now=NOW)
    assert await mailboxes.seen("sales") == seen
    await mailboxes.begin("sales", "t", box(["three.example"], "u"), is_new=True, now=NOW)
    assert await mailboxes.seen("sales") == {}
    assert await mailboxes.find("sales") == Mailbox(hosts=("three.example",), login="u", folders={"": ""})


async def test_listings_and_ends_are_noted(engine: Engine, writer: Writer) -> None:
    mailboxes = Mailboxes(engine, writer)
    assert await mailboxes.acquire("sales", "t")
    await mailboxes.end("sales", "t", now=NOW, error="connect: refused\x00")
    known = await mailboxes.find("sales")
    assert known is not None
    assert known.error == "connect: refused\ufffd"
    await mailboxes.begin("sales", "t", box(HOST, "u"), is_new=True, now=NOW)
    await mailboxes.record("sales", "t", [A, B, C], now=NOW)
    await mailboxes.note_listing("sales", "t", gone=[A, B], back=(), forget=(), now=NOW + 5)
    await mailboxes.note_listing("sales", "t", gone=(), back=[B], forget=[A], now=NOW + 6)
    assert await mailboxes.seen("sales") == {
        B: Seen(first_seen=NOW),
        C: Seen(first_seen=NOW),
    }
    await asyncio.gather(
        mailboxes.end("sales", "t", now=NOW + 7),
        mailboxes.note_listing("sales", "t", gone=(), back=(), forget=(), now=NOW),
    )
    ended = await mailboxes.find("sales")
    assert ended is not None
    assert (ended.last_ok, ended.error) == (NOW + 7, "")


async def test_one_node_has_a_mailbox_until_it_gives_it_back_or_its_lease_is_over(
    engine: Engine, writer: Writer
) -> None:
    shared = engine.dialect.name == "postgresql"
    a, b = (Mailboxes(engine, writer, node=node) for node in ("a", "b"))
    assert await a.acquire("sales", "a1")
    assert a.is_shared == shared
    if shared:  # with SQLite there is no other node: what holds it died
        assert not await b.acquire("sales", "b1")
    assert await b.acquire("other", "b2")
    await a.release("sales", "wrong")
    assert await a.renew("sales", "a1")
    await a.release("sales", "a1")
    assert await b.acquire("sales", "b1")
    assert not await a.renew("sales", "a1")
    if shared:
        assert not await a.acquire("sales", "a2")
        _end_lease(engine)
    assert await a.acquire("sales", "a2")
    assert not await b.renew("sales", "b1")


async def test_a_node_that_began_anew_takes_its_own_mailboxes_at_once(engine: Engine, writer: Writer) -> None:
    assert await Mailboxes(engine, writer, node="a").acquire("sales", "a1")
    again = Mailboxes(engine, writer, node="a")
    assert await again.acquire("sales", "a2")
    assert not await again.renew("sales", "a1")


async def test_of_many_nodes_one_gets_a_mailbox(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite is one process's")
    writers = [Writer(engine) for _ in range(4)]
    nodes = [Mailboxes(engine, writer, node=str(n)) for n, writer in enumerate(writers)]
    for n in range(10):
        granted = await asyncio.gather(*(node.acquire(f"account {n}", f"t{i}") for i, node in enumerate(nodes)))
        assert sum(granted) == 1
    for writer in writers:
        await writer.close()


async def test_a_node_that_has_lost_a_mailbox_changes_nothing(engine: Engine, writer: Writer) -> None:
    a, b = (Mailboxes(engine, writer, node=node) for node in ("a", "b"))
    assert await a.acquire("sales", "a1")
    await a.begin("sales", "a1", box(HOST, "u"), is_new=True, now=NOW)
    await a.record("sales", "a1", [MessageKey("one")], now=NOW)
    if engine.dialect.name == "postgresql":
        _end_lease(engine)
    assert await b.acquire("sales", "b1")
    before = await b.find("sales"), await b.seen("sales")
    late = [
        a.begin("sales", "a1", box(["x"], "y"), is_new=True, skip=[MessageKey("z")], now=NOW),
        a.record("sales", "a1", [MessageKey("two")], now=NOW),
        a.note_listing("sales", "a1", gone=[MessageKey("one")], back=(), forget=[MessageKey("one")], now=NOW),
        a.end("sales", "a1", now=NOW),
        a.end("sales", "a1", now=NOW, error="too late"),
    ]
    *lost, recorded = await asyncio.gather(*late, b.record("sales", "b1", [THREE], now=NOW), return_exceptions=True)
    assert [type(error) for error in lost] == [MailboxElsewhereError] * 5
    assert recorded == {}
    await a.release("sales", "a1")
    assert await b.renew("sales", "b1")
    assert (await b.find("sales"), {**before[1], THREE: Seen(first_seen=NOW)}) == (
        before[0],
        await b.seen("sales"),
    )


async def test_a_write_that_is_run_again_gives_the_same(engine: Engine, writer: Writer) -> None:
    mailboxes = Mailboxes(engine, writer, node="")
    for _ in range(2):
        assert await mailboxes.acquire("sales", "t")
        await mailboxes.begin("sales", "t", box(HOST, "u"), is_new=True, skip=[MessageKey("s")], now=NOW)
    for _ in range(2):
        await mailboxes.release("sales", "t")
    assert await mailboxes.seen("sales") == {MessageKey("s"): Seen(first_seen=NOW, fetched=False)}


def _end_lease(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE mailbox SET lease_until = 1"))
