import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from relay.model.destination import to_account
from relay.model.errors import ClaimLostError, StorageError
from relay.model.mail import AT_ONCE, ClaimedDelivery, DeliveryState
from relay.rules.notice_texts import Alert
from relay.rules.turns import Cursor
from relay.storage import admin, claiming, reclaiming
from relay.storage.engine import WriteConnection, open_engine, transaction
from relay.storage.prefetch import Prefetch
from relay.storage.queue import Queue
from relay.storage.transaction import Transaction
from relay.storage.writer import Writer
from tests.storage.conftest import INBOX, LATER, NOW, SALES, TAKEN, new_mail, settled


async def claim(
    queue: Queue, account: str = "sales", *, now: int = NOW, limit: int = 9, open_now: bool = True
) -> list[str]:
    return [
        found.message.id for found in await queue.claim(to_account(account), now=now, limit=limit, open_now=open_now)
    ]


async def test_only_what_is_due_is_claimed_the_oldest_first_and_once(queue: Queue) -> None:
    mails = [new_mail(due=NOW - 1), new_mail(due=NOW - 2), new_mail(due=NOW + 1), new_mail(account="other")]
    for mail in mails:
        await queue.accept(mail)
    ids = [mail.message.id for mail in mails]
    assert await claim(queue, limit=1) == [ids[1]]
    assert await claim(queue) == [ids[0]]
    assert await claim(queue) == []
    assert await claim(queue, now=NOW + 1) == [ids[2]]
    assert await claim(queue, "other") == [ids[3]]


async def test_outside_of_the_hours_only_what_is_wanted_at_once(queue: Queue) -> None:
    ordinary, urgent = new_mail(), new_mail(due=AT_ONCE)
    for mail in (ordinary, urgent):
        await queue.accept(mail)
    assert await claim(queue, open_now=False) == [urgent.message.id]


async def test_what_is_given_back_is_as_it_was(queue: Queue) -> None:
    await queue.accept(new_mail())
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert await queue.requeue(claimed)
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert replace(again, token="") == replace(claimed, token="")
    assert again.token != claimed.token


async def test_two_claims_at_once_share_nothing(queue: Queue) -> None:
    for _ in range(20):
        await queue.accept(new_mail())
    claims = await asyncio.gather(*(queue.claim(SALES, now=NOW, limit=7, open_now=True) for _ in range(5)))
    found = [one.id for several in claims for one in several]
    assert len(found) == len(set(found)) == 20


async def test_what_was_active_at_a_crash_is_queued_at_once_and_doubted(queue: Queue) -> None:
    active = new_mail(state=DeliveryState.ACTIVE)
    notice = new_mail(account="", state=DeliveryState.ACTIVE)
    for mail in (active, notice, new_mail(due=NOW + 99)):
        await queue.accept(mail)
    (found,) = await queue.recover(now=NOW)
    assert (found.message.id, found.uncertain) == (active.message.id, 1)
    assert await queue.next_due() == {SALES: AT_ONCE, INBOX: AT_ONCE}
    assert await claim(queue, open_now=False) == [active.message.id]
    (again,) = await queue.recover(now=NOW)
    assert again.uncertain == 2
    assert await claim(queue) == []  # held: a person decides


async def test_a_dot_that_was_marked_is_held_at_once_after_a_crash(queue: Queue) -> None:
    await queue.accept(new_mail())
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.mark_uncertain(claimed)
    (found,) = await queue.recover(now=NOW)
    assert found.uncertain == 2
    assert await queue.next_due() == {}


async def test_orphans_of_a_crash_are_swept(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    await queue.write_chunk("0" * 26, 0, 0, b"orphan")
    await queue.recover(now=NOW + 86_400_000 * 2)
    assert [chunk async for chunk in queue.chunks("0" * 26, 0)] == []
    assert [chunk async for chunk in queue.chunks(mail.message.id, 0)] == [b"hello\r\n"]


async def test_of_what_a_crash_holds_people_are_owed_an_alert(queue: Queue) -> None:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    await queue.recover(now=NOW)
    assert await queue.pending_alerts() == []
    (again,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.recover(now=NOW)
    ((alert, delivery),) = await queue.pending_alerts()
    assert (alert.kind, alert.delivery_id) == (Alert.UNCERTAIN_HELD, again.id)
    assert delivery is not None
    assert delivery.message.id == mail.message.id


async def test_mail_of_accounts_that_are_gone_is_held(queue: Queue) -> None:
    mails = [new_mail(account=name) for name in ("gone", "gone", "sales")]
    for mail in mails:
        await queue.accept(mail)
    held = await queue.hold_accounts(["gone", "nobody"], now=NOW)
    assert [one.message_id for one in held] == [mail.message.id for mail in mails[:2]]
    assert await queue.next_due() == {SALES: NOW}
    assert [(alert.account, alert.count) for alert, _ in await queue.pending_alerts()] == [("gone", 2)]


async def test_a_long_queue_is_held_in_steps_and_each_mail_says_why(queue: Queue, engine: Engine) -> None:
    mails = [new_mail(account="gone") for _ in range(5)]
    for mail in mails:
        await queue.accept(mail)
    assert [len(await queue.hold_accounts(["gone"], now=NOW, limit=2)) for _ in range(4)] == [2, 2, 1, 0]
    assert [alert.count for alert, _ in await queue.pending_alerts()] == [5]
    (event,) = admin.show_message(engine, mails[0].message.id).events
    assert (event.what, event.detail) == ("held", "the account gone is gone or excluded")


async def test_next_due_is_the_smallest_of_each_lane(queue: Queue) -> None:
    assert await queue.next_due() == {}
    for account, due in (("b", 5), ("a", 7), ("b", 3), ("", 9)):
        await queue.accept(new_mail(account=account, due=due))
    assert await queue.next_due() == {INBOX: 9, to_account("a"): 7, to_account("b"): 3}
    assert await queue.queued_accounts() == {"a", "b"}


async def test_a_delivery_that_was_settled_is_claimed_again_when_it_is_due(queue: Queue) -> None:
    await queue.accept(new_mail(to=2))
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED, due=NOW + 5))
    assert await claim(queue, now=NOW + 4) == []
    (again,) = await queue.claim(SALES, now=NOW + 5, limit=1, open_now=True)
    assert [r.n for r in again.recipients] == [1]
    assert again.attempts == 1


async def test_sources_take_turns_and_the_newest_may_go_first(queue: Queue) -> None:
    mailing = [new_mail(source="a", due=NOW - 9 + n) for n in range(4)]
    others = [new_mail(source=source, due=NOW) for source in ("b", "c")]
    for mail in (*mailing, *others):
        await queue.accept(mail)
    order, served = [], ""
    for newest in (False, False, False, True, False, False):
        (found,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor(served), newest=newest)
        order.append(found.message.id)
        served = found.message.source
    expected = (mailing[0], others[0], others[1], mailing[3], mailing[1], mailing[2])
    assert order == [mail.message.id for mail in expected]


async def test_a_source_whose_mail_is_not_due_is_passed_over(queue: Queue) -> None:
    later = [new_mail(source=source, due=NOW + 5) for source in "abd"]
    due = new_mail(source="c")
    for mail in (*later, due):
        await queue.accept(mail)
    for served in ("", "a", "c", "d", "zzz"):
        (found,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor(served))
        assert found.message.id == due.message.id
        await queue.requeue(found)
    assert await queue.claim(SALES, now=NOW - 1, limit=1, open_now=True, cursor=Cursor("b")) == []
    assert await queue.next_due() == {SALES: NOW}


def known(delivery_id: str, account: str = "sales", tried: int = 0) -> ClaimedDelivery:
    message = new_mail().message
    return ClaimedDelivery(
        id=delivery_id, destination=to_account(account), version=0, attempts=0, uncertain=0, since=NOW,
        message=message, recipients=(), tried=tried,
    )  # fmt: skip


async def test_one_that_is_known_is_taken_once_and_only_for_its_account(queue: Queue) -> None:
    mails = [new_mail(), new_mail(), new_mail(account="other")]
    for mail in mails:
        await queue.accept(mail)
    first, second, other = (mail.deliveries[0].id for mail in mails)
    wishes = [known(first), known(first), known(other), known(other, "other"), known("unknown")]
    assert [await queue.claim_by_id(wish) is not None for wish in wishes] == [True, False, False, True, False]
    assert await claim(queue) == [mails[1].message.id]
    assert not await queue.claim_by_id(known(second))


async def test_one_that_was_tried_since_it_was_read_is_not_taken(queue: Queue) -> None:
    mail = new_mail(to=2)
    await queue.accept(mail)
    ((before, _),) = await queue.prefetch(Prefetch(SALES, NOW, 9))
    (claimed,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN, 1: LATER}, DeliveryState.QUEUED))
    assert not await queue.claim_by_id(before)
    ((after, _),) = await queue.prefetch(Prefetch(SALES, NOW, 9))
    assert [recipient.n for recipient in after.recipients] == [1]
    assert await queue.claim_by_id(after)


async def test_those_that_are_taken_together_share_a_commit(queue: Queue) -> None:
    mails = [new_mail() for _ in range(20)]
    for mail in mails:
        await queue.accept(mail)
    assert all(await asyncio.gather(*(queue.claim_by_id(known(mail.deliveries[0].id)) for mail in mails)))
    assert await claim(queue) == []


async def test_of_two_that_take_the_same_at_once_one_gets_it(queue: Queue) -> None:
    mail = new_mail()
    await queue.accept(mail)
    taken = await asyncio.gather(*(queue.claim_by_id(known(mail.deliveries[0].id)) for _ in range(5)))
    assert [one is not None for one in taken] == [True, False, False, False, False]


async def served_in_turn(queue: Queue, count: int, *, newest: bool = False) -> list[str]:
    """Claim one after the other as a lane does; gives the sources."""
    order: list[str] = []
    cursor = Cursor()
    for _ in range(count):
        claimed = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=cursor, newest=newest)
        order += [one.message.source for one in claimed]
        cursor = cursor.after(order[-1])
    return order


async def test_users_take_turns_first_and_the_kinds_of_each(queue: Queue) -> None:
    for source in ("anna 1", "anna 2", "anna 3", "anna 3", "anna! 7", "bert 1", "bert 1", "relay"):
        await queue.accept(new_mail(source=source))
    assert await served_in_turn(queue, 8) == [
        *("anna 1", "anna! 7", "bert 1", "relay"),
        *("anna 2", "bert 1", "anna 3", "anna 3"),
    ]


async def test_of_a_user_the_newest_of_all_kinds_may_go_first(queue: Queue) -> None:
    for source, age in (("anna 1", 3), ("anna 2", 1), ("anna 3", 2), ("bert 9", 4), ("anna 2", -1)):
        await queue.accept(new_mail(source=source, due=NOW - age))
    assert await served_in_turn(queue, 4, newest=True) == ["anna 2", "bert 9", "anna 3", "anna 1"]


async def test_the_kinds_of_a_user_go_on_from_the_first_again(queue: Queue) -> None:
    for source in ("anna 1", "anna 2", "anna 9"):
        await queue.accept(new_mail(source=source))
    order = []
    for last in ("anna 5", "anna 9", "anna 1"):
        (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True, cursor=Cursor().after(last))
        order.append(one.message.source)
    assert order == ["anna 9", "anna 1", "anna 2"]


async def test_a_running_node_takes_up_what_others_left_and_never_its_own(engine: Engine) -> None:
    mine, other = (Queue(engine, Writer(engine), node=name) for name in ("mine", "other"))
    own, abandoned, living = (new_mail(state=DeliveryState.ACTIVE) for _ in range(3))
    await mine.accept(own)
    for mail in (abandoned, living):
        await other.accept(mail)
    with transaction(engine, write=True) as tx:
        shared = tx.is_shared
        tx.raw("UPDATE delivery SET lease_until = 0 WHERE message_id IN (?, ?)", own.message.id, abandoned.message.id)
    found = [one.message.id for one in await mine.reclaim(now=NOW)]
    assert found == ([abandoned.message.id] if shared else [])
    assert await mine.reclaim(now=NOW) == []
    for queue in (mine, other):
        await queue.close()


async def test_what_nobody_runs_is_taken_up_as_it_was_or_doubted_where_its_dot_may_be_out(queue: Queue) -> None:
    for _ in range(3):
        await queue.accept(new_mail())
    runs, unsent, sent = [(await queue.claim(SALES, now=NOW, limit=1, open_now=True))[0] for _ in range(3)]
    assert not queue.has_orphans
    queue.abandon(unsent, doubtful=False)
    queue.abandon(sent, doubtful=True)
    assert queue.has_orphans
    (found,) = await queue.reclaim(now=NOW)
    assert (found.id, found.uncertain) == (sent.id, 1)
    assert not queue.has_orphans
    assert {one.id for one in await queue.claim(SALES, now=NOW, limit=9, open_now=True)} == {
        unsent.id,
        sent.id,
    }
    assert await queue.settle(settled(runs, {0: TAKEN}, DeliveryState.DONE))
    assert await queue.reclaim(now=NOW) == []


def _lose_answers(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Callable[[WriteConnection], None]:
    """Let each COMMIT take effect, and nobody learn of it; gives what it was before."""
    commit = WriteConnection.commit

    def lost(connection: WriteConnection) -> None:
        commit(connection)
        raise sqlite3.OperationalError("the answer is lost")

    monkeypatch.setattr(WriteConnection, "commit", lost)
    monkeypatch.setattr(queue._writer._committer, "_find_out", lambda _name: None)
    return commit


async def test_a_claim_or_a_mail_whose_answer_never_came_is_taken_up(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue.accept(new_mail())
    await queue.accept(new_mail(source="other"))
    ((known_one, _), *_) = await queue.prefetch(Prefetch(SALES, NOW, 9))
    commit = _lose_answers(queue, monkeypatch)
    for fail in (queue.claim_by_id(known_one), queue.claim(SALES, now=NOW, limit=1, open_now=True),
                 queue.accept(new_mail(state=DeliveryState.ACTIVE))):  # fmt: skip
        with pytest.raises(StorageError):
            await fail
    monkeypatch.setattr(WriteConnection, "commit", commit)
    assert await queue.next_due() == {}
    assert queue.has_orphans
    assert await queue.reclaim(now=NOW) == []
    found = [
        one for _ in range(2) for one in await queue.claim(SALES, now=NOW, limit=9, open_now=True, cursor=Cursor("-"))
    ]
    assert len({one.id for one in found}) == 3


async def test_a_node_that_slept_through_its_lease_is_told_before_its_dot(postgresql_tables: str) -> None:
    engine = open_engine(postgresql_tables)
    first, second = (Queue(engine, Writer(engine), node=node, lease=60_000) for node in ("first", "second"))
    mail = new_mail(account="slept")
    await first.accept(mail)
    (late,) = await first.claim(to_account("slept"), now=NOW, limit=1, open_now=True)
    await first.confirm(late)
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE delivery SET lease_until = 1 WHERE id = ?", late.id)
    assert late.id in {one.id for one in await second.reclaim(now=NOW)}
    (running,) = await second.claim(to_account("slept"), now=NOW, limit=1, open_now=True)
    first._claims._held[late.id].until = 0.0  # its own clock says that the lease is over
    with pytest.raises(ClaimLostError):
        await first.confirm(late)
    assert not await first.settle(settled(late, {0: LATER}, DeliveryState.QUEUED, due=NOW))
    second._claims._held[running.id].until = 0.0
    await second.confirm(running)  # the database prolongs it
    assert await second.settle(settled(running, {0: TAKEN}, DeliveryState.DONE))
    for queue in (first, second):
        await queue.close()
    engine.dispose()


async def test_leases_are_prolonged_for_what_really_runs(postgresql_tables: str) -> None:
    engine = open_engine(postgresql_tables)
    queue = Queue(engine, Writer(engine), node="renews", lease=60_000)
    for _ in range(2):
        await queue.accept(new_mail(account="renews"))
    runs, lost = [(await queue.claim(to_account("renews"), now=NOW, limit=1, open_now=True))[0] for _ in range(2)]
    queue.abandon(lost, doubtful=False)
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE delivery SET lease_until = 1 WHERE node = 'renews'")
    await queue.renew_leases()
    with transaction(engine, write=False) as tx:
        until: dict[str, int] = dict(tx.raw("SELECT id, lease_until FROM delivery WHERE node = 'renews'"))
    assert until[lost.id] == 1
    assert until[runs.id] > 1
    await queue.close()
    engine.dispose()


async def test_a_lane_that_empties_between_two_looks_is_no_error(engine: Engine) -> None:
    class Emptied(Transaction):
        def rows(self, sql: Any, /, *parameters: Any, **named: Any) -> Any:  # noqa: ANN401 - see its base
            return [("sales",)] if sql == claiming._LANES else super().rows(sql, *parameters, **named)

    with transaction(engine, write=False) as tx:
        assert claiming.next_due(Emptied(tx._driver, tx._dialect)) == {}


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_what_changes_hands_between_two_queries_of_a_look_is_left_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look has read that nobody runs an own row; another node takes it up and claims it before it is locked."""
    one, other = (Queue(engine, Writer(engine), node=name) for name in ("one", "other"))
    await one.accept(new_mail())
    (mine,) = await one.claim(to_account("sales"), now=NOW, limit=1, open_now=True)
    one.abandon(mine, doubtful=True)
    real = Transaction.rows
    claimed: list[bool] = []

    def rows(self: Transaction, sql: Any, /, *parameters: Any, **named: Any) -> Any:  # noqa: ANN401 - see it
        found = real(self, sql, *parameters, **named)
        if sql is reclaiming._SELECT_OWN and not claimed:
            claimed.append(True)
            with engine.begin() as connection:
                connection.execute(text("UPDATE delivery SET node = 'other', token = 'theirs'"))
        return found

    monkeypatch.setattr(Transaction, "rows", rows)
    assert await one.reclaim(now=NOW) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT state, token FROM delivery")).one() == ("active", "theirs")
    for queue in (one, other):
        await queue.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_a_node_notices_that_another_was_started_in_its_name(engine: Engine) -> None:
    one, copy = (Queue(engine, Writer(engine), node="one") for _ in range(2))
    assert await one.is_alone()  # it has not begun
    await one.recover(now=NOW)
    assert await one.is_alone()
    await copy.recover(now=NOW)
    assert not await one.is_alone()
    assert await copy.is_alone()
    for queue in (one, copy):
        await queue.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_the_database_is_asked_before_the_dot_since_its_clock_may_have_been_set(engine: Engine) -> None:
    one, other = (Queue(engine, Writer(engine), node=name) for name in ("one", "other"))
    await one.accept(new_mail())
    (mine,) = await one.claim(to_account("sales"), now=NOW, limit=1, open_now=True)
    await one.confirm(mine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE delivery SET lease_until = 0"))
    await other.reclaim(now=NOW)
    with pytest.raises(ClaimLostError):
        await one.confirm(mine)
    for queue in (one, other):
        await queue.close()


async def test_what_this_node_claims_anew_is_not_taken_up_once_its_first_attempt_settles_late(
    queue: Queue, engine: Engine
) -> None:
    await queue.accept(new_mail())
    (late,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    with engine.begin() as connection:  # another node took it up, and gave it back
        connection.execute(text("UPDATE delivery SET state = 'queued', token = '', node = ''"))
    (running,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    assert not await queue.settle(settled(late, {0: LATER}, DeliveryState.QUEUED, due=NOW))
    queue.abandon(late, doubtful=False)
    assert await queue.reclaim(now=NOW) == []
    assert await queue.settle(settled(running, {0: TAKEN}, DeliveryState.DONE))


@pytest.mark.parametrize("known_before", [False, True])
async def test_a_claim_that_failed_is_looked_after_at_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, *, known_before: bool
) -> None:
    """It may stand in the database, where nobody runs it: the mail would wait for the look of every minute."""
    await queue.accept(new_mail())
    ((known_one, _),) = await queue.prefetch(Prefetch(SALES, NOW, 9))
    commit = _lose_answers(queue, monkeypatch)
    with pytest.raises(StorageError):
        await (queue.claim_by_id(known_one) if known_before else queue.claim(SALES, now=NOW, limit=1, open_now=True))
    monkeypatch.setattr(WriteConnection, "commit", commit)
    assert queue.has_orphans
    assert await queue.reclaim(now=NOW) == []
    assert not queue.has_orphans
    assert [one.id for one in await queue.claim(SALES, now=NOW, limit=9, open_now=True)] == [known_one.id]
