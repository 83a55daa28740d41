from sqlalchemy import Engine

from relay.storage import admin
from relay.storage.counting import Count
from relay.storage.queue import Queue


def count(recipients: int, *, day: str = "2026-05-28", account: str = "sales") -> Count:
    return Count(account, day, recipients, most=10)


async def test_a_day_takes_so_many_and_no_more(queue: Queue, engine: Engine) -> None:
    assert [await queue.count_recipients(count(n)) for n in (6, 5, 4, 1)] == [True, False, True, False]
    assert admin.count_of_day(engine, "2026-05-28") == {"sales": 10}
    assert await queue.count_recipients(count(10, account="other"))
    await queue.uncount_recipients(count(4))
    assert await queue.count_recipients(count(4))


async def test_the_next_day_begins_anew_and_forgets_the_last(queue: Queue, engine: Engine) -> None:
    assert await queue.count_recipients(count(10))
    assert await queue.count_recipients(count(10, day="2026-05-29"))
    assert admin.count_of_day(engine, "2026-05-28") == {}


async def test_what_no_day_could_take_goes_as_the_first_of_one(queue: Queue) -> None:
    assert await queue.count_recipients(count(25))
    assert not await queue.count_recipients(count(1))
