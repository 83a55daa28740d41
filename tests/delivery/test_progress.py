"""Random mails, and one fault after another: no mail is without progress for longer than one look at the queue.

Between two faults the service has a look's time. Then nothing is `active` that nobody runs, and nothing is due that
could go. In the end every mail has arrived, bounced with a notice, or waits for a person; whoever may have got it twice
is named; and no claim has been settled by two attempts.
"""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from relay.delivery import attempt, settlements, storing
from relay.delivery.dispatcher import LONGEST_LOOK
from relay.delivery.lanes import Lane
from relay.model.destination import to_account
from relay.model.errors import StorageError
from relay.storage import admin
from relay.storage.engine import WriteConnection
from relay.storage.queue import Queue
from relay.storage.writer import Writer
from relay.transports.smtp import SmtpTransport
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.storage.conftest import empty_postgresql, postgresql_server

T = TypeVar("T")
PEOPLE = ("a@example.net", "b@example.net")
LOOK = round(LONGEST_LOOK * 1000)
RETRY = {"intervals": ["1 min", "5 min"], "give_up_after": "3 d", "warn_after": "1 d"}
ANSWERS: dict[str, str] = {
    "MAIL": "451 4.3.0 later",
    "RCPT": "450 4.2.0 later",
    "RCPT a@example.net": "550 5.1.1 no",
    "DATA": "451 4.3.0 later",
    "DOT": "451 4.3.0 later",
    "DOT a@example.net": "lost after taking",
    "DOT b@example.net": "lost",
    "CONNECT": "421 4.3.2 too many connections",
    "EHLO reply": "lost",
    "AUTH": "535 5.7.8 no",
}
"""What the provider may say, one at a time."""
POINTS: dict[str, Callable[[Office], tuple[object, str]]] = {
    "quota": lambda office: (office.delivery._attempter._quota, "reserve"),
    "transport": lambda _: (SmtpTransport, "deliver"),
    "before the dot": lambda office: (office.queue, "confirm"),
    "what was learnt": lambda _: (Lane, "learn"),
    "disposition": lambda _: (attempt, "decide_disposition"),
    "splits": lambda _: (settlements, "splits_of"),
    "settlement": lambda office: (office.queue, "settle"),
    "log": lambda _: (attempt, "log_disposition"),
    "quota's end": lambda office: (office.delivery._attempter._quota, "settle"),
    "claim": lambda office: (office.queue, "claim"),
    "claim by id": lambda office: (office.queue, "claim_by_id"),
    "requeue": lambda office: (office.queue, "requeue"),
    "next": lambda office: (office.delivery._worker, "_next"),
    "look": lambda office: (office.queue, "next_due"),
    "take up": lambda office: (office.queue, "reclaim"),
    "notice": lambda office: (office.delivery.notifications.policy, "of_attempt"),
    "pause": lambda office: (office.queue, "pause"),
}
"""Where a fault of ours, or of the database, may come."""


class ProgressMachine(RuleBasedStateMachine):
    """An office with a provider that a fault hits now and then."""

    server: ClassVar[str] = ""
    """The URL of a PostgreSQL server whose database is emptied; empty: a SQLite file."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._stack = contextlib.AsyncExitStack()
        self._ids: dict[str, int] = {}
        """Queue id -> how many recipients it has."""
        self._count = 0
        self._since: dict[str, int] = {}
        """Delivery id -> since when it should go on."""
        self._settled: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """(delivery id, token) -> keys of the attempts that were settled by it."""
        self._run(self._open())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _open(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._lines = self._stack.enter_context(capture_logs())
        self._patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        self._patch.setattr(storing, "PAUSES", (0.0,))
        self._provider = await self._stack.enter_async_context(Provider({"EHLO": "PIPELINING\nAUTH PLAIN"}))
        smtp = {"host": "127.0.0.1", "port": self._provider.port, "security": "none", "username": "u",
                "password": "p", "recipients_per_day": 1000}  # fmt: skip
        tables: dict[str, Any] = {"account": {"archive": False, "smtp": smtp}, "retry": RETRY}
        if self.server:
            tables["storage"] = {"database": empty_postgresql(self.server), "folder": "."}
        self._office = await self._stack.enter_async_context(open_office(folder, **tables))
        if self._office.queue.is_shared:  # the claims of a node that died: its lease and one look, 70 s in all
            assert self._office.delivery._orphan_look * 6000 == self._office.queue.lease
        real = self._office.queue.settle

        async def note(settlement: Any) -> Any:  # noqa: ANN401 - what the queue takes and gives
            self._settled[settlement.delivery_id, settlement.token].add(settlement.key)
            return await real(settlement)

        self._patch.setattr(self._office.queue, "settle", note)

    # Steps

    @initialize()
    def begin(self) -> None:
        self._run(self._office.send())

    @rule(to=st.sampled_from([PEOPLE, PEOPLE[:1], PEOPLE[1:]]), times=st.integers(1, 3))
    def hand_in(self, to: tuple[str, ...], times: int) -> None:
        async def hand_in() -> None:
            for _ in range(times):
                self._count += 1
                header = f"From: sales@example.com\nSubject: {self._count}.\n"
                with contextlib.suppress(StorageError):  # a client would get a 451
                    reply = await self._office.hand_in(*to, header=header)
                    if reply.code == 250:
                        self._ids[reply.text.split()[-1]] = len(to)

        self._run(hand_in())

    @rule(key=st.sampled_from(sorted(ANSWERS)), seconds=st.integers(1, 90))
    def provider_refuses(self, key: str, seconds: int) -> None:
        """Let the provider refuse for a while, then work again."""
        self._provider.answers[key] = ANSWERS[key]
        self._advance(seconds)
        del self._provider.answers[key]

    @rule(point=st.sampled_from(sorted(POINTS)), ours=st.booleans(), late=st.booleans(), seconds=st.integers(0, 90))
    def fail_once(self, point: str, ours: bool, late: bool, seconds: int) -> None:
        self._fail_once(point, ours=ours, late=late, seconds=seconds)

    def _fail_once(self, point: str, *, ours: bool, late: bool, seconds: int, waits: bool = False) -> bool:
        """Let a function raise once, before it has done its part or behind it. Return whether it was called at all.

        `waits`: mail waits in the queue when it is sent.
        """
        where, name = POINTS[point](self._office)
        late = late and not point.startswith("claim")  # a claim whose answer is lost is a COMMIT whose answer is lost
        real: Callable[..., Any] = getattr(where, name)
        left = [ZeroDivisionError("a fault of ours") if ours else StorageError("the disk is full")]

        def fail() -> None:
            if left:
                raise left.pop()

        def plain(*arguments: object, **named: object) -> object:
            if not late:
                fail()
            result = real(*arguments, **named)
            fail()
            return result

        async def awaited(*arguments: object, **named: object) -> object:
            if not late:
                fail()
            result = await real(*arguments, **named)
            fail()
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(where, name, awaited if asyncio.iscoroutinefunction(real) else plain)
            self._office.delivery._lanes.stopping = waits
            self.hand_in(PEOPLE, 2)
            self._office.delivery._lanes.stopping = False
            self._advance(seconds)
        return not left

    @rule(effects=st.lists(st.booleans(), min_size=1, max_size=3), skip=st.integers(0, 6), seconds=st.integers(0, 90))
    def lose_commits(self, effects: list[bool], skip: int, seconds: int) -> None:
        """Let COMMITs fail: some take effect all the same."""
        commit, left = WriteConnection.commit, [None] * skip + [*effects]

        def lossy(connection: WriteConnection) -> None:
            effect = left.pop(0) if left else None
            if effect is False:
                connection._driver.rollback()
            else:
                commit(connection)
            if effect is not None:
                raise sqlite3.OperationalError("the answer is lost")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WriteConnection, "commit", lossy)
            self.hand_in(PEOPLE, 2)
            self._advance(seconds)

    @rule(verb=st.sampled_from(["MAIL", "RCPT", "DATA"]))
    def cancel_workers(self, verb: str) -> None:
        """Cancel the workers in the middle of a mail."""

        async def cancel() -> None:
            self._provider.answers[verb] = "silence"
            await self._office.hand_in(*PEOPLE, header="From: sales@example.com\nSubject: cancelled.\n")
            seen = len(self._provider.commands)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while not any(c.startswith(verb) for c in self._provider.commands[seen:]):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            del self._provider.answers[verb]
            tasks = self._office.delivery._running()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(cancel())

    @rule(hours=st.sampled_from([-100, -2, 2, 100]))
    def clock_jumps(self, hours: int) -> None:
        self._run(self._office.set_clock(hours * 60 * MINUTE))
        self._since = dict.fromkeys(self._since, self._office.now)

    @rule()
    def other_node_dies(self) -> None:
        """Let another node claim a mail and die."""
        if not self._office.queue.is_shared:
            return

        async def claim() -> None:
            other = Queue(self._office.engine, Writer(self._office.engine), node="other", lease=1)
            try:
                await other.claim(to_account("sales"), now=self._office.now, limit=1, open_now=True)
            finally:
                await other.close()

        self._office.delivery._lanes.stopping = True  # so that something waits
        self.hand_in(PEOPLE[1:], 1)
        self._run(claim())
        self._office.delivery._lanes.stopping = False

    @rule(seconds=st.integers(1, 400))
    def advance(self, seconds: int) -> None:
        self._advance(seconds)

    def _advance(self, seconds: int) -> None:
        """Let time pass as the service sees it: a look at the latest after each minute."""
        while seconds > 0:
            step = min(seconds, LOOK // 1000)
            seconds -= step
            self._office.now += step * 1000
            with contextlib.suppress(ZeroDivisionError, StorageError):  # the loop is run again, as the supervisor does
                self._run(self._office.send())
            self._check()

    # What must hold

    @invariant()
    def no_mail_is_without_progress(self) -> None:
        self._check()

    def _check(self) -> None:
        now, stuck = self._office.now, {}
        lane = self._office.delivery._lanes.at(to_account("sales"))
        waits = lane.wait(self._office.delivery._monotonic(), now) > 0 or "sales" in self._office.delivery._pauses
        for row in self._office.waiting("queued", "active"):
            is_ready = row.due <= now and not (waits and row.account == "sales")
            if row.state == "active" or is_ready:
                stuck[row.id] = self._since.get(row.id, now)
        self._since = stuck
        overdue = {one: now - since for one, since in stuck.items() if now - since > LOOK}
        assert not overdue
        assert all(len(keys) == 1 for (_, token), keys in self._settled.items() if token)

    def teardown(self) -> None:
        try:
            self._run(self._end())
        finally:
            self._run(self._stack.aclose())
            self._loop.close()

    async def _end(self) -> None:
        """Let all go on without a fault; what is held is named."""
        office = self._office
        for _ in range(20):
            await office.pass_time(10 * MINUTE)
        named = {line["queue_id"] for line in self._lines if line["event"] == "possible_duplicate"}
        for row in office.waiting():
            assert row.state == "held", row
            assert row.message_id in named
        subjects: dict[str, str] = {}
        for queue_id, count in self._ids.items():
            detail = admin.show_message(office.engine, queue_id)
            named |= {queue_id for event in detail.events if event.what == "possible_duplicate"}
            subjects[str(detail.subject)] = queue_id
            outcomes = office.outcomes(queue_id)
            assert len(outcomes) == count
            assert "pending" not in outcomes.values() or queue_id in named
        copies = Counter((_subject(mail.data), to) for mail in self._provider.mails for to in mail.recipients)
        for (subject, to), count in copies.items():
            assert count == 1 or subjects.get(subject, "") in {"", *named}, (subject, to, count)
        for subject, queue_id in subjects.items():
            for to, outcome in office.outcomes(queue_id).items():
                assert outcome != "delivered" or (subject, to) in copies


def _subject(data: bytes) -> str:
    return data.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()


@pytest.mark.parametrize("point", sorted(POINTS))
def test_after_a_fault_at_each_point_every_mail_goes_on_within_one_look(point: str) -> None:
    """The stateful test below meets few of them: here each has a fault of ours and one of the database."""
    faults = [(ours, late) for ours in (True, False) for late in (False, True)]
    pauses = point == "pause"  # the login of a new connection is refused
    each = 1 if pauses else len(faults)
    for first in range(0, len(faults), each):
        machine = ProgressMachine()
        try:
            for ours, late in faults[first : first + each]:
                if pauses:
                    machine._provider.answers["AUTH"] = ANSWERS["AUTH"]
                waits = point.startswith("claim")
                is_met = machine._fail_once(point, ours=ours, late=late, seconds=130, waits=waits)
                assert is_met or point in {"claim", "requeue"}  # of what is not in memory, and of a cancelled worker
                machine._provider.answers.pop("AUTH", None)
        finally:
            machine.teardown()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_after_any_single_fault_every_mail_goes_on_within_one_look(tmp_path: Path, database: str) -> None:
    with contextlib.ExitStack() as stack:

        class Machine(ProgressMachine):
            server = stack.enter_context(postgresql_server(tmp_path)) if database == "postgresql" else ""

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=2 if database == "postgresql" else 6,
                stateful_step_count=8,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],  # shrinking takes minutes, and the steps are printed in any case
                suppress_health_check=list(HealthCheck),
            ),
        )
