from sqlalchemy import Engine

from relay.model.destination import to_inbox
from relay.model.mail import UNNUMBERED, DeliveryState, NewDelivery, Recipient, RecipientKind
from relay.storage import admin
from relay.storage.queue import Queue
from tests.storage.conftest import INBOX, NOW, SALES, TAKEN, new_id, new_mail, settled

BERT = to_inbox("bert")


def copy_for(user: str) -> NewDelivery:
    recipient = Recipient(n=UNNUMBERED, address=user, kind=RecipientKind.INBOX)
    return NewDelivery(id=new_id("c"), destination=to_inbox(user), recipients=(recipient,), due=NOW)


async def body(queue: Queue, message_id: str) -> list[bytes]:
    return [chunk async for chunk in queue.chunks(message_id, 0)]


async def test_a_body_stays_until_the_copy_that_a_settlement_creates_is_done(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    (sent,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    done = settled(sent, {0: TAKEN, 1: TAKEN}, DeliveryState.DONE, creates=(copy_for("anna"), copy_for("bert")))
    assert await queue.settle(done)
    assert await queue.settle(done)
    assert await body(queue, mail.message.id) == [b"hello\r\n"]
    assert await queue.next_due() == {INBOX: NOW, BERT: NOW}
    (first,) = await queue.claim(INBOX, now=NOW, limit=9, open_now=True)
    assert [(one.n, one.address, one.kind) for one in first.recipients] == [(2, "anna", RecipientKind.INBOX)]
    assert await queue.settle(settled(first, {2: TAKEN}, DeliveryState.DONE))
    assert await body(queue, mail.message.id) == [b"hello\r\n"]
    (second,) = await queue.claim(BERT, now=NOW, limit=9, open_now=True)
    assert [one.n for one in second.recipients] == [3]
    assert await queue.settle(settled(second, {3: TAKEN}, DeliveryState.DONE))
    assert await body(queue, mail.message.id) == []
    shown = admin.show_message(engine, mail.message.id)
    assert {one.outcome for way in shown.deliveries for one in way.recipients} == {"delivered"}


async def test_a_settlement_that_comes_too_late_creates_nothing(queue: Queue) -> None:
    await queue.accept(new_mail())
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.requeue(late)
    assert not await queue.settle(settled(late, {0: TAKEN}, DeliveryState.DONE, creates=(copy_for("anna"),)))
    assert await queue.next_due() == {SALES: NOW}
