import random
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from relay.delivery.ready_queue import ReadyQueue
from relay.model.mail import ClaimedDelivery, DeliveryState
from relay.rules.turns import Cursor
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from tests.storage.conftest import NOW, SALES, new_mail


@pytest.mark.parametrize("seed", range(6))
async def test_memory_and_queue_give_the_same_order(queue: Queue, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        source = chance.choice(["anna 1", "anna 2", "anna 21", "anna! 1", "anna2 x", "bert 1", "192.0.2.9", "relay"])
        await queue.accept(new_mail(source=source, due=NOW - chance.choice([0, 1, 1, 2, 50])))
    ready = ReadyQueue()
    for work in await queue.prefetch(SALES, now=NOW, limit=100_000, cursor=Cursor()):
        assert ready.add(*work)
    assert len(ready) == 30
    cursor, newest = Cursor(), [chance.random() < 0.3 for _ in range(30)]
    in_memory = []
    for one in newest:
        taken = ready.take(cursor, newest=one)
        assert taken is not None
        in_memory.append(taken[0].id)
        cursor = cursor.after(taken[0].message.source)
    cursor, in_queue = Cursor(), []
    for one in newest:
        (found,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=cursor, newest=one)
        in_queue.append(found.id)
        cursor = cursor.after(found.message.source)
    assert in_memory == in_queue


async def read(queue: Queue, limit: int, cursor: Cursor | None = None) -> list[str]:
    found = await queue.prefetch(SALES, now=NOW, limit=limit, cursor=cursor or Cursor())
    return [delivery.message.source for delivery, _ in found]


async def test_what_is_due_is_read_with_its_short_body_and_stays_queued(queue: Queue) -> None:
    mails = [
        new_mail(source="anna 1"),
        new_mail(source="anna 1", chunks=(b"two", b"pieces")),
        new_mail(source="anna 1", size=100_000),
        new_mail(source="anna 1", due=NOW + 1),
        new_mail(source="anna 1", account="other"),
        new_mail(source="anna 1", state=DeliveryState.ACTIVE),
    ]
    for mail in mails:
        await queue.accept(mail)
    found = await queue.prefetch(SALES, now=NOW, limit=64, cursor=Cursor())
    assert {delivery.id: body for delivery, body in found} == {
        mails[0].deliveries[0].id: (b"hello\r\n",),
        mails[1].deliveries[0].id: None,
        mails[2].deliveries[0].id: None,
    }
    claimed = await queue.claim(SALES, now=NOW, limit=9, open_now=True)
    read = sorted((one for one, _ in found), key=lambda one: one.id)
    assert sorted((replace(one, token="") for one in claimed), key=lambda one: one.id) == read


async def test_each_user_gives_some_however_many_another_has(queue: Queue) -> None:
    for n in range(100):
        await queue.accept(new_mail(source=f"anna {n:03}"))
    for user in ("bert", "carl"):
        for _ in range(5):
            await queue.accept(new_mail(source=f"{user} 1"))
    found = await read(queue, 12)
    assert {source.split()[0] for source in found} == {"anna", "bert", "carl"}
    assert found.count("bert 1") >= 4
    assert len({source for source in found if source.startswith("anna")}) >= 4
    assert (await read(queue, 12, cursor=Cursor("anna 005")))[0] == "bert 1"


async def test_the_sources_of_a_user_go_on_where_they_were(queue: Queue) -> None:
    for n in range(10):
        await queue.accept(new_mail(source=f"anna {n}"))
    assert (await read(queue, 4))[:4] == [f"anna {n}" for n in range(4)]
    assert (await read(queue, 4, cursor=Cursor("", {"anna": "anna 3"})))[:4] == [f"anna {n}" for n in range(4, 8)]
    assert (await read(queue, 4, cursor=Cursor("", {"anna": "anna 8"})))[:4] == ["anna 9", "anna 0", "anna 1", "anna 2"]


async def test_the_newest_of_a_user_is_among_them(queue: Queue) -> None:
    for n in range(50):
        await queue.accept(new_mail(source="anna 1", due=NOW - 100 + n))
    newest = new_mail(source="anna 1", due=NOW)
    await queue.accept(newest)
    found = await queue.prefetch(SALES, now=NOW, limit=8, cursor=Cursor())
    assert newest.deliveries[0].id in {delivery.id for delivery, _ in found}
    assert len(found) <= 12


async def test_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert await queue.prefetch(SALES, now=NOW, limit=64, cursor=Cursor()) == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_nodes_on_one_database_read_other_mails_ahead(engine: Engine) -> None:
    one, other = (Queue(engine, Writer(engine), node=name) for name in ("one", "other"))
    for _ in range(20):
        await one.accept(new_mail(source="anna 1"))
    _change(engine, "node = '', lease_until = NULL")  # as after their first attempt
    first, second = [await _ahead(one), await _ahead(other)]
    assert len(first) == len(second) == 6  # four, and the newest
    assert not {*first} & {*second}
    assert {*await _ahead(one)} == {*first}  # what is its own it may read again
    # One dies: what it had reserved and not claimed was not sent by anybody.
    assert await other.recover(now=NOW) == await other.reclaim(now=NOW) == []
    assert not {*first} & {*await _ahead(other)}
    _change(engine, "lease_until = 0 WHERE node = 'one'")
    assert {*first} & {*await _ahead(other)}
    for queue in (one, other):
        await queue.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_of_nodes_that_read_the_same_one_claims_it(engine: Engine) -> None:
    one, other = (Queue(engine, Writer(engine), node=name) for name in ("one", "other"))
    await one.accept(new_mail())
    first = await _ahead(one)
    assert await _ahead(other) == {}  # fresh mail is left to who accepted it, for a moment
    _change(engine, "lease_until = 0")
    assert {*first} == {*await _ahead(other)}
    claims = [await queue.claim_by_id(delivery) for queue in (other, one) for delivery in first.values()]
    assert [claimed is not None for claimed in claims] == [True, False]
    for queue in (one, other):
        await queue.close()


async def _ahead(queue: Queue) -> dict[str, ClaimedDelivery]:
    found = await queue.prefetch(SALES, now=NOW, limit=4, cursor=Cursor())
    return {delivery.id: delivery for delivery, _ in found}


def _change(engine: Engine, what: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE delivery SET {what}"))
