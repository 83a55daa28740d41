import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from relay.model.errors import ClaimLostError
from relay.model.mail import DeliveryState, NewDelivery, Recipient
from relay.storage import admin
from relay.storage.queue import Queue
from tests.peers.deliveries import Selection, list_deliveries
from tests.storage.conftest import INBOX, LATER, NEVER, NOW, SALES, TAKEN, new_id, new_mail, settled

Count = Callable[[str], int]


async def test_each_recipient_gets_his_outcome_and_the_body_goes_with_the_last(
    queue: Queue, engine: Engine, count: Count
) -> None:
    mail = new_mail(to=3, state=DeliveryState.ACTIVE)
    delivery = mail.deliveries[0].id
    await queue.accept(mail)
    await queue.settle(settled(delivery, {0: TAKEN, 1: NEVER, 2: LATER}, DeliveryState.QUEUED, due=NOW))
    detail = admin.show_message(engine, mail.message.id)
    assert [r.outcome for r in detail.deliveries[0].recipients] == ["delivered", "bounced", "pending"]
    assert [r.code for r in detail.deliveries[0].recipients] == [250, 550, 451]
    assert count("content") == 1
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert await queue.settle(settled(claimed, {2: TAKEN}, DeliveryState.DONE))
    assert count("content") == 0
    assert admin.show_message(engine, mail.message.id).deliveries[0].state == "done"


async def test_the_same_settlement_twice_is_the_same_as_once(queue: Queue, engine: Engine, count: Count) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    settlement = settled(mail.deliveries[0].id, {0: LATER}, DeliveryState.QUEUED, due=NOW + 1)
    for _ in range(3):
        await queue.settle(settlement)
    assert count("attempt") == 1
    assert admin.show_message(engine, mail.message.id).deliveries[0].attempts == 1


async def test_a_last_outcome_never_changes(queue: Queue, engine: Engine) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    for outcome in (TAKEN, NEVER):
        await queue.settle(settled(mail.deliveries[0].id, {0: outcome}, DeliveryState.DONE))
    (recipient,) = admin.show_message(engine, mail.message.id).deliveries[0].recipients
    assert recipient.outcome == "delivered"


async def test_a_split_takes_recipients_along_and_a_notice_is_written_with_it(
    queue: Queue, engine: Engine, count: Count
) -> None:
    mail = new_mail(to=2, state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    split = NewDelivery(
        id=new_id("d"), destination=SALES, recipients=(Recipient(n=1, address="n1@x.example"),), due=NOW
    )
    notice = new_mail(account="", notice=True)
    await queue.settle(settled(mail.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE, creates=(split, notice)))
    deliveries = admin.show_message(engine, mail.message.id).deliveries
    assert {d.id: [r.n for r in d.recipients] for d in deliveries} == {mail.deliveries[0].id: [0], split.id: [1]}
    assert count("content") == 2  # the other delivery still needs it, and so does the notice
    (claimed,) = await queue.claim(SALES, now=NOW, limit=9, open_now=True)
    assert (claimed.id, [r.n for r in claimed.recipients]) == (split.id, [1])
    assert INBOX in await queue.next_due()


async def test_an_attempt_that_does_not_count_leaves_the_intervals_alone(queue: Queue) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    await queue.settle(settled(mail.deliveries[0].id, {0: LATER}, DeliveryState.QUEUED, due=NOW, counts=False))
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert claimed.attempts == 0


async def test_a_settlement_of_a_mail_that_was_deleted_changes_nothing(queue: Queue, count: Count) -> None:
    await queue.settle(settled("nothing", {0: TAKEN}, DeliveryState.DONE))
    assert count("attempt") == 0


async def test_history_is_purged_but_nothing_that_waits(queue: Queue, count: Count) -> None:
    waiting, done = new_mail(), new_mail(state=DeliveryState.ACTIVE)
    for mail in (waiting, done):
        await queue.accept(mail)
    await queue.settle(settled(done.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    assert await queue.purge_history(NOW, 10) == 0
    assert await queue.purge_history(NOW + 1, 10) == 1
    assert (count("message"), count("delivery"), count("recipient"), count("attempt")) == (1, 1, 1, 0)


async def test_a_body_that_is_kept_goes_when_its_time_is_over(queue: Queue) -> None:
    kept, waiting = new_mail(state=DeliveryState.ACTIVE), new_mail()
    await queue.accept(kept)
    await queue.accept(waiting)
    done = settled(kept.deliveries[0].id, dict.fromkeys((0, 1), TAKEN), DeliveryState.DONE, keep_body=True)
    await queue.settle(done)
    assert [chunk async for chunk in queue.chunks(kept.message.id, 0)]
    assert await queue.drop_delivered_bodies(NOW, 10) == 0
    assert await queue.drop_delivered_bodies(NOW + 1, 10) == 1
    assert [chunk async for chunk in queue.chunks(kept.message.id, 0)] == []
    assert [chunk async for chunk in queue.chunks(waiting.message.id, 0)]


async def test_a_claim_that_is_not_held_any_more_settles_nothing(queue: Queue, engine: Engine, count: Count) -> None:
    notice, split = new_mail(notice=True), new_mail(to=2).deliveries[0]
    await queue.accept(new_mail(to=2))
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert await queue.requeue(late)
    (running,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    bounced = settled(late, {0: NEVER, 1: LATER}, DeliveryState.QUEUED, due=1, uncertain=1, creates=(notice, split))
    assert not await queue.settle(bounced)
    assert not await queue.requeue(late)
    with pytest.raises(ClaimLostError):
        await queue.mark_uncertain(late)
    (row,) = list_deliveries(engine, Selection())
    assert (row.state, row.due, row.uncertain) == ("active", NOW, 0)
    assert [r.outcome for r in row.recipients] == ["pending", "pending"]
    assert count("message") == count("delivery") == 1
    assert await queue.settle(settled(running, {0: TAKEN, 1: TAKEN}, DeliveryState.DONE))


async def test_who_surely_has_the_mail_by_a_late_settlement_is_not_sent_it_again(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    assert not await queue.settle(settled(late, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED, due=NOW + 9))
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert [r.n for r in again.recipients] == [1]
    await queue.requeue(again)
    assert not await queue.settle(settled(again, {1: TAKEN}, DeliveryState.DONE))
    detail = admin.show_message(engine, mail.message.id)
    assert detail.deliveries[0].state == "done"
    assert [event.what for event in detail.events] == ["possible_duplicate"]


@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "in one batch"])
async def test_a_late_settlement_is_noted_and_leaves_the_intervals_of_the_claim_that_holds_alone(
    queue: Queue, engine: Engine, at_once: bool
) -> None:
    mail = new_mail()
    await queue.accept(mail)
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    (running,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    ends = [settled(one, {0: LATER}, DeliveryState.QUEUED, due=NOW) for one in (late, running)]
    calls = [queue.settle(one) for one in ends]
    assert (await asyncio.gather(*calls) if at_once else [await call for call in calls]) == [False, True]
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert (again.attempts, again.tried) == (1, 2)
    with engine.connect() as connection:
        noted = connection.execute(text("SELECT n, key FROM attempt ORDER BY n")).all()
    assert [tuple(one) for one in noted] == [(1, ends[0].key), (2, ends[1].key)]


async def test_what_waits_is_not_taken_as_it_was_known_before_a_late_settlement(queue: Queue) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    assert not await queue.settle(settled(late, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED, due=NOW))
    assert await queue.claim_by_id(late) is None  # with a recipient who has the mail by now
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert [r.n for r in again.recipients] == [1]


async def test_who_is_in_the_split_of_a_late_settlement_is_sent_it_yet(queue: Queue, count: Count) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    split = NewDelivery(
        id=new_id("d"), destination=SALES, recipients=(Recipient(n=1, address="n1@x.example"),), due=NOW
    )
    assert not await queue.settle(settled(late, {0: TAKEN}, DeliveryState.DONE, creates=(split,)))
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert [recipient.n for recipient in again.recipients] == [1]
    assert count("content") == 1


async def test_a_late_settlement_that_ends_a_mail_drops_its_body_too(queue: Queue) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    queue.abandon(late, doubtful=True)
    await queue.reclaim(now=NOW)
    assert not await queue.settle(settled(late, {0: TAKEN, 1: TAKEN}, DeliveryState.DONE))
    assert await queue.next_due() == {}
    assert [chunk async for chunk in queue.chunks(mail.message.id, 0)] == []
