import pytest
from sqlalchemy import Engine

from relay.model.errors import NotFoundError, StateConflictError
from relay.model.mail import DeliveryState
from relay.model.reply import Reply
from relay.storage import admin
from relay.storage.admin import AccountNews, read_news
from relay.storage.queue import Queue
from tests.peers.deliveries import Selection, count_open, list_deliveries
from tests.storage.conftest import LATER, NOW, SALES, TAKEN, new_mail, settled


async def test_lists_show_what_waits_and_what_was_said_last(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(to=2), new_mail(account="other", user=None), new_mail(state=DeliveryState.ACTIVE)]
    for mail in mails:
        await queue.accept(mail)
    await queue.settle(settled(mails[2].deliveries[0].id, {0: LATER}, DeliveryState.HELD, reply=LATER.reply))
    rows = list_deliveries(engine, Selection(states=("queued", "held")))
    assert [row.message_id for row in rows] == [mail.message.id for mail in mails]
    ((last,),) = [delivery.tries for delivery in admin.show_message(engine, rows[2].message_id).deliveries]
    assert str(Reply(code=last.code, enhanced=last.enhanced, text=last.reply)) == "451 4.3.0 later"
    assert [r.address for r in rows[0].recipients] == ["n0@x.example", "n1@x.example"]
    assert [row.state for row in list_deliveries(engine, Selection(states=("held",)))] == ["held"]
    assert len(list_deliveries(engine, Selection(states=("queued", "held"), account="other"))) == 1
    assert len(list_deliveries(engine, Selection(states=("queued", "held"), user="anna"))) == 2
    assert len(list_deliveries(engine, Selection(states=("queued", "held", "done")), limit=2)) == 2
    assert count_open(engine) == {("sales", "queued"): 1, ("sales", "held"): 1, ("other", "queued"): 1}


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


async def test_a_mail_is_shown_whole(queue: Queue, engine: Engine) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE, why="one\ntwo")
    await queue.accept(mail)
    await queue.settle(settled(mail.deliveries[0].id, {0: TAKEN}, DeliveryState.DONE, reply=TAKEN.reply))
    detail = admin.show_message(engine, mail.message.id)
    assert (detail.rule, detail.why, detail.notice) == ("1a", "one\ntwo", False)
    ((attempt,),) = [delivery.tries for delivery in detail.deliveries]
    assert (attempt.n, attempt.code, attempt.reply) == (1, 250, "taken")


MINUTE = 60_000
LOST = Reply(code=0, enhanced="4.4.1", text="x: Connection refused")


async def attempt(queue: Queue, at: int, reply: Reply, *, done: bool = False) -> None:
    """Let the mail that waits be tried once."""
    (claimed,) = await queue.claim(SALES, now=at, limit=1, open_now=True)
    state = DeliveryState.DONE if done else DeliveryState.QUEUED
    await queue.settle(settled(claimed, {0: TAKEN if done else LATER}, state, reply=reply, at=at, due=at))


async def test_the_last_success_and_the_failures_since_then_are_known(engine: Engine, queue: Queue) -> None:
    assert read_news(engine, now=NOW) == {}
    await queue.accept(new_mail())
    await attempt(queue, NOW + MINUTE, LOST)
    await attempt(queue, NOW + 2 * MINUTE, LATER.reply)
    assert read_news(engine, now=NOW) == {
        "sales": AccountNews(
            last_sent=None, last_error=LATER.reply, failed_at=NOW + 2 * MINUTE, failing_since=NOW + MINUTE
        )
    }
    await attempt(queue, NOW + 3 * MINUTE, TAKEN.reply, done=True)
    assert read_news(engine, now=NOW) == {"sales": AccountNews(last_sent=NOW + 3 * MINUTE)}
    await queue.accept(new_mail())
    for minute in (4, 5):
        await attempt(queue, NOW + minute * MINUTE, LOST)
    assert read_news(engine, now=NOW)["sales"] == AccountNews(
        last_sent=NOW + 3 * MINUTE, last_error=LOST, failed_at=NOW + 5 * MINUTE, failing_since=NOW + 4 * MINUTE
    )
