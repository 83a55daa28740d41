from sqlalchemy import Engine

from relay.model.mail import DeliveryState
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.storage import admin
from relay.storage.queue import Queue
from relay.storage.waiting import DelayTold
from tests.storage.conftest import NOW, new_mail, settled

LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=451, enhanced="4.3.0", text="later"))


async def test_who_waits_is_told_once(queue: Queue, engine: Engine) -> None:
    mail, notice = new_mail(), new_mail(notice=True)
    await queue.accept(mail)
    assert await queue.waiting_since(mail.message.received_at - 1, 10) == []
    (waiting,) = await queue.waiting_since(mail.message.received_at, 10)
    assert (waiting.message.id, waiting.warned) == (mail.message.id, False)
    told = DelayTold(message_id=mail.message.id, delivery_ids=(waiting.id,), at=NOW, notice=notice)
    await queue.tell_delay(told)
    assert await queue.waiting_since(NOW * 2, 1) != [waiting]
    assert [event.what for event in admin.show_message(engine, mail.message.id).events] == ["delay_told"]
    assert admin.show_message(engine, notice.message.id).notice


async def test_what_is_old_is_claimed_whenever_it_is_due(queue: Queue) -> None:
    await queue.accept(new_mail())
    assert await queue.claim_old("sales", before=0, limit=10) == []
    (old,) = await queue.claim_old("sales", before=NOW * 2, limit=10)
    assert await queue.claim_old("sales", before=NOW * 2, limit=10) == []
    await queue.unclaim([old.id])


async def test_what_a_wrong_clock_put_off_is_pulled_back(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    (one,) = await queue.claim("sales", now=NOW * 2, limit=1, open_now=True)
    await queue.settle(settled(one.id, {r.n: LATER for r in one.recipients}, DeliveryState.QUEUED, due=NOW * 9))
    assert await queue.pull_back(now=NOW, latest=NOW * 9) == 0
    assert await queue.pull_back(now=NOW, latest=NOW * 8) == 1
    assert await queue.next_due() == {"sales": NOW}


async def test_the_last_reply_of_each_delivery(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    (one,) = await queue.claim("sales", now=NOW * 2, limit=1, open_now=True)
    assert await queue.last_replies([one.id]) == {}
    for text in ("first", "last"):
        reply = Reply(code=451, text=text)
        await queue.settle(settled(one.id, {}, DeliveryState.QUEUED, due=NOW, reply=reply))
    assert await queue.last_replies([one.id, "other"]) == {one.id: Reply(code=451, text="last")}
