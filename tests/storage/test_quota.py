import pytest
from sqlalchemy import Engine

from relay.model.errors import ClaimLostError
from relay.model.mail import DeliveryState, NewDelivery
from relay.storage import admin
from relay.storage.queue import Queue
from relay.storage.quota import Count
from tests.storage.conftest import NOW, SALES, TAKEN, new_id, new_mail, settled


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


async def test_a_mail_is_parted_where_the_day_has_room_for_some(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=5)
    await queue.accept(mail)
    (delivery,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert await queue.count_recipients(count(8))
    rest = NewDelivery(id=new_id("d"), destination=SALES, recipients=delivery.recipients, due=NOW + 9)
    assert await queue.count_part(count(5), delivery, rest) == 2
    assert admin.count_of_day(engine, "2026-05-28") == {"sales": 10}
    assert await queue.next_due() == {SALES: NOW + 9}
    (later,) = await queue.claim(SALES, now=NOW + 9, limit=1, open_now=True)
    assert [r.n for r in later.recipients] == [2, 3, 4]
    assert later.since == delivery.since
    assert await queue.count_part(count(3), later, rest) == 0
    await queue.requeue(delivery)
    (first,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert [r.n for r in first.recipients] == [0, 1]


async def test_a_mail_is_not_parted_by_who_has_lost_it(queue: Queue, engine: Engine) -> None:
    await queue.accept(new_mail(to=5))
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    (holder,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    rest = NewDelivery(id=new_id("d"), destination=SALES, recipients=late.recipients, due=NOW + 9)
    assert await queue.count_recipients(count(8))
    with pytest.raises(ClaimLostError):
        await queue.count_part(count(5), late, rest)
    assert admin.count_of_day(engine, "2026-05-28") == {"sales": 8}
    assert await queue.settle(settled(holder, dict.fromkeys(range(5), TAKEN), DeliveryState.DONE))
    assert await queue.next_due() == {}


async def test_a_mail_is_not_parted_where_the_day_has_room(queue: Queue) -> None:
    mail = new_mail(to=5)
    await queue.accept(mail)
    (delivery,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    rest = NewDelivery(id=new_id("d"), destination=SALES, recipients=delivery.recipients, due=NOW + 9)
    assert await queue.count_part(count(5), delivery, rest) == 5
    assert await queue.next_due() == {}


async def test_what_began_a_moment_ago(queue: Queue) -> None:
    mails = [new_mail(account=account, state=DeliveryState.ACTIVE) for account in ("sales", "sales", "other")]
    for mail, at in zip(mails, (NOW - 60_000, NOW - 5, NOW), strict=True):
        await queue.accept(mail)
        (one,) = mail.deliveries
        events = (("archive_split", "why"),) if at == NOW - 5 else ()
        await queue.settle(settled(one, {0: TAKEN}, DeliveryState.DONE, at=at, events=events))
    assert await queue.starts_since(["sales", "idle"], after=NOW - 60_000, oldest=0) == {"sales": [NOW - 5, NOW - 5]}
    assert await queue.starts_since(["sales", "other"], after=NOW - 5, oldest=0) == {"other": [NOW]}
