"""What the database says of how things stand, on SQLite and on PostgreSQL."""

from sqlalchemy import Engine

from relay.model.account import RetryPolicy
from relay.model.mail import DeliveryState, Pause, Recipient, RecipientKind
from relay.model.reply import Reply
from relay.rules.hours import parse_hours
from relay.storage.commands import delete
from relay.storage.engine import transaction
from relay.storage.queue import Queue
from relay.storage.quota import Count
from relay.storage.standing import QueueState, Standing, read_standing
from tests.storage.conftest import LATER, NEVER, NOW, SALES, TAKEN, new_mail, settled

ALWAYS = parse_hours(["Mon-Sun 00:00-24:00"], "Europe/Berlin")
HOUR = 3_600_000
LOST = Reply(code=0, enhanced="4.4.1", text="x: Connection refused")


def standing(engine: Engine, now: int = NOW) -> Standing:
    with transaction(engine, write=False) as tx:
        return read_standing(tx, hours=ALWAYS, retry=RetryPolicy(), now=now)


async def test_an_empty_database_says_nothing(engine: Engine, queue: Queue) -> None:
    assert standing(engine) == Standing()
    assert await queue.next_due() == {}


async def test_mails_are_counted_by_account_and_state(engine: Engine, queue: Queue) -> None:
    for _ in range(2):
        await queue.accept(new_mail(to=3))
    await queue.accept(new_mail(state=DeliveryState.ACTIVE))
    await queue.accept(new_mail(account="gone"))
    await queue.hold_accounts(["gone"], now=NOW)
    assert standing(engine).queues == {
        "sales": QueueState(waiting=2, active=1, oldest=NOW),
        "gone": QueueState(held=1, held_since=NOW),
    }


async def test_what_waits_for_too_long_is_counted_without_notices(engine: Engine, queue: Queue) -> None:
    await queue.accept(new_mail())
    await queue.accept(new_mail(notice=True))
    await queue.accept(new_mail(received_at=NOW + HOUR))
    assert standing(engine, NOW + 4 * HOUR - 1).queues["sales"].overdue == 0
    late = standing(engine, NOW + 4 * HOUR).queues["sales"]
    assert (late.overdue, late.overdue_since, late.waiting) == (1, NOW, 3)
    pause = await queue.pause(Pause(account="sales", since=NOW, until=None, reason="535 no"))
    paused = standing(engine, NOW + 9 * HOUR)
    assert paused.queues["sales"].overdue == 0
    assert paused.pauses == {"sales": pause}


async def test_silence_begins_with_the_first_attempt_behind_the_last_answer(engine: Engine, queue: Queue) -> None:
    await queue.accept(new_mail())
    for minute, reply in ((0, LOST), (10, LATER.reply), (20, LOST), (90, LOST)):
        at = NOW + minute * 60_000
        (claimed,) = await queue.claim(SALES, now=at, limit=1, open_now=True)
        await queue.settle(settled(claimed, {0: LATER}, DeliveryState.QUEUED, reply=reply, at=at, due=at))
    assert standing(engine, NOW + 79 * 60_000).queues["sales"].silent_since is None
    queued = standing(engine, NOW + 90 * 60_000).queues["sales"]
    assert (queued.silent_since, queued.silence) == (NOW + 20 * 60_000, "4.4.1 x: Connection refused")


async def test_a_setting_that_is_missing_is_told_after_an_hour_and_until_a_mail_is_taken(
    engine: Engine, queue: Queue
) -> None:
    unfit = Reply(code=430, enhanced="4.2.0", text="STOREDRV; mailbox logon failure; MapiExceptionLogonFailed")
    await queue.accept(new_mail())
    for minute in (0, 30, 61):
        at = NOW + minute * 60_000
        (claimed,) = await queue.claim(SALES, now=at, limit=1, open_now=True)
        await queue.settle(settled(claimed, {0: LATER}, DeliveryState.QUEUED, reply=unfit, at=at, due=at))
    assert standing(engine, NOW + HOUR - 1).queues["sales"].setting_since is None
    queued = standing(engine, NOW + HOUR + 60_000).queues["sales"]
    assert (queued.setting_since, queued.setting) == (NOW, str(unfit))
    assert queued.silent_since is None
    other = new_mail()
    await queue.accept(other)
    at = NOW + 2 * HOUR
    (claimed,) = [
        one for one in await queue.claim(SALES, now=at, limit=9, open_now=True) if one.message.id == other.message.id
    ]
    await queue.settle(settled(claimed, {0: TAKEN}, DeliveryState.DONE, reply=TAKEN.reply, at=at, due=at))
    assert standing(engine, NOW + 9 * HOUR).queues["sales"].setting_since is None


async def test_a_430_that_names_nothing_of_the_kind_is_no_setting(engine: Engine, queue: Queue) -> None:
    await queue.accept(new_mail())
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    other = Reply(code=430, text="come again")
    await queue.settle(settled(claimed, {0: LATER}, DeliveryState.QUEUED, reply=other, at=NOW, due=NOW))
    assert standing(engine, NOW + 9 * HOUR).queues["sales"].setting_since is None


async def test_an_answer_to_another_mail_ends_the_silence(engine: Engine, queue: Queue) -> None:
    first, second = new_mail(), new_mail()
    for mail, reply in ((first, LOST), (second, TAKEN.reply)):
        await queue.accept(mail)
        done = DeliveryState.DONE if mail is second else DeliveryState.QUEUED
        outcome = TAKEN if mail is second else LATER
        claimed = next(
            one
            for one in await queue.claim(SALES, now=NOW, limit=9, open_now=True)
            if one.message.id == mail.message.id
        )
        at = NOW + (HOUR if mail is second else 0)
        await queue.settle(settled(claimed, {0: outcome}, done, reply=reply, at=at, due=at + 9 * HOUR))
    assert standing(engine, NOW + 3 * HOUR).queues["sales"].silent_since is None


async def test_mails_that_did_not_arrive_and_copies_that_are_missing(engine: Engine, queue: Queue) -> None:
    mail = new_mail(to=2)
    archive = Recipient(n=2, address="central@x.example", kind=RecipientKind.ARCHIVE)
    (delivery,) = mail.deliveries
    await queue.accept(
        type(mail)(
            message=mail.message,
            deliveries=(type(delivery)(id=delivery.id, destination=SALES, recipients=(*delivery.recipients, archive)),),
        )
    )
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN, 1: NEVER, 2: NEVER}, DeliveryState.DONE))
    found = standing(engine)
    assert (found.bounced, found.bounced_last) == (1, NOW)
    assert [(one.address, one.since, one.failed) for one in found.archive] == [("central@x.example", NOW, 1)]


async def test_what_all_were_refused_alike_is_no_trouble_of_the_archive(engine: Engine, queue: Queue) -> None:
    mail = new_mail(to=2)
    archive = Recipient(n=2, address="central@x.example", kind=RecipientKind.ARCHIVE)
    (delivery,) = mail.deliveries
    legs = (type(delivery)(id=delivery.id, destination=SALES, recipients=(*delivery.recipients, archive)),)
    await queue.accept(type(mail)(message=mail.message, deliveries=legs))
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: NEVER, 1: NEVER, 2: NEVER}, DeliveryState.DONE))
    found = standing(engine)
    assert (found.bounced, found.archive) == (1, ())


async def test_the_day_is_counted(engine: Engine, queue: Queue) -> None:
    assert await queue.count_recipients(Count("sales", "2026-05-28", 3, 9))
    assert standing(engine).recipients_today == {"sales": 3}


async def test_what_a_person_has_deleted_did_not_bounce(engine: Engine, queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    assert delete(engine, [mail.message.id], now=NOW).count == 1
    assert standing(engine) == Standing()
