"""What the attempts of an account say last, on SQLite and on PostgreSQL."""

from sqlalchemy import Engine

from relay.model.mail import DeliveryState
from relay.model.reply import Reply
from relay.storage.account_news import AccountNews, read_news
from relay.storage.queue import Queue
from tests.storage.conftest import LATER, NOW, SALES, TAKEN, new_mail, settled

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
