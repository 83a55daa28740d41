import random

import pytest

from relay.delivery.ready_queue import ReadyQueue
from relay.rules.turns import Cursor
from relay.storage.queue import Queue
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
