"""Who sends when: one lane for each destination, woken by new mail, by due times, and by people.

The queue is the only truth. A lane that misses a wake-up is found by the next look at the queue, at most a minute
later, so that a jump of the clock neither starves nor storms.
"""

import asyncio
import contextlib
import math
from collections.abc import Collection, Iterable

import structlog

from relay.delivery.attempt import Attempter
from relay.delivery.clock import ClockWatch
from relay.delivery.event_log import log_doubts
from relay.delivery.exchange import Exchanger
from relay.delivery.inbox import InboxWriter
from relay.delivery.lanes import Lane, LaneSlot
from relay.delivery.notices import Notifier
from relay.delivery.overdue import Overdue
from relay.delivery.pauses import PauseBook
from relay.delivery.probing import Prober
from relay.delivery.rate_limit import recent_starts
from relay.delivery.retry_policy import contain_faults
from relay.delivery.worker import Worker
from relay.model.account import Account
from relay.model.destination import Destination, to_account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, Body, ClaimedDelivery
from relay.rules.hours import is_open, next_open
from relay.runtime import Runtime
from relay.upstream.transaction import TIMEOUTS, Timeouts

log = structlog.get_logger()

LONGEST_LOOK = 60.0
"""Seconds after which the queue is looked at in any case."""


class Delivery:
    """The sending side of the service; also the `Dispatcher` of submission."""

    def __init__(self, runtime: Runtime, *, timeouts: Timeouts = TIMEOUTS) -> None:
        self._runtime = runtime
        self._settings, self._queue = settings, queue = runtime.settings, runtime.queue
        self._now, self._monotonic = now, monotonic = runtime.now, runtime.monotonic
        self._lanes: dict[Destination, Lane] = {}
        self._alarm = asyncio.Event()
        self._stopping = False
        self._swept = self._taken_up = -LONGEST_LOOK
        # What a node had claimed that has died is free when its lease is over: others must not look much later.
        self._orphan_look = min(LONGEST_LOOK, queue.lease / 6000) if queue.is_shared else LONGEST_LOOK
        self._next_look = math.inf
        """Monotonic seconds when the queue is looked at next, whatever happens."""
        self._pauses = PauseBook(
            queue=queue, retry=lambda: (settings().retry, settings().hours), now=now, jitter=runtime.random
        )
        self.notifier = Notifier(runtime, pauses=self._pauses, works=self._works, wake=self.wake_lanes)
        self._exchanger = Exchanger(runtime, timeouts=timeouts, pauses=self._pauses)
        self._clock = ClockWatch(runtime, went_back=self._forget_times)
        self._attempter = Attempter(
            runtime, exchanger=self._exchanger, pauses=self._pauses, notifier=self.notifier, clock=self._clock
        )
        self._worker = Worker(
            runtime,
            attempter=self._attempter,
            inbox=InboxWriter(runtime),
            may_start=self._may_start,
            wake=self._alarm.set,
            stopped=self._remind,
        )
        self._prober = Prober(
            settings=settings,
            pauses=self._pauses,
            exchanger=self._exchanger,
            lane=lambda account: self._lane(to_account(account)),
            resumed=self._alarm.set,
            now=now,
            monotonic=monotonic,
        )
        self._overdue = Overdue(runtime, notifier=self.notifier, clock=self._clock)

    # What submission sees

    def reserve(self, destination: Destination) -> LaneSlot | None:
        """Reserve a connection if one is free now and the account may send now."""
        lane = self._lane(destination)
        if lane.is_free and self._may_start(lane) and is_open(self._settings().hours, self._now()):
            return LaneSlot(lane, self._monotonic)
        return None

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a mail that was just queued, since no connection was free."""
        lane = self._lane(delivery.destination)
        if self._may_start(lane) and is_open(self._settings().hours, self._now()):
            lane.offer(delivery, body)
        else:
            lane.backlog = True
            self._remind(lane)

    def wake(self, destination: Destination) -> None:
        """Say that a delivery waits for this destination."""
        lane = self._lane(destination)
        lane.backlog = True
        if self._may_start(lane):
            lane.kick()
        self._alarm.set()  # it may be due later, and sooner than all that was known

    def max_size(self, account: str) -> int | None:
        """Tell the largest mail that the provider takes, as its last EHLO said."""
        return self._lane(to_account(account)).max_size

    # What the supervisor sees

    def look(self) -> None:
        """Look at the queue now: a command may have changed it."""
        for lane in self._lanes.values():
            lane.drop_ready()
        self._alarm.set()

    def settings_changed(self) -> None:
        """Look at the queue now, and probe at once what was refused with other settings."""
        self._prober.hurry()
        self.look()

    def hurry(self, accounts: Collection[str] | None = None) -> None:
        """Look at the queue now, and let no lane rest (`relay queue run`).

        With `accounts`, whose mails people want at once, only what rests since its server could not be reached is tried
        again, and only of these: what a provider asked for holds on, and so does everybody else's wait.
        """
        for lane in self._lanes.values():
            lane.drop_ready()
            if accounts is None:
                lane.flush()
            elif lane.account and lane.account in accounts:
                lane.answered()
        if accounts is None:
            self._prober.hurry()
        self._alarm.set()

    def wake_lanes(self, destinations: Iterable[Destination]) -> None:
        """Wake several lanes."""
        for destination in destinations:
            self.wake(destination)

    @property
    def active(self) -> int:
        """How many workers run."""
        return sum(lane.busy for lane in self._lanes.values())

    async def recover(self) -> None:
        """Take up what the last process left: what was being sent may have been sent."""
        recovered = await self._queue.recover(now=self._now())
        if recovered:
            held = log_doubts(recovered, reason="the service ended while it was being sent", now=self._now())
            log.warning("queue_recovered", deliveries=len(recovered), held=held)
        await self._pauses.reload()
        for account, starts in (await recent_starts(self._runtime, interrupted=recovered)).items():
            self._lane(to_account(account)).restore_starts(starts)

    async def run(self) -> None:
        """Look at the queue whenever something is due, until `drain`."""
        while not self._stopping:
            self._alarm.clear()
            self._next_look = math.inf  # what stops during the look may have come too late for it
            seconds = await self._look()
            self._next_look = self._monotonic() + seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._alarm.wait()

    async def run_until_idle(self) -> None:
        """Send what is due now, and return when nothing more can be sent (a command is the service for a moment)."""
        await self._look()
        while (tasks := self._running()) or (self._queue.has_orphans and not self._stopping):
            if tasks:
                await asyncio.wait(tasks)
            await self._look()

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let running attempts end for so long, then cancel them; close all connections."""
        self._stopping = True
        self._alarm.set()
        tasks = self._running()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._exchanger.close()

    def _remind(self, lane: Lane) -> None:
        """See to it that a lane which may not begin a mail now is looked at when it may, and not later."""
        now = self._now()
        closed = next_open(self._settings().hours, now) - now if lane.destination.is_account else 0
        if self._monotonic() + max(self._wait(lane), closed / 1000) < self._next_look:
            self._alarm.set()

    def _running(self) -> list[asyncio.Task[None]]:
        return [task for lane in self._lanes.values() for task in lane.tasks] + self._prober.tasks

    def _lane(self, destination: Destination) -> Lane:
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane(destination=destination, work=self._worker.work)
        known = self._settings().directory.account(destination.account)
        if known is not None and known.smtp is not None:
            lane.adopt(known.smtp)
        return lane

    def _wait(self, lane: Lane) -> float:
        """Return the seconds until a lane may begin one more mail."""
        return lane.wait(self._monotonic(), self._now())

    def _may_start(self, lane: Lane) -> bool:
        if self._stopping or lane.account in self._pauses or lane.quota.contended or self._wait(lane) > 0:
            return False
        return not lane.destination.is_account or self._sends(lane.account) is not None

    def _sends(self, account: str) -> Account | None:
        known = self._settings().directory.account(account)
        return None if known is None or known.excluded or known.smtp is None else known

    def _works(self, account: str) -> bool:
        """Tell whether an account's server takes mail now, as far as is known."""
        lane = self._lane(to_account(account))
        rests_long = lane.rest(self._monotonic()) > LONGEST_LOOK
        return lane.outage is None and not rests_long and not lane.quota.wait(self._now())

    def _forget_times(self) -> None:
        """Forget what was to wait by a wall clock that was wrong; the queue knows what the day has seen."""
        for lane in self._lanes.values():
            lane.clock_went_back()
        self._prober.hurry()

    async def _sweep(self, now: int) -> None:
        """Do what is to be done from time to time: take up what nobody runs, tell what is owed, end what is over."""
        if self._stopping:
            return
        if self._queue.has_orphans or self._monotonic() - self._taken_up >= self._orphan_look:
            self._taken_up = self._monotonic()
            if abandoned := await self._queue.reclaim(now=now):
                log_doubts(abandoned, reason="the attempt ended while it was being sent", now=self._now())
                self._swept = -LONGEST_LOOK  # of what is held now people hear at once
        if self._monotonic() - self._swept >= LONGEST_LOOK:
            await self._clock.pull_back()
            with contain_faults("alerts"):
                await self.notifier.tell_owed()
            with contain_faults("what waits for long"):
                await self._overdue.look(list(self._lanes.values()))
            self._swept = self._monotonic()

    async def _renew(self, now: int) -> None:
        """Let what waits for an account whose server or login was corrected go at once."""
        for lane in [self._lane(destination) for destination in self._lanes]:
            if lane.renewed:
                lane.renewed = False
                try:
                    await self._queue.bring_forward(lane.account, now=now)
                except RelayError:
                    lane.renewed = True  # the next look does it
                    raise

    async def _look(self) -> float:
        """Start whatever is due; gives the seconds until the next look."""
        await self._clock.look()
        now, settings = self._now(), self._settings()
        for account in await self._pauses.reload():
            log.info("account_resumed", account=account, reason="by command")
        await self._sweep(now)
        await self._renew(now)
        due = await self._queue.next_due()
        homeless = [to.name for to in due if to.is_account and self._sends(to.name) is None]
        if homeless:
            with contain_faults("mail without an account"):
                await self.notifier.hold_homeless(homeless)
        times = [] if self._stopping else self._prober.look(self._sends)
        opening = next_open(settings.hours, now)
        for destination, at in due.items():
            if destination.account in homeless or destination.account in self._pauses:
                continue
            lane = self._lane(destination)
            start = at if at == AT_ONCE or not destination.is_account else max(at, opening)
            wait = max((start - now) / 1000, self._wait(lane))
            if wait > 0:
                times.append(wait)
            elif self._may_start(lane):
                lane.rescan()
        return min([self._orphan_look, *times])
