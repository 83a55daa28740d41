import pytest
from sqlalchemy import Engine

from relay.model.errors import RelayError, StateConflictError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.storage import admin, commands
from relay.storage.queue import Queue
from tests.storage.conftest import LATER, NOW, TAKEN, new_mail, settled


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


async def test_only_what_was_changed_is_noted(queue: Queue, engine: Engine) -> None:
    waiting, done = new_mail(), new_mail(state=DeliveryState.ACTIVE)
    for mail in (waiting, done):
        await queue.accept(mail)
    await queue.settle(settled(done.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE))
    ids = [waiting.message.id, done.message.id]
    assert commands.hold(engine, ids, now=NOW) == 1
    assert commands.retry(engine, ids, now=NOW) == 0
    assert commands.release(engine, ids, now=NOW) == 1
    assert [e.what for e in admin.show_message(engine, ids[0]).events] == ["held", "released"]
    assert admin.show_message(engine, ids[1]).events == ()


async def test_mail_moves_whole_or_not_at_all(queue: Queue, engine: Engine) -> None:
    waiting, held, active = new_mail(), new_mail(), new_mail(state=DeliveryState.ACTIVE)
    for mail in (waiting, held, active):
        await queue.accept(mail)
    commands.hold(engine, [held.message.id], now=NOW)

    def rewrite(header: bytes, user: str | None) -> bytes:
        assert user == "anna"
        return b"X: 1\r\n" + header

    with pytest.raises(StateConflictError, match="being delivered"):
        commands.move(engine, [waiting.message.id, active.message.id], "other", rewrite, now=NOW)

    def refuse(_header: bytes, _user: str | None) -> bytes:
        raise RelayError("may not")

    with pytest.raises(RelayError, match="may not"):
        commands.move(engine, [waiting.message.id], "other", refuse, now=NOW)
    assert set(admin.count_open(engine)) == {"sales"}
    assert commands.move(engine, [waiting.message.id, held.message.id], "other", rewrite, now=NOW) == 2
    (moved,) = await queue.claim("other", now=NOW, limit=9, open_now=True)
    assert moved.message.header.startswith(b"X: 1\r\n")
    assert moved.message.size == waiting.message.size + 6
    assert admin.show_message(engine, held.message.id).deliveries[0].state == "held"
