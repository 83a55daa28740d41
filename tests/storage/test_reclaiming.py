import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from relay.model.destination import to_account
from relay.model.errors import ClaimLostError, StorageError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.rules.notice_texts import Alert
from relay.rules.turns import Cursor
from relay.storage import reclaiming
from relay.storage.engine import WriteConnection, open_engine, transaction
from relay.storage.queue import Queue
from relay.storage.transaction import Transaction
from relay.storage.writer import Writer
from tests.storage.conftest import INBOX, LATER, NOW, SALES, TAKEN, new_mail, settled
from tests.storage.test_claiming import claim


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


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # on SQLite they are files: test_bodies.py
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
    ((known_one, _), *_) = await queue.prefetch(SALES, now=NOW, limit=9, cursor=Cursor())
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
    first._claims._running[late.id].until = 0.0  # its own clock says that the lease is over
    with pytest.raises(ClaimLostError):
        await first.confirm(late)
    assert not await first.settle(settled(late, {0: LATER}, DeliveryState.QUEUED, due=NOW))
    second._claims._running[running.id].until = 0.0
    await second.confirm(running)  # the database prolongs it
    assert await second.settle(settled(running, {0: TAKEN}, DeliveryState.DONE))
    for queue in (first, second):
        await queue.close()
    engine.dispose()


async def test_leases_are_prolonged_for_what_really_runs(postgresql_tables: str) -> None:
    engine = open_engine(postgresql_tables)
    queue = Queue(engine, Writer(engine), node="renews", lease=60_000)
    for _ in range(3):
        await queue.accept(new_mail(account="renews"))
    runs, lost, taken = [
        (await queue.claim(to_account("renews"), now=NOW, limit=1, open_now=True))[0] for _ in range(3)
    ]
    queue.abandon(lost, doubtful=False)
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE delivery SET lease_until = 1 WHERE node = 'renews'")
        tx.raw("UPDATE delivery SET token = 'of another claim' WHERE id = ?", taken.id)
    await queue.renew_leases()
    with transaction(engine, write=False) as tx:
        until: dict[str, int] = dict(tx.raw("SELECT id, lease_until FROM delivery WHERE node = 'renews'"))
    assert (until[lost.id], until[taken.id]) == (1, 1)
    assert until[runs.id] > 1
    with pytest.raises(ClaimLostError):
        await queue.confirm(taken)
    await queue.close()
    engine.dispose()


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
    (theirs,) = await other.claim(to_account("sales"), now=NOW, limit=1, open_now=True)
    assert theirs.id == mine.id  # it is active again, by another token
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
    ((known_one, _),) = await queue.prefetch(SALES, now=NOW, limit=9, cursor=Cursor())
    commit = _lose_answers(queue, monkeypatch)
    with pytest.raises(StorageError):
        await (queue.claim_by_id(known_one) if known_before else queue.claim(SALES, now=NOW, limit=1, open_now=True))
    monkeypatch.setattr(WriteConnection, "commit", commit)
    assert queue.has_orphans
    assert await queue.reclaim(now=NOW) == []
    assert not queue.has_orphans
    assert [one.id for one in await queue.claim(SALES, now=NOW, limit=9, open_now=True)] == [known_one.id]
