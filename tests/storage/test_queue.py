"""The queue against a simple model of it, through crashes and commands, on both databases."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from relay.model.destination import Destination, to_account
from relay.model.errors import StorageError
from relay.model.mail import AT_ONCE, ClaimedDelivery, DeliveryState, NewDelivery, NewMessage
from relay.model.reply import Outcome, Verdict
from relay.storage import commands
from relay.storage.access import asks
from relay.storage.bodies import folder_of
from relay.storage.columns import metadata
from relay.storage.commands import Done
from relay.storage.committer import Operation
from relay.storage.engine import WriteConnection, open_engine, transaction
from relay.storage.queue import Queue
from relay.storage.transaction import Transaction
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.peers.deliveries import Selection, list_deliveries
from tests.storage.conftest import INBOX, LATER, NEVER, NOW, SALES, TAKEN, empty_postgresql, new_id, new_mail, settled

T = TypeVar("T")
LINE = b"hello\r\n"
STATES = ("queued", "active", "held", "done")


class _DyingConnection(WriteConnection):
    """Writes, and commits nothing."""

    def commit(self) -> None:
        raise StorageError("the process is dead")


@dataclass
class _Delivery:
    """What the model knows of one delivery."""

    message: str
    state: str
    account: str = "sales"
    pending: dict[int, str] = field(default_factory=dict)
    due: int = NOW
    uncertain: int = 0
    marked: int = 0
    token: str = ""

    def is_claimed_by(self, one: ClaimedDelivery) -> bool:
        """Tell whether a claim still holds: a crash may have taken it away, and another may have been made."""
        return self.state == "active" and self.token == one.token


class QueueMachine(RuleBasedStateMachine):
    """Accepts, claims, settles, splits, crashes; the model says what must stand in the database after each step."""

    url: ClassVar[str]
    claimed: Bundle[ClaimedDelivery] = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._open()
        with self._engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name != "meta":
                    connection.execute(table.delete())
        self.model: dict[str, _Delivery] = {}
        self.outcomes: dict[tuple[str, int], str] = {}

    def _open(self) -> None:
        self._engine: Engine = open_engine(self.url)
        self._writer = Writer(self._engine)
        self._queue = Queue(self._engine, self._writer)

    def _close(self) -> None:
        self._run(self._queue.close())
        self._engine.dispose()

    def teardown(self) -> None:
        self._close()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    # Steps

    @initialize()
    def begin(self) -> None:
        assert self._run(self._queue.next_due()) == {}

    @rule(target=claimed, to=st.integers(1, 3), active=st.booleans(), inbox=st.booleans(), large=st.booleans())
    def accept(self, to: int, active: bool, inbox: bool, large: bool) -> Any:  # noqa: ANN401 - hypothesis' multiple
        state = DeliveryState.ACTIVE if active else DeliveryState.QUEUED
        mail = new_mail(to=to, state=state, account="" if inbox else "sales", chunks=() if large else (LINE,))
        if large:
            self._run(self._write_ahead(mail.message.id, LINE[:3]))
            mail = replace(mail, chunks=((0, 1, LINE[3:]),))
        self._run(self._queue.accept(mail))
        (delivery,) = mail.deliveries
        account, people = delivery.destination.account, dict.fromkeys(range(to), "pending")
        self.model[delivery.id] = _Delivery(mail.message.id, state.value, account, people)
        self.outcomes |= {(mail.message.id, n): "pending" for n in range(to)}
        if not active:
            return multiple()
        return ClaimedDelivery(
            id=delivery.id, destination=delivery.destination, version=0, attempts=0, uncertain=0, since=NOW,
            message=mail.message, recipients=delivery.recipients, token=delivery.token,
        )  # fmt: skip

    @rule(
        target=claimed,
        limit=st.integers(1, 3),
        open_now=st.booleans(),
        account=st.sampled_from(["sales", "other", ""]),
    )
    def claim(self, limit: int, open_now: bool, account: str) -> Any:  # noqa: ANN401 - see above
        found = self._run(
            self._queue.claim(to_account(account) if account else INBOX, now=NOW, limit=limit, open_now=open_now)
        )
        for one in found:
            delivery = self.model[one.id]
            assert delivery.state == "queued"
            assert open_now or delivery.due == AT_ONCE
            assert {r.n for r in one.recipients} == set(delivery.pending)
            assert one.uncertain == delivery.uncertain
            delivery.state, delivery.token = "active", one.token
        return multiple(*found)

    @rule(one=consumes(claimed), verdicts=st.lists(st.sampled_from([TAKEN, LATER, NEVER]), min_size=3, max_size=3))
    def settle(self, one: ClaimedDelivery, verdicts: list[Outcome]) -> None:
        delivery = self.model.get(one.id)
        if delivery is None:
            return
        if not delivery.is_claimed_by(one):
            assert delivery.state == "done" or not self._run(self._queue.settle(settled(one, {}, DeliveryState.DONE)))
            return
        outcomes = {r.n: verdicts[i] for i, r in enumerate(one.recipients)}
        left = {n for n, outcome in outcomes.items() if outcome.verdict is Verdict.DEFERRED}
        state = DeliveryState.QUEUED if left else DeliveryState.DONE
        settlement = settled(one, outcomes, state, due=NOW, uncertain=delivery.uncertain)
        for _ in range(2):
            self._run(self._queue.settle(settlement))
        for n, outcome in outcomes.items():
            self.outcomes[delivery.message, n] = "pending" if n in left else outcome.verdict.value
        delivery.state, delivery.due, delivery.marked = state.value, NOW if left else AT_ONCE, 0
        delivery.pending = dict.fromkeys(left, "pending")

    @rule(one=consumes(claimed))
    def split(self, one: ClaimedDelivery) -> None:
        delivery = self.model.get(one.id)
        if delivery is None or not delivery.is_claimed_by(one) or len(one.recipients) < 2:
            return
        first, *rest = one.recipients
        new = NewDelivery(id=new_id("s"), destination=one.destination, recipients=tuple(rest), due=NOW)
        self._run(self._queue.settle(settled(one, {first.n: TAKEN}, DeliveryState.DONE, creates=(new,))))
        self.outcomes[delivery.message, first.n] = "delivered"
        self.model[new.id] = _Delivery(delivery.message, "queued", one.account, {r.n: "pending" for r in rest})
        delivery.state, delivery.pending, delivery.due = "done", {}, AT_ONCE

    @rule(one=claimed)
    def mark(self, one: ClaimedDelivery) -> None:
        delivery = self.model.get(one.id)
        if delivery is not None and delivery.is_claimed_by(one):
            self._run(self._queue.mark_uncertain(one))
            delivery.marked = 1

    @rule(one=consumes(claimed))
    def give_back(self, one: ClaimedDelivery) -> None:
        held = self._run(self._queue.requeue(one))
        delivery = self.model.get(one.id)
        assert held == (delivery is not None and delivery.is_claimed_by(one))
        if delivery is not None and held:
            delivery.state, delivery.marked = "queued", 0

    @rule(
        mails=st.lists(st.sampled_from([DeliveryState.QUEUED, DeliveryState.ACTIVE]), max_size=3),
        moment=st.sampled_from(["nothing is written", "nothing is committed", "nobody is told"]),
    )
    def crash(self, mails: list[DeliveryState], moment: str) -> None:
        """Abandon everything while mails come in: what is committed is there, and nothing of the rest."""
        coming = [new_mail(state=state) for state in mails]
        self._run(self._die(coming, moment))
        self._engine.dispose()
        self._open()
        for mail in coming if moment == "nobody is told" else ():
            (delivery,) = mail.deliveries
            self.model[delivery.id] = _Delivery(mail.message.id, delivery.state.value, pending={0: "pending"})
            self.outcomes[mail.message.id, 0] = "pending"
        self._recover()

    async def _die(self, coming: list[NewMessage], moment: str) -> None:
        commit = self._writer._committer.commit

        def die(*batch: Any) -> None:  # noqa: ANN401 - the writer's own
            if moment == "nobody is told":
                commit(*batch)
            raise StorageError("the process is dead")

        if moment == "nothing is committed":
            self._writer._committer._connection = _DyingConnection(self._engine)
            self._writer._committer._find_out = lambda _name: None  # type: ignore[method-assign, assignment]  # it is dead: it asks nothing
        else:
            self._writer._committer.commit = die  # type: ignore[method-assign, assignment]
        clients = [asyncio.create_task(self._queue.accept(mail)) for mail in coming]
        said = await asyncio.gather(*clients, return_exceptions=True)
        assert all(isinstance(one, StorageError) for one in said)
        self._writer._inbox.put(None)
        await asyncio.to_thread(self._writer._thread.join)
        self._queue._readers.shutdown()

    def _recover(self) -> None:
        doubted = {one.id: one.uncertain for one in self._run(self._queue.recover(now=NOW))}
        for delivery_id, delivery in self.model.items():
            if delivery.state != "active":
                continue
            if delivery_id in doubted:
                delivery.uncertain += 1 + delivery.marked
                assert doubted[delivery_id] == delivery.uncertain
            delivery.state = "held" if delivery.uncertain >= 2 else "queued"
            delivery.due, delivery.marked = AT_ONCE, 0

    # What the service does by itself

    @rule()
    def hold_accounts(self) -> None:
        held = {one.id for one in self._run(self._queue.hold_accounts(["sales", "gone"], now=NOW))}
        assert held == {i for i, d in self.model.items() if (d.account, d.state) == ("sales", "queued")}
        for delivery_id in held:
            self.model[delivery_id].state = "held"

    @rule()
    def purge(self) -> None:
        open_ones = {delivery.message for delivery in self.model.values() if delivery.state != "done"}
        over = {delivery.message for delivery in self.model.values()} - open_ones
        assert self._run(self._queue.purge_history(NOW + 1, 1000)) == len(over)
        self.model = {i: delivery for i, delivery in self.model.items() if delivery.message not in over}
        self.outcomes = {key: outcome for key, outcome in self.outcomes.items() if key[0] not in over}

    @rule(abort=st.booleans())
    def sweep(self, abort: bool) -> None:
        if abort:
            coming = new_mail()
            self._run(self._write_ahead(coming.message.id, LINE))
            self._run(self._queue.discard(coming.message.id))
        self._run(self._queue.sweep_bodies())
        if (folder := folder_of(Path(self._engine.url.database or ""))).exists():
            waiting = {delivery.message for delivery in self.model.values() if delivery.state != "done"}
            assert {path.stem for path in folder.iterdir()} <= waiting

    # Commands

    @rule(
        pick=st.randoms(use_true_random=False),
        command=st.sampled_from(["hold", "release", "retry", "delete", "move"]),
    )
    def command(self, pick: Any, command: str) -> None:  # noqa: ANN401 - a random.Random
        if not self.model:
            return
        message = self.model[pick.choice(sorted(self.model))].message
        mine = [delivery for delivery in self.model.values() if delivery.message == message]
        act: Callable[[], Done] = {
            "hold": lambda: commands.hold(self._engine, [message], now=NOW),
            "release": lambda: commands.release(self._engine, [message], now=NOW),
            "retry": lambda: commands.retry(self._engine, [message], now=NOW),
            "delete": lambda: commands.delete(self._engine, [message], now=NOW),
            "move": lambda: commands.move(
                self._engine, [message], "other", lambda header, _user: header, reverse_path="x@y.example", now=NOW
            ),
        }[command]
        done = act()
        assert bool(done.count) != bool(done.skipped)
        if done.skipped:
            assert {*done.skipped} == {message}
            return
        if command in ("delete", "move"):
            assert not any(delivery.state == "active" for delivery in mine)
        self._model_command(command, message, mine)

    def _model_command(self, command: str, message: str, mine: list[_Delivery]) -> None:
        for delivery in mine:
            if command == "hold" and delivery.state == "queued":
                delivery.state = "held"
            elif command == "release" and delivery.state == "held":
                delivery.state, delivery.due, delivery.uncertain = "queued", AT_ONCE, 0
            elif command == "retry" and delivery.state == "queued":
                delivery.due = AT_ONCE
            elif command == "move" and delivery.state in ("queued", "held"):
                delivery.account = delivery.account and "other"
            elif command == "delete" and delivery.state != "done":
                self.outcomes |= {(message, n): "bounced" for n in delivery.pending}
                delivery.state, delivery.pending = "done", {}

    # What must hold

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        rows = list_deliveries(self._engine, Selection(states=STATES), limit=10_000)
        found_rows = {row.id: (row.state, row.account) for row in rows}
        assert found_rows == {i: (delivery.state, delivery.account) for i, delivery in self.model.items()}
        found = {(row.message_id, r.n): r.outcome for row in rows for r in row.recipients}
        assert found == self.outcomes
        queued: dict[Destination, int] = {}
        for row in rows:
            if row.state == "queued":
                lane = to_account(row.account) if row.account else INBOX
                queued[lane] = min(row.due, queued.get(lane, row.due))
        assert self._run(self._queue.next_due()) == queued

    @invariant()
    def a_body_is_there_as_long_as_somebody_waits_for_it(self) -> None:
        with self._engine.connect() as connection:
            bodies = set(connection.execute(text("SELECT DISTINCT message_id FROM content")).scalars())
        assert bodies == {delivery.message for delivery in self.model.values() if delivery.state != "done"}
        for message in bodies:
            assert self._run(self._read(message)) == LINE

    async def _write_ahead(self, message: str, data: bytes) -> None:
        await self._queue.write_chunk(message, 0, 0, data)

    async def _read(self, message: str) -> bytes:
        return b"".join([chunk async for chunk in self._queue.chunks(message, 0)])


@pytest.fixture(params=["sqlite", "postgresql"])
def machine_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('machine')}/relay.db"
    else:
        yield empty_postgresql(request.getfixturevalue("postgresql"))


def test_the_queue_is_what_it_says_through_crashes_and_commands(machine_url: str) -> None:
    engine = open_engine(machine_url)
    prepare_database(engine)
    engine.dispose()
    QueueMachine.url = machine_url
    examples = 25 if machine_url.startswith("sqlite") else 8
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


async def test_a_large_body_is_read_one_chunk_at_a_time(queue: Queue) -> None:
    mail = new_mail(chunks=tuple(bytes([n]) * 1000 for n in range(20)))
    await queue.accept(mail)
    assert [chunk async for chunk in queue.chunks(mail.message.id, 0)] == [bytes([n]) * 1000 for n in range(20)]


async def test_a_closed_queue_says_so(engine: Engine) -> None:
    queue = Queue(engine, Writer(engine))
    await queue.close()
    with pytest.raises(StorageError, match="closed"):
        await queue.next_due()


async def test_a_fault_in_a_read_is_not_a_closed_queue(queue: Queue) -> None:
    def fail(_tx: Transaction) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    with pytest.raises(RuntimeError, match="changed size"):
        await asks(fail)(queue)


async def test_a_read_sees_one_moment_in_all_its_queries(engine: Engine, queue: Queue) -> None:
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT count(*) FROM message") == [(0,)]
        await queue.accept(new_mail())
        assert tx.raw("SELECT count(*) FROM message") == [(0,)]


async def test_a_chunk_is_synced_since_a_server_may_lose_it_while_we_live_on(queue: Queue) -> None:
    assert queue._write_chunks.synced


@pytest.mark.parametrize(
    ("engine", "what"), [("postgresql", "chunk"), ("postgresql", "mail"), ("sqlite", "mail")], indirect=["engine"]
)
async def test_a_client_waits_for_its_mail_or_a_chunk_of_it_no_longer_than_the_patience(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_tx: Transaction, arguments: Sequence[None]) -> list[None]:
        begun.set()
        assert go_on.wait(30)
        return list(arguments)

    waiting = queue._writer.submit(Operation(0, hang), None)
    await asyncio.to_thread(begun.wait, 30)
    monkeypatch.setattr("relay.storage.queue.PATIENCE", 0.05)
    handed_in = queue.accept(new_mail()) if what == "mail" else queue.write_chunk(new_id("m"), 0, 0, b"x")
    try:
        with pytest.raises(StorageError, match=r"does not answer within 0.05 s\Z"):
            await asyncio.wait_for(handed_in, 5)
    finally:
        go_on.set()
        await waiting
    assert await queue.next_due() == {}  # it was withdrawn


DAY = 86_400_000


async def test_history_goes_when_nothing_of_a_mail_waits(queue: Queue) -> None:
    done, waiting = new_mail(), new_mail()
    for mail in (done, waiting):
        await queue.accept(mail)
    (claimed, _) = await queue.claim(SALES, now=NOW, limit=2, open_now=True)
    await queue.settle(settled(claimed, {0: TAKEN}, DeliveryState.DONE))
    await queue.requeue(_)
    assert await queue.purge_history(NOW + DAY, 9) == 1
    assert await queue.oldest_since("sales") == NOW
