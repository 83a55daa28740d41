import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Engine

from relay.model.destination import to_inbox
from relay.model.mail import UNNUMBERED, DeliveryState, NewDelivery, NewMessage, Recipient, RecipientKind
from relay.storage import admin
from relay.storage.accepting import SAID_FOR
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from tests.peers.deliveries import Selection, list_deliveries
from tests.storage.conftest import INBOX, NOW, SALES, TAKEN, new_id, new_mail, settled

Count = Callable[[str], int]
BERT = to_inbox("bert")


async def whole(queue: Queue, message_id: str, version: int = 0) -> bytes:
    return b"".join([chunk async for chunk in queue.chunks(message_id, version)])


async def test_what_was_accepted_is_claimed_as_it_was(queue: Queue) -> None:
    mail = new_mail(to=3, header=b"A: \xff\r\n", subject="ä\ud800\x00", eightbit=True)
    await queue.accept(mail)
    (claimed,) = await queue.claim(SALES, now=NOW, limit=5, open_now=True)
    assert claimed.message == replace(mail.message, subject="ä\ufffd\ufffd")
    assert claimed.recipients == mail.deliveries[0].recipients
    assert (claimed.attempts, claimed.uncertain, claimed.since) == (0, 0, NOW)
    assert await whole(queue, mail.message.id) == b"hello\r\n"


async def test_chunks_written_ahead_belong_to_the_mail_once_it_is_accepted(queue: Queue) -> None:
    mail = new_mail(chunks=())
    for seq in range(3):
        await queue.write_chunk(mail.message.id, 0, seq, b"%d" % seq)
    await queue.accept(replace(mail, chunks=((0, 3, b"3"),)))
    assert await whole(queue, mail.message.id) == b"0123"


async def test_an_aborted_mail_leaves_nothing_and_an_accepted_one_is_not_touched(queue: Queue, count: Count) -> None:
    mail = new_mail()
    await queue.write_chunk("x", 0, 0, b"a")
    await queue.accept(mail)
    await queue.discard("x")
    await queue.discard(mail.message.id)
    assert count("content") == 1


async def test_a_repetition_adds_nothing(queue: Queue, count: Count) -> None:
    mail = new_mail(to=2)
    for _ in range(3):
        await queue.accept(mail)
    assert (count("message"), count("delivery"), count("recipient"), count("content")) == (1, 1, 2, 1)


async def test_the_stripped_version_is_kept_apart_or_dropped(queue: Queue) -> None:
    mail = new_mail()
    second = NewDelivery(id=new_id("d"), destination=SALES, recipients=(Recipient(n=5, address="a@x"),), version=1)
    await queue.accept(
        replace(mail, deliveries=(*mail.deliveries, second), chunks=((0, 0, b"whole"), (1, 0, b"stripped")))
    )
    assert await whole(queue, mail.message.id, 1) == b"stripped"
    same = new_mail()
    await queue.write_chunk(same.message.id, 1, 0, b"the same")
    await queue.accept(replace(same, drop_version_1=True))
    assert await whole(queue, same.message.id, 1) == b""


async def test_what_is_told_once_in_a_while_is_told_by_one_of_two(queue: Queue, engine: Engine) -> None:
    def notice(once: str, at: int = NOW) -> NewMessage:
        mail = new_mail(account="", notice=True)
        return replace(mail, message=replace(mail.message, received_at=at), once=once)

    other = Queue(engine, Writer(engine))
    both = (notice("sender/sales"), notice("sender/sales"))
    await asyncio.gather(*(one.accept(mail) for one, mail in zip((queue, other), both, strict=True)))
    await queue.accept(notice("sender/other"))
    await queue.accept(notice("sender/sales", NOW + SAID_FOR))
    found = list_deliveries(engine, Selection(states=("queued",)))
    assert len(found) == 2
    assert len({one.message_id for one in found} & {mail.message.id for mail in both}) == 1
    assert await other.was_said("sender/sales", now=NOW + 1)
    assert not await other.was_said("sender/sales", now=NOW + SAID_FOR + 1)
    assert not await other.was_said("sender/sales", now=NOW - 1)  # by a clock that was wrong
    await other.accept(notice("sender/sales", NOW + SAID_FOR + 1))
    await other.accept(notice("sender/sales", NOW - 1))
    assert len(list_deliveries(engine, Selection(states=("queued",)))) == 4
    await other.close()


def copy_for(user: str) -> NewDelivery:
    recipient = Recipient(n=UNNUMBERED, address=user, kind=RecipientKind.INBOX)
    return NewDelivery(id=new_id("c"), destination=to_inbox(user), recipients=(recipient,), due=NOW)


async def test_a_body_stays_until_the_copy_that_a_settlement_creates_is_done(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (sent,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    done = settled(sent, {0: TAKEN, 1: TAKEN}, DeliveryState.DONE, creates=(copy_for("anna"), copy_for("bert")))
    assert await queue.settle(done)
    assert await queue.settle(done)
    assert await whole(queue, mail.message.id) == b"hello\r\n"
    assert await queue.next_due() == {INBOX: NOW, BERT: NOW}
    (first,) = await queue.claim(INBOX, now=NOW, limit=9, open_now=True)
    assert [(one.n, one.address, one.kind) for one in first.recipients] == [(2, "anna", RecipientKind.INBOX)]
    assert await queue.settle(settled(first, {2: TAKEN}, DeliveryState.DONE))
    assert await whole(queue, mail.message.id) == b"hello\r\n"
    (second,) = await queue.claim(BERT, now=NOW, limit=9, open_now=True)
    assert [one.n for one in second.recipients] == [3]
    assert await queue.settle(settled(second, {3: TAKEN}, DeliveryState.DONE))
    assert await whole(queue, mail.message.id) == b""
    shown = admin.show_message(engine, mail.message.id)
    assert {one.outcome for way in shown.deliveries for one in way.recipients} == {"delivered"}


async def test_a_settlement_that_comes_too_late_creates_nothing(queue: Queue) -> None:
    await queue.accept(new_mail())
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    assert not await queue.settle(settled(late, {0: TAKEN}, DeliveryState.DONE, creates=(copy_for("anna"),)))
    assert await queue.next_due() == {SALES: NOW}
