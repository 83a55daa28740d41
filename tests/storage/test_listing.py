from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine

from relay.model.ids import make_id
from relay.model.mail import DeliveryState
from relay.model.state import State
from relay.rules.states import state_of
from relay.storage import admin, listing
from relay.storage.engine import transaction
from relay.storage.listing import DELIVERY_STATES, MailFilter, count_mails, find_mails, list_mails, read_mails
from relay.storage.queue import Queue
from tests.peers.deliveries import count_open
from tests.storage.conftest import NOW, new_mail

OUTCOMES = ("pending", "delivered", "bounced")


def end(engine: Engine, queue_id: str, outcomes: Sequence[tuple[str, str]], state: str) -> None:
    """Let a mail's recipients be of these kinds, with these outcomes."""
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE delivery SET state = ? WHERE message_id = ?", state, queue_id)
        for n, (kind, outcome) in enumerate(outcomes):
            tx.raw(
                "UPDATE recipient SET kind = ?, outcome = ? WHERE message_id = ? AND n = ?", kind, outcome, queue_id, n
            )


async def test_a_list_finds_each_mail_by_the_state_that_the_rules_give_it(queue: Queue, engine: Engine) -> None:
    ends = [
        ([("to", one), ("to", other), ("archive", copy)], state)
        for one in OUTCOMES
        for other in OUTCOMES
        for copy in OUTCOMES
        for state in (("queued", "active", "held") if "pending" in (one, other, copy) else ("done",))
    ]
    mails = [new_mail(to=3, state=DeliveryState.QUEUED) for _ in ends]
    for mail, (outcomes, state) in zip(mails, ends, strict=True):
        await queue.accept(mail)
        end(engine, mail.message.id, outcomes, state)
    everything = list_mails(engine, MailFilter(states=tuple(State)))
    assert list_mails(engine, MailFilter(states=())) == []
    assert [row.id for row in everything] == sorted((mail.message.id for mail in mails), reverse=True)
    for state in State:
        found = {row.id for row in list_mails(engine, MailFilter(states=[state]))}
        if state.is_open:  # whatever of a mail is so, its blind copy, too
            wanted = {row.id for row in everything if DELIVERY_STATES[state] in {way.state for way in row.deliveries}}
        else:
            wanted = {row.id for row in everything if state_of(row.deliveries) is state}
        assert found == wanted
        assert found


async def test_lists_are_narrowed_by_what_people_know(queue: Queue, engine: Engine) -> None:
    mails = [
        new_mail(
            id=make_id(NOW + n, bytes(10)), received_at=NOW + n, user=("anna", "bert")[n % 2], account="abc"[n % 3]
        )
        for n in range(6)
    ]
    for mail in mails:
        await queue.accept(mail)
    ids = [mail.message.id for mail in mails]

    def found(**wanted: object) -> list[int]:
        return [ids.index(row.id) for row in list_mails(engine, MailFilter(**wanted))]  # type: ignore[arg-type]

    assert found() == [5, 4, 3, 2, 1, 0]
    assert found(user="bert") == [5, 3, 1]
    assert found(account="c") == [5, 2]
    assert found(since=NOW + 4) == [5, 4]
    assert found(until=NOW + 1) == [0]
    assert found(since=NOW + 1, until=NOW + 3, user="anna") == [2]
    assert found(recipient="N0@*") == [5, 4, 3, 2, 1, 0]
    assert found(recipient="n1@*") == []
    assert [row.id for row in list_mails(engine, MailFilter(), limit=2)] == [ids[5], ids[4]]
    assert [row.id for row in read_mails(engine, [ids[0], ids[3]])] == [ids[3], ids[0]]
    assert count_mails(engine, finished=False) == {"waiting": 6}
    assert count_mails(engine, finished=True) == {"waiting": 6, "all": 6}


async def test_a_mail_of_several_deliveries_is_one_row(queue: Queue, engine: Engine) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    with transaction(engine, write=True) as tx:
        tx.raw(
            "INSERT INTO delivery (id, message_id, destination, version, state, due, since, uncertain, node)"
            " SELECT 'more', message_id, 'account:other', 1, 'held', 0, 0, 0, '' FROM delivery"
        )
        tx.raw("UPDATE recipient SET delivery_id = 'more' WHERE n = 1")
    (row,) = list_mails(engine, MailFilter())
    assert [(way.account, way.state, len(way.recipients)) for way in row.deliveries] == [
        ("sales", "queued", 1), ("other", "held", 1),
    ]  # fmt: skip
    assert state_of(row.deliveries) is State.HELD
    assert list_mails(engine, MailFilter(states=[State.WAITING])) == [row]
    assert count_mails(engine, finished=False) == {"waiting": 1, "held": 1}


async def test_a_mail_is_found_by_the_id_of_its_delivery(queue: Queue, engine: Engine) -> None:
    mail = new_mail(header_message_id="<odd>", id=make_id(NOW, bytes(10)))
    delivery_id, queue_id = make_id(NOW, b"\1" * 10), mail.message.id
    await queue.accept(replace(mail, deliveries=(replace(mail.deliveries[0], id=delivery_id),)))
    file = f"{delivery_id}.0:2,S"  # of a notice in an inbox
    for text in (delivery_id, delivery_id.upper(), "<odd>", "odd", queue_id, file):
        assert admin.find_messages(engine, text) == [queue_id]


async def test_a_list_costs_what_it_shows_and_not_the_history(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return
    statements = {
        "open": MailFilter(),
        "newest": MailFilter(states=tuple(State)),
        "delivered": MailFilter(states=[State.DELIVERED]),
        "since": MailFilter(states=tuple(State), since=NOW, user="anna"),
    }
    for name, wanted in statements.items():
        form = find_mails(wanted, 9).form("sqlite")
        with engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {form.text}", form.bind({}))]
        assert not any("TEMP B-TREE" in step for step in plan), name  # the newest come first by themselves
        assert not any(step.startswith("SCAN delivery") and "delivery_open" not in step for step in plan), name
        assert name != "open" or not any(step.startswith("SCAN message") for step in plan)
        assert name != "since" or any("id>?" in step for step in plan)
        assert name not in ("newest", "since") or not any(step.startswith("SCAN recipient") for step in plan)


async def test_mails_are_counted_by_what_waits_of_them(queue: Queue, engine: Engine) -> None:
    sales, later, other = new_mail(), new_mail(due=NOW + 5), new_mail(account="other", user="bert")
    for mail in (sales, later, other):
        await queue.accept(mail)
    ids = [mail.message.id for mail in (sales, later, other)]
    assert count_open(engine) == {("sales", "queued"): 2, ("other", "queued"): 1}
    assert listing.count_waiting(engine, [*ids, "none"]) == 3
    assert listing.next_attempts(engine, ids, "sales", now=NOW) == [(later.message.id, NOW + 5)]
    assert listing.count_held(engine, ids, "sales") == 0
    assert listing.accounts_of(engine, ids) == ["other", "sales"]
    assert listing.is_known(engine, "account", "other")
    assert not listing.is_known(engine, "account", "bert")
    assert listing.is_known(engine, "user", "bert")
    assert listing.select_messages(engine, MailFilter(account="sales")) == sorted(ids[:2])
    assert listing.count_messages(engine, MailFilter(account="sales")) == (2, max(ids[:2]))


async def test_many_mails_are_chosen_page_by_page(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(to=2) for _ in range(5)]
    for mail in mails:
        await queue.accept(mail)
    first, *_, last = ids = sorted(mail.message.id for mail in mails)
    anything = MailFilter()
    assert listing.count_messages(engine, anything) == (5, last)
    assert listing.select_messages(engine, anything, limit=2) == ids[:2]
    assert listing.select_messages(engine, anything, after=ids[1], limit=2) == ids[2:4]
    assert listing.select_messages(engine, anything, after=first, upto=ids[3]) == ids[1:4]
    assert listing.select_messages(engine, anything, among=[last, "none"]) == [last]
    assert listing.select_messages(engine, MailFilter(states=())) == []
    assert listing.count_messages(engine, MailFilter(states=())) == (0, "")
