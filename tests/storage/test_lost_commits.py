"""Each write of the storage whose COMMIT loses its answer happens exactly once, or is said to be undone.

Each is run undisturbed first: what it gives and what it leaves in the database is what it must come to otherwise.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from relay.model.errors import StorageError
from relay.model.mail import AT_ONCE, DeliveryState, Pause
from relay.model.maildrop import Mailbox, MessageKey
from relay.model.reply import Reply
from relay.rules.turns import Cursor
from relay.storage import admin
from relay.storage.columns import metadata
from relay.storage.committer import Rank
from relay.storage.engine import WriteConnection
from relay.storage.mailboxes import Mailboxes
from relay.storage.queue import Queue
from relay.storage.quota import Count
from relay.storage.writer import Writer
from tests.storage import conftest
from tests.storage.conftest import INBOX, LATER, NEVER, NOW, SALES, TAKEN, new_copies, new_mail, settled

Case = AsyncGenerator[Any]
"""What comes before, then (after the first value) one write; the second value is what it gave."""
A, B, C, OLD = (MessageKey(uid) for uid in ("a", "b", "c", "old"))
CASES: dict[str, Callable[[Queue, Mailboxes], Case]] = {}
"""By the name of the operation that each runs."""

PAUSE = Pause(
    account="sales", since=NOW, until=None, reason="535", next_probe=NOW + 60, fingerprint="f", refusal=Reply(code=535)
)
COUNT = Count("sales", "2026-05-28", 3, most=5)


def _case(function: Callable[[Queue, Mailboxes], Case]) -> Callable[[Queue, Mailboxes], Case]:
    CASES[function.__name__] = function
    return function


# The queue


@_case
async def write_chunk(queue: Queue, _: Mailboxes) -> Case:
    yield None
    await queue.write_chunk("m", 0, 0, b"a body\r\n")
    yield None


@_case
async def accept(queue: Queue, _: Mailboxes) -> Case:
    if queue.is_shared:
        await queue.write_chunk("m", 1, 0, b"a body\r\n")
    yield None
    await queue.accept(new_mail(to=2, state=DeliveryState.ACTIVE))
    yield None


@_case
async def discard(queue: Queue, _: Mailboxes) -> Case:
    await queue.write_chunk("m", 0, 0, b"a body\r\n")
    yield None
    await queue.discard("m")
    yield None


@_case
async def claim(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    yield None
    yield [one.id for one in await queue.claim(SALES, now=NOW, limit=1, open_now=True)]


@_case
async def claim_by_id(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (known,) = await queue.queued_before("sales", NOW, 1)
    yield None
    yield await queue.claim_by_id(known) is not None


@_case
async def settle(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail(to=4))
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    split = replace(new_mail(account="archive").deliveries[0], recipients=one.recipients[3:])
    ending = settled(
        one,
        {0: TAKEN, 1: NEVER, 2: LATER},
        DeliveryState.QUEUED,
        due=NOW + 60,
        creates=(split, new_mail(notice=True, account="other")),
        events=(("archive_split", "by the provider"),),
    )
    yield None
    yield await queue.settle(ending)


@_case
async def mark_uncertain(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    yield None
    await queue.mark_uncertain(one)
    yield None


@_case
async def requeue(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    yield None
    yield await queue.requeue(one)


@_case
async def renew_leases(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    queue._claims.hold(one.id, one.token, queue._claims.begin() - 58)  # so that it has to be renewed
    yield None
    await queue.confirm(one)
    yield None


@_case
async def reserve(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    yield None
    yield [one.id for one, _ in await queue.prefetch(SALES, now=NOW, limit=9, cursor=Cursor())]


@_case
async def reclaim(queue: Queue, _: Mailboxes) -> Case:
    for _n in range(2):
        await queue.accept(new_mail())
    for one, doubtful in zip(await queue.claim(SALES, now=NOW, limit=2, open_now=True), (True, False), strict=True):
        queue.abandon(one, doubtful=doubtful)
    yield None
    yield [(one.id, one.uncertain) for one in await queue.reclaim(now=NOW)]


@_case
async def recover(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    yield None
    yield [(one.id, one.uncertain) for one in await queue.recover(now=NOW)]


@_case
async def hold_accounts(queue: Queue, _: Mailboxes) -> Case:
    for account in ("gone", "gone", "sales"):
        await queue.accept(new_mail(account=account))
    yield None
    yield await queue.hold_accounts(["gone"], now=NOW)


@_case
async def purge_history(queue: Queue, _: Mailboxes) -> Case:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    await queue.settle(settled(mail.deliveries[0], {0: TAKEN}, DeliveryState.DONE))
    yield None
    yield await queue.purge_history(NOW + 1, 9)


@_case
async def purge_arrivals(queue: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    await mailboxes.record("sales", "t", [A], now=NOW, arrivals=new_copies("a"))
    yield None
    yield await queue.purge_arrivals(NOW + 1, 9)


@_case
async def drop_delivered_bodies(queue: Queue, _: Mailboxes) -> Case:
    mail = new_mail(state=DeliveryState.ACTIVE)
    await queue.accept(mail)
    await queue.settle(settled(mail.deliveries[0], {0: TAKEN}, DeliveryState.DONE, keep_body=True))
    yield None
    yield await queue.drop_delivered_bodies(NOW + 1, 9)


@_case
async def tell_delay(queue: Queue, _: Mailboxes) -> Case:
    mail = new_mail()
    await queue.accept(mail)
    ids = [one.id for one in mail.deliveries]
    notice = new_mail(notice=True, account="other")
    yield None
    yield await queue.tell_delay(mail.message.id, ids, notice, at=NOW)


@_case
async def give_up(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (one,) = await queue.queued_before("sales", NOW, 1)
    notice = new_mail(notice=True, account="other")
    over = settled(one, {0: NEVER}, DeliveryState.DONE, attempted=False, counts=False, creates=(notice,))
    yield None
    yield await queue.give_up([over])


@_case
async def pull_back(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail(due=NOW + 99))
    yield None
    yield await queue.pull_back(now=NOW, latest=NOW + 9)


@_case
async def bring_forward(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail())
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    await queue.settle(settled(one, {0: LATER}, DeliveryState.QUEUED, due=NOW + 99))
    yield None
    yield await queue.bring_forward("sales", now=NOW)


@_case
async def mark_sent(queue: Queue, _: Mailboxes) -> Case:
    await queue.pause(PAUSE)
    ((alert, _delivery),) = await queue.pending_alerts()
    notice = new_mail(notice=True, account="other")
    yield None
    yield await queue.mark_sent(alert, (notice,))


@_case
async def move_notice(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail(notice=True))
    (notice,) = await queue.queued_notices("sales", NOW, 9)
    yield None
    yield await queue.move_notice(notice, INBOX, "anna", b"A: long\r\n", at=NOW + 1)


@_case
async def count_recipients(queue: Queue, _: Mailboxes) -> Case:
    yield None
    yield await queue.count_recipients(COUNT)


@_case
async def uncount_recipients(queue: Queue, _: Mailboxes) -> Case:
    await queue.count_recipients(COUNT)
    yield None
    await queue.uncount_recipients(replace(COUNT, recipients=1))
    yield None


@_case
async def count_part(queue: Queue, _: Mailboxes) -> Case:
    await queue.accept(new_mail(to=4))
    await queue.count_recipients(COUNT)
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    rest = new_mail().deliveries[0]
    yield None
    yield await queue.count_part(replace(COUNT, recipients=4), one, replace(rest, due=AT_ONCE))


@_case
async def pause(queue: Queue, _: Mailboxes) -> Case:
    yield None
    yield await queue.pause(PAUSE)


@_case
async def resume(queue: Queue, _: Mailboxes) -> Case:
    await queue.pause(PAUSE)
    yield None
    yield await queue.resume("sales", NOW + 5)


@_case
async def begin_probe(queue: Queue, _: Mailboxes) -> Case:
    await queue.pause(PAUSE)
    (lasting,) = await queue.pauses()
    yield None
    yield await queue.begin_probe(lasting, next_probe=NOW + 120, fingerprint="g")


@_case
async def fingerprint_key(queue: Queue, _: Mailboxes) -> Case:
    yield None
    key = await queue.fingerprint_key()
    yield key == await queue.fingerprint_key()


# The mailboxes


@_case
async def acquire_mailbox(_: Queue, mailboxes: Mailboxes) -> Case:
    yield None
    yield await mailboxes.acquire("sales", "t")


@_case
async def renew_mailbox(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    yield None
    yield await mailboxes.renew("sales", "t")


@_case
async def begin_mailbox(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    yield None
    await mailboxes.begin(
        "sales",
        "t",
        Mailbox(hosts=("one.example",), login="u", folders={"": ""}),
        is_new=True,
        skip=[OLD],
        now=NOW,
    )
    yield None


@_case
async def record_fetched(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    (before,) = new_copies("b")
    await mailboxes.record("sales", "t", [B], now=NOW, arrivals=[before])
    (again,), copies = new_copies("b"), new_copies("a", "anna", "bert")
    yield None
    known = await mailboxes.record(
        "sales",
        "t",
        [A, B],
        now=NOW,
        arrivals=[*copies, again],
        repeated=frozenset({again.id}),
    )
    yield known == {again.id: before.id}


@_case
async def record_listing(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    await mailboxes.record("sales", "t", [A, B, C], now=NOW)
    yield None
    await mailboxes.note_listing("sales", "t", gone=[A], back=[B], forget=[C], now=NOW)
    yield None


@_case
async def end_poll(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    yield None
    await mailboxes.end("sales", "t", now=NOW, error="connect: refused")
    yield None


@_case
async def release_mailbox(_: Queue, mailboxes: Mailboxes) -> Case:
    await mailboxes.acquire("sales", "t")
    yield None
    await mailboxes.release("sales", "t")
    yield None


# What happens to a COMMIT

Commit = Callable[[WriteConnection], None]


def _lost(commit: Commit, connection: WriteConnection) -> None:
    commit(connection)
    raise OSError("the answer is lost")


def _undone(_commit: Commit, connection: WriteConnection) -> None:
    connection.rollback()
    raise OSError("the answer is lost")


def _killed_before(commit: Commit, connection: WriteConnection) -> None:
    _kill(connection)
    commit(connection)


def _killed_behind(commit: Commit, connection: WriteConnection) -> None:
    commit(connection)
    _kill(connection)
    connection._driver.execute("SELECT 1")  # the driver says that the connection is gone


_KILL = text("SELECT pg_terminate_backend(:pid, 10000)")


def _kill(connection: WriteConnection) -> None:
    """Let PostgreSQL end the session that serves a connection."""
    with connection._connection.engine.connect() as other:
        assert other.execute(_KILL, {"pid": connection._driver.info.backend_pid}).scalar_one()


class _Commits:
    """Lets the next COMMITs suffer faults."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: list[Callable[[Commit, WriteConnection], None]] = []
        commit = WriteConnection.commit

        def suffer(connection: WriteConnection) -> None:
            if self.left:
                self.left.pop(0)(commit, connection)
            else:
                commit(connection)

        monkeypatch.setattr(WriteConnection, "commit", suffer)


class _Stage:
    """A database on which a case is run again and again."""

    def __init__(self, engine: Engine, commits: _Commits) -> None:
        self.engine, self.commits = engine, commits

    async def run(self, name: str, *faults: Callable[[Commit, WriteConnection], None]) -> tuple[Any, ...]:
        """Run a case in an empty database; gives what it gave, and the rows before and afterwards."""
        if name in {"renew_leases", "reserve"} and self.engine.dialect.name == "sqlite":
            pytest.skip("SQLite has no leases")
        if name in ("write_chunk", "discard") and self.engine.dialect.name == "sqlite":
            pytest.skip("what is written ahead is a file: tests/storage/test_bodies.py")
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete().where(text("key <> 'schema'" if table.name == "meta" else "true")))
        conftest._numbers = itertools.count(1)
        writer = Writer(self.engine)
        queue, mailboxes = Queue(self.engine, writer, node="n"), Mailboxes(self.engine, writer, node="n")
        steps = CASES[name](queue, mailboxes)
        await anext(steps)
        before = self.rows(queue)
        self.commits.left = [*faults]
        try:
            given = await anext(steps)
        except StorageError as error:
            given = str(error)
        finally:
            await steps.aclose()
        assert self.commits.left == []
        after = self.rows(queue)
        await queue.close()
        return given, before, after

    def rows(self, queue: Queue) -> dict[str, list[Any]]:
        """Give all rows, without what is made by chance; of a claim it is told whether it is known to be run."""
        found: dict[str, list[Any]] = {}
        with self.engine.connect() as connection:
            for table in metadata.sorted_tables:
                for row in connection.execute(select(table)).mappings():
                    one = dict(row)
                    if "lease_until" in one:
                        one["lease_until"] = one["lease_until"] is not None
                    if table.name == "delivery" and one["state"] == "active":
                        one["token"] = queue._claims.runs(one["id"], one["token"])
                    if table.name == "meta" and one["key"].startswith(("node/", "fingerprint_key")):
                        one["value"] = ""
                    if table.name != "meta" or not one["key"].startswith("batch/"):
                        found.setdefault(table.name, []).append(sorted(one.items()))
        return {name: sorted(rows, key=repr) for name, rows in found.items()}


@pytest.fixture
def stage(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> _Stage:
    monkeypatch.setattr("relay.storage.committer._PAUSES", (0.0,))
    monkeypatch.setattr(conftest, "_numbers", itertools.count(1))
    return _Stage(engine, _Commits(monkeypatch))


def test_there_is_a_case_for_each_write() -> None:
    # A question has its answer before the commit.
    of_others = {Rank.WATCH, Rank.BACKUP_BEGUN, Rank.BACKUP_DONE, Rank.BACKUP_FAILED, Rank.CONFIRM, Rank.NOTHING}
    assert sorted(CASES) == sorted(rank.name.lower() for rank in {*Rank} - of_others)


@pytest.mark.parametrize("name", CASES)
async def test_a_write_whose_commit_gets_no_answer_happens_once(stage: _Stage, name: str) -> None:
    expected = await stage.run(name)
    _, before, after = expected
    assert name in ("renew_leases", "renew_mailbox", "reserve") or before != after
    for fault in (_lost, _undone):
        assert await stage.run(name, fault) == expected
    assert await stage.run(name, _undone, _lost) == expected


@pytest.mark.parametrize("name", CASES)
async def test_a_write_that_never_takes_effect_is_said_to_be_undone(stage: _Stage, name: str) -> None:
    given, before, after = await stage.run(name, _undone, _undone, _undone)
    assert given == "COMMIT failed: database: OSError"
    assert after == before


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", CASES)
async def test_a_write_whose_session_is_killed_at_the_commit_happens_once(stage: _Stage, name: str) -> None:
    expected = await stage.run(name)
    for fault in (_killed_before, _killed_behind):
        assert await stage.run(name, fault) == expected


async def test_a_doubt_outlives_a_look_whose_commit_fails(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = _Commits(monkeypatch)
    queue = Queue(engine, Writer(engine))
    await queue.accept(new_mail())
    (one,) = await queue.claim(SALES, now=NOW, limit=1, open_now=True)
    queue.abandon(one, doubtful=True)
    commits.left = [_undone] * 3
    with pytest.raises(StorageError):
        await queue.reclaim(now=NOW)
    assert queue.has_orphans
    assert [(found.id, found.uncertain) for found in await queue.reclaim(now=NOW)] == [(one.id, 1)]
    assert not queue._claims.doubts
    await queue.close()


@pytest.mark.parametrize("fault", [_lost, _undone])
async def test_recipients_of_one_batch_are_counted_once_each(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Commit, WriteConnection], None]
) -> None:
    commits = _Commits(monkeypatch)
    queue = Queue(engine, Writer(engine))
    commits.left = [fault]
    assert await asyncio.gather(*(queue.count_recipients(replace(COUNT, recipients=2)) for _ in range(3))) == [
        True, True, False,
    ]  # fmt: skip
    assert commits.left == []
    assert admin.count_of_day(engine, COUNT.day) == {"sales": 4}
    await queue.close()
