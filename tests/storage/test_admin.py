import pytest
from sqlalchemy import Engine

from relay.model.errors import NotFoundError, StateConflictError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.storage import admin, commands
from relay.storage.queue import Queue
from tests.storage.conftest import LATER, NOW, TAKEN, new_mail, settled


async def test_lists_show_what_waits_and_what_was_said_last(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(to=2), new_mail(account="other", user=None), new_mail(state=DeliveryState.ACTIVE)]
    for mail in mails:
        await queue.accept(mail)
    await queue.settle(settled(mails[2].deliveries[0].id, {0: LATER}, DeliveryState.HELD, reply=LATER.reply))
    rows = admin.list_deliveries(engine, admin.Selection(states=("queued", "held")))
    assert [row.message_id for row in rows] == [mail.message.id for mail in mails]
    assert rows[2].last_reply == "451 4.3.0 later"
    assert [r.address for r in rows[0].recipients] == ["n0@x.example", "n1@x.example"]
    assert [row.state for row in admin.list_deliveries(engine, admin.Selection(states=("held",)))] == ["held"]
    assert len(admin.list_deliveries(engine, admin.Selection(states=("queued", "held"), account="other"))) == 1
    assert len(admin.list_deliveries(engine, admin.Selection(states=("queued", "held"), user="anna"))) == 2
    assert len(admin.list_deliveries(engine, admin.Selection(states=("queued", "held", "done")), limit=2)) == 2
    assert admin.count_open(engine) == {"sales": {"queued": 1, "held": 1}, "other": {"queued": 1}}


async def test_mails_are_found_by_id_beginning_and_message_id(queue: Queue, engine: Engine) -> None:
    one, two = new_mail(), new_mail(header_message_id="<a@b>")
    twin = new_mail(header_message_id="<a@b>")
    for mail in (one, two, twin):
        await queue.accept(mail)
    assert admin.find_messages(engine, one.message.id) == [one.message.id]
    assert admin.find_messages(engine, f" {one.message.id.upper()} ") == [one.message.id]
    assert (
        admin.find_messages(engine, "<a@b>") == admin.find_messages(engine, "a@b") == [two.message.id, twin.message.id]
    )
    with pytest.raises(StateConflictError, match="several"):
        admin.find_messages(engine, one.message.id[:8])
    for text in ("m", "", "zzzzzzzz", "<no@id>", "m%", "' OR 1=1", "\x00" * 10):
        with pytest.raises(NotFoundError):
            admin.find_messages(engine, text)
    with pytest.raises(NotFoundError):
        admin.show_message(engine, "nothing")


async def test_hold_release_retry_and_run(queue: Queue, engine: Engine) -> None:
    mail = new_mail(due=NOW + 99)
    await queue.accept(mail)
    ids = [mail.message.id]
    assert commands.hold(engine, ids, now=NOW) == 1
    assert await queue.next_due() == {}
    assert commands.release(engine, ids, now=NOW + 5) == 1
    (claimed,) = await queue.claim("sales", now=NOW, limit=1, open_now=False)
    assert (claimed.since, claimed.attempts, claimed.uncertain) == (NOW + 5, 0, 0)
    with pytest.raises(StateConflictError, match="being delivered"):
        commands.hold(engine, ids, now=NOW)
    await queue.settle(settled(claimed.id, {0: LATER}, DeliveryState.QUEUED, due=NOW + 99))
    assert commands.retry(engine, ids, now=NOW) == 1
    assert await queue.next_due() == {"sales": AT_ONCE}
    assert commands.run_queue(engine) == 1
    assert commands.release(engine, ids, now=NOW) == 0


async def test_delete_removes_everything_but_not_what_is_being_delivered(queue: Queue, engine: Engine) -> None:
    active, waiting = new_mail(state=DeliveryState.ACTIVE), new_mail()
    for mail in (active, waiting):
        await queue.accept(mail)
    ids = [active.message.id, waiting.message.id]
    with pytest.raises(StateConflictError, match=active.message.id):
        commands.delete(engine, ids)
    assert len(admin.list_deliveries(engine, admin.Selection(states=("queued", "active")))) == 2
    await queue.settle(settled(active.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    assert commands.delete(engine, ids) == 2
    assert [chunk async for chunk in queue.chunks(waiting.message.id, 0)] == []
    assert admin.list_deliveries(engine, admin.Selection(states=("queued", "active", "done"))) == []


async def test_a_mail_is_shown_whole(queue: Queue, engine: Engine) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE, why="one\ntwo")
    await queue.accept(mail)
    await queue.settle(settled(mail.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE, reply=TAKEN.reply))
    detail = admin.show_message(engine, mail.message.id)
    assert (detail.rule, detail.why, detail.notice) == ("1a", "one\ntwo", False)
    ((attempt,),) = [delivery.tries for delivery in detail.deliveries]
    assert (attempt.n, attempt.code, attempt.reply) == (1, 250, "taken")
