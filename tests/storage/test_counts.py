from sqlalchemy import Engine

from relay.storage import counts
from relay.storage.queue import Queue
from relay.storage.selection import Selection
from tests.storage.conftest import NOW, new_mail


async def test_mails_are_counted_by_what_waits_of_them(queue: Queue, engine: Engine) -> None:
    sales, later, other = new_mail(), new_mail(due=NOW + 5), new_mail(account="other", user="bert")
    for mail in (sales, later, other):
        await queue.accept(mail)
    ids = [mail.message.id for mail in (sales, later, other)]
    assert counts.count_open(engine) == {"sales": {"queued": 2}, "other": {"queued": 1}}
    assert counts.count_waiting(engine, [*ids, "none"]) == 3
    assert counts.next_attempts(engine, ids, "sales", now=NOW) == [(later.message.id, NOW + 5)]
    assert counts.count_held(engine, ids, "sales") == 0
    assert counts.accounts_of(engine, ids) == ["other", "sales"]
    assert counts.is_known(engine, "account", "other")
    assert not counts.is_known(engine, "account", "bert")
    assert counts.is_known(engine, "user", "bert")
    assert counts.select_messages(engine, Selection(account="sales")) == sorted(ids[:2])
