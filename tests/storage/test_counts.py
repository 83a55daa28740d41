from sqlalchemy import Engine

from relay.storage import counts
from relay.storage.listing import MailFilter
from relay.storage.queue import Queue
from tests.peers.deliveries import count_open
from tests.storage.conftest import NOW, new_mail


async def test_mails_are_counted_by_what_waits_of_them(queue: Queue, engine: Engine) -> None:
    sales, later, other = new_mail(), new_mail(due=NOW + 5), new_mail(account="other", user="bert")
    for mail in (sales, later, other):
        await queue.accept(mail)
    ids = [mail.message.id for mail in (sales, later, other)]
    assert count_open(engine) == {("sales", "queued"): 2, ("other", "queued"): 1}
    assert counts.count_waiting(engine, [*ids, "none"]) == 3
    assert counts.next_attempts(engine, ids, "sales", now=NOW) == [(later.message.id, NOW + 5)]
    assert counts.count_held(engine, ids, "sales") == 0
    assert counts.accounts_of(engine, ids) == ["other", "sales"]
    assert counts.is_known(engine, "account", "other")
    assert not counts.is_known(engine, "account", "bert")
    assert counts.is_known(engine, "user", "bert")
    assert counts.select_messages(engine, MailFilter(account="sales")) == sorted(ids[:2])
    assert counts.count_messages(engine, MailFilter(account="sales")) == (2, max(ids[:2]))


async def test_many_mails_are_chosen_page_by_page(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(to=2) for _ in range(5)]
    for mail in mails:
        await queue.accept(mail)
    first, *_, last = ids = sorted(mail.message.id for mail in mails)
    anything = MailFilter()
    assert counts.count_messages(engine, anything) == (5, last)
    assert counts.select_messages(engine, anything, limit=2) == ids[:2]
    assert counts.select_messages(engine, anything, after=ids[1], limit=2) == ids[2:4]
    assert counts.select_messages(engine, anything, after=first, upto=ids[3]) == ids[1:4]
    assert counts.select_messages(engine, anything, among=[last, "none"]) == [last]
    assert counts.select_messages(engine, MailFilter(states=())) == []
    assert counts.count_messages(engine, MailFilter(states=())) == (0, "")
