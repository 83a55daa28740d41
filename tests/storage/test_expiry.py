import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from relay.model.destination import to_account
from relay.model.mail import DeliveryState
from relay.model.reply import Outcome, Reply, Verdict
from relay.storage import admin
from relay.storage.expiry import LastAttempt
from relay.storage.queue import Queue
from tests.storage.conftest import NEVER, NOW, SALES, TAKEN, new_id, new_mail, settled

LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=451, enhanced="4.3.0", text="later"))


async def delayed(queue: Queue, *, after: int = 0, before: int = NOW * 2, limit: int = 9) -> list[str]:
    found = await queue.delayed("sales", after=after, before=before, limit=limit)
    return [one.message.id for one in found]


async def test_who_waits_is_told_once(queue: Queue, engine: Engine) -> None:
    mail, notice = new_mail(), new_mail(notice=True)
    await queue.accept(mail)
    since = mail.message.received_at
    assert await queue.oldest_since("sales") == since
    assert await queue.oldest_since("other") is None
    assert await delayed(queue, before=since - 1) == []
    assert await delayed(queue, after=since) == []
    (waiting,) = await queue.delayed("sales", after=0, before=since, limit=9)
    assert (waiting.message.id, waiting.warned) == (mail.message.id, False)
    assert await queue.tell_delay(mail.message.id, [waiting.id], notice, at=NOW)
    assert await delayed(queue) == []  # a notice never waits for a warning
    assert [event.what for event in admin.show_message(engine, mail.message.id).events] == ["delay_told"]
    assert admin.show_message(engine, notice.message.id).notice


@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "in one batch"])
async def test_a_delay_that_two_want_to_tell_is_told_once(
    queue: Queue, engine: Engine, count: Callable[[str], int], at_once: bool
) -> None:
    mail, notices = new_mail(), [new_mail(account="other", notice=True) for _ in range(2)]
    await queue.accept(mail)
    ids = [one.id for one in mail.deliveries]
    calls = [queue.tell_delay(mail.message.id, ids, notice, at=NOW) for notice in notices]
    told = await asyncio.gather(*calls) if at_once else [await call for call in calls]
    assert told == [True, False]
    assert count("message") == 2
    (notice,) = await queue.claim(to_account("other"), now=NOW, limit=9, open_now=True)
    assert notice.message.id == notices[0].message.id
    events = admin.show_message(engine, mail.message.id).events
    assert [(event.what, event.detail) for event in events] == [("delay_told", notices[0].message.id)]


async def test_a_limit_parts_no_mail(queue: Queue) -> None:
    mails = []
    for _ in range(3):
        mail = new_mail(to=2)
        (one,) = mail.deliveries
        parts = [replace(one, id=new_id("d"), recipients=(recipient,)) for recipient in one.recipients]
        mails.append(replace(mail, deliveries=tuple(parts)))
        await queue.accept(mails[-1])
    first, second, _ = [mail.message.id for mail in mails]
    assert await delayed(queue, limit=2) == [first, first, second, second]
    old = await queue.queued_before("sales", NOW * 2, 1)
    assert [one.message.id for one in old] == [first, first]


async def test_what_is_given_up_goes_from_queued_to_done_and_leaves_no_attempt(
    queue: Queue, count: Callable[[str], int]
) -> None:
    mail, notice = new_mail(), new_mail(notice=True, account="other")
    await queue.accept(mail)
    assert await queue.queued_before("sales", 0, 9) == []
    (old,) = await queue.queued_before("sales", NOW * 2, 9)
    over = settled(old, {0: NEVER}, DeliveryState.DONE, attempted=False, counts=False, creates=(notice,))
    (sent,) = await queue.claim(SALES, now=NOW * 2, limit=1, open_now=True)
    assert not await queue.give_up([over])  # it is just being sent
    assert count("message") == 1
    await queue.requeue(sent)
    assert await queue.give_up([over])
    assert not await queue.give_up([over])
    assert (count("message"), count("attempt")) == (2, 0)
    assert await queue.next_due() == {to_account("other"): NOW}


async def test_what_a_wrong_clock_put_off_is_pulled_back(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    (one,) = await queue.claim(SALES, now=NOW * 2, limit=1, open_now=True)
    await queue.settle(settled(one, {r.n: LATER for r in one.recipients}, DeliveryState.QUEUED, due=NOW * 9))
    assert await queue.pull_back(now=NOW, latest=NOW * 9) == 0
    assert await queue.pull_back(now=NOW, latest=NOW * 8) == 1
    assert await queue.next_due() == {SALES: NOW}


async def test_the_last_attempt_of_each_delivery(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    (one,) = await queue.claim(SALES, now=NOW * 2, limit=1, open_now=True)
    assert await queue.last_attempts([one.id]) == {}
    for n, text in enumerate(("first", "last")):
        reply = Reply(code=451, text=text)
        await queue.settle(settled(one, {}, DeliveryState.QUEUED, due=NOW, reply=reply, at=NOW + n))
    last = LastAttempt(at=NOW + 1, reply=Reply(code=451, text="last"))
    assert await queue.last_attempts([one.id, "other"]) == {one.id: last}


async def test_what_was_attempted_since_it_was_read_is_not_given_up(queue: Queue) -> None:
    await queue.accept(new_mail(to=2))
    (read,) = await queue.queued_before("sales", NOW, 9)
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(one, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED, due=NOW))
    over = settled(read, {0: NEVER, 1: NEVER}, DeliveryState.DONE, attempted=False, counts=False)
    assert not await queue.give_up([over])  # its notice would name somebody who has the mail
