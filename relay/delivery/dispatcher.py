"""Who sends when: one lane for each destination, woken by new mail, by due times, and by people.

The queue is the only truth. A lane that misses a wake-up is found by the next look at the queue, at most a minute
later, so that a jump of the clock neither starves nor storms.
"""

import asyncio
import contextlib
import math
from collections.abc import Collection, Iterable

from relay.delivery.attempt import Attempter
from relay.delivery.clock import ClockWatch
from relay.delivery.event_log import log_doubts
from relay.delivery.expiry import Expiry
from relay.delivery.lane_book import LaneBook
from relay.delivery.lanes import Lane, LaneSlot
from relay.delivery.pauses import PauseBook
from relay.delivery.probing import Prober
from relay.delivery.rate_limit import recent_starts
from relay.delivery.worker import Worker
from relay.emitting import emit
from relay.events.accounts import AccountResumed
from relay.events.delivery import QueueRecovered
from relay.model.destination import Destination, to_account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, Body, ClaimedDelivery, Work
from relay.notifications import Notifications
from relay.rules.hours import next_open
from relay.rules.replies import is_login_refused
from relay.runtime import Runtime, contain_faults
from relay.transports.registry import Transports

LONGEST_LOOK = 60.0
"""Seconds after which the queue is looked at in any case."""


class Delivery:
    """The sending side of the service; also the `Dispatcher` of submission."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic = runtime.now, runtime.monotonic
        self._alarm = asyncio.Event()
        self._swept = self._taken_up = -LONGEST_LOOK
        # What a node had claimed that has died is free when its lease is over: others must not look much later.
        self._orphan_look = min(LONGEST_LOOK, self._queue.lease / 6000) if self._queue.is_shared else LONGEST_LOOK
        self._next_look = math.inf
        """Monotonic seconds when the queue is looked at next, whatever happens."""
        self._pauses = pauses = PauseBook(runtime)
        self._transports = transports = Transports(runtime, pauses=pauses)
        self._lanes = lanes = LaneBook(runtime, transports=transports, pauses=pauses, work=self._work)
        self.notifications = parts = Notifications(runtime, is_paused=pauses.__contains__, works=lanes.works)
        self._clock = ClockWatch(runtime, went_back=self._forget_times)
        self._attempter = Attempter(
            runtime,
            transports=transports,
            pauses=pauses,
            notifications=parts,
            clock=self._clock,
            wake=self.wake_lanes,
        )
        wake = self._alarm.set
        self._worker = Worker(runtime, attempter=self._attempter, lanes=lanes, wake=wake, stopped=self._remind)
        self._prober = Prober(runtime, pauses=pauses, transports=transports, lanes=lanes, resumed=wake)
        self._expiry = Expiry(runtime, policy=parts.policy, rerouter=parts.rerouter, look_at_clock=self._clock.look)

    # What submission sees

    def reserve(self, destination: Destination) -> LaneSlot | None:
        """Reserve a place if one is free now and the destination may be sent to now."""
        lane = self._lanes.at(destination)
        if lane.is_free and self._lanes.may_start(lane) and self._lanes.is_open(lane):
            return LaneSlot(lane, self._monotonic)
        return None

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a mail that was just queued, since no place was free."""
        lane = self._lanes.at(delivery.destination)
        if self._lanes.may_start(lane) and self._lanes.is_open(lane):
            lane.offer(delivery, body)
        else:
            lane.due.note()
            self._remind(lane)

    def wake(self, destination: Destination) -> None:
        """Say that a delivery waits for this destination."""
        lane = self._lanes.at(destination)
        lane.due.note()
        if self._lanes.may_start(lane):
            lane.kick()
        self._alarm.set()  # it may be due later, and sooner than all that was known

    def max_size(self, account: str) -> int | None:
        """Return the largest mail that the provider takes, as its last EHLO said."""
        return self._lanes.at(to_account(account)).max_size

    # What the supervisor sees

    def rescan(self) -> None:
        """Look at the queue now: a command may have changed it."""
        for lane in self._lanes:
            lane.due.drop()
        self._alarm.set()

    def settings_changed(self) -> None:
        """Look at the queue now, and probe at once what was refused with other settings."""
        self._prober.probe_soon()
        self.rescan()

    def flush(self, accounts: Collection[str] | None = None) -> None:
        """Look at the queue now, and let no lane rest (`relay queue run`).

        With `accounts`, whose mails people want at once, only lanes of these end their rest, and only one that began
        since a server could not be reached: where a provider asked for less, the rest goes on.
        """
        for lane in self._lanes:
            lane.due.drop()
            if accounts is None:
                lane.flush()
            elif lane.account in accounts:
                lane.answered()
        if accounts is None:
            self._prober.probe_soon()
        self._alarm.set()

    async def try_login(self, account: str) -> None:
        """Log in, nothing more, and pause the account if that is refused, as the next mail would; a pause stays.

        Raises StorageError.
        """
        transport = self._transports.at(to_account(account))
        if self._lanes.stopping or account in self._pauses or transport is None or transport.login is None:
            return
        fingerprint = await transport.login.fingerprint()  # somebody may sign in while the old login is refused
        refusal = await transport.login.probe()
        if refusal is not None and is_login_refused(refusal):
            await self._attempter.pause(account, transport.login, refusal, fingerprint=fingerprint)

    def wake_lanes(self, destinations: Iterable[Destination]) -> None:
        """Wake several lanes."""
        for destination in destinations:
            self.wake(destination)

    @property
    def active(self) -> int:
        """How many workers run."""
        return sum(lane.busy for lane in self._lanes)

    async def recover(self) -> None:
        """Take up what the last process left: what was being sent may have been sent."""
        recovered = await self._queue.recover(now=self._now())
        if recovered:
            held = log_doubts(recovered, reason="the service ended while it was being sent", now=self._now())
            emit(QueueRecovered(deliveries=len(recovered), held=held))
        await self._pauses.reload()
        for account, starts in (await recent_starts(self._runtime, interrupted=recovered)).items():
            self._lanes.at(to_account(account)).restore_starts(starts)

    async def run(self) -> None:
        """Look at the queue whenever something is due, until `drain`."""
        while not self._lanes.stopping:
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
        while (tasks := self._running()) or (self._queue.has_orphans and not self._lanes.stopping):
            if tasks:
                await asyncio.wait(tasks)
            await self._look()

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let running attempts end for so long, then cancel them; close all connections."""
        self._lanes.stopping = True
        self._alarm.set()
        tasks = self._running()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._transports.close()

    async def _work(self, lane: Lane, first: Work | None) -> None:
        await self._worker.work(lane, first)

    def _remind(self, lane: Lane) -> None:
        """See to it that a lane which may not begin a mail now is looked at when it may, and not later."""
        if self._monotonic() + self._lanes.seconds_to_start(lane) < self._next_look:
            self._alarm.set()

    def _running(self) -> list[asyncio.Task[None]]:
        return [task for lane in self._lanes for task in lane.tasks] + self._prober.tasks

    def _forget_times(self) -> None:
        """Forget what was to wait by a wall clock that was wrong; the queue knows what the day has seen."""
        for lane in self._lanes:
            lane.quota.reset()
        self._prober.probe_soon()

    # The look at the queue

    async def _sweep(self, now: int) -> None:
        """Do what is to be done from time to time: take up what nobody runs, tell what is owed, end what is over."""
        if self._lanes.stopping:
            return
        if self._queue.has_orphans or self._monotonic() - self._taken_up >= self._orphan_look:
            self._taken_up = self._monotonic()
            if abandoned := await self._queue.reclaim(now=now):
                log_doubts(abandoned, reason="the attempt ended while it was being sent", now=self._now())
                self._swept = -LONGEST_LOOK  # of what is held now people hear at once
        if self._monotonic() - self._swept >= LONGEST_LOOK:
            await self._clock.pull_back()
            with contain_faults("alerts"):
                self.wake_lanes(await self.notifications.outbox.send_pending())
            with contain_faults("what waits for long"):
                self.wake_lanes(await self._expiry.look(self._hindered()))
            self._swept = self._monotonic()

    def _hindered(self) -> list[Lane]:
        """Return the lanes of accounts that are not paused whose mail may wait for long."""
        for lane in self._lanes:
            if lane.account in self._pauses:
                lane.answered()  # if only to refuse the login
        return [lane for lane in self._lanes if lane.account and lane.is_hindered]

    async def _renew(self, now: int) -> None:
        """Let what waits for an account whose server or login was corrected go at once."""
        for lane in [self._lanes.at(lane.destination) for lane in self._lanes]:
            if lane.take_renewal():
                try:
                    await self._queue.bring_forward(lane.account, now=now)
                except RelayError:
                    lane.renew()  # the next look does it
                    raise

    async def _look(self) -> float:
        """Start whatever is due; returns the seconds until the next look."""
        await self._clock.look()
        now = self._now()
        for account in await self._pauses.reload():
            emit(AccountResumed(account=account, reason="by command"))
        await self._sweep(now)
        await self._renew(now)
        due = await self._queue.next_due()
        orphaned = [destination for destination in due if self._transports.at(destination) is None]
        if orphaned:
            with contain_faults("mail without an account"):
                held = await self.notifications.outbox.hold_orphaned([destination.name for destination in orphaned])
                self.wake_lanes(held)
        times = [] if self._lanes.stopping else self._prober.look()
        opening = next_open(self._settings().hours, now)
        for destination, at in due.items():
            if destination in orphaned or destination.account in self._pauses:
                continue
            lane = self._lanes.at(destination)
            start = at if at == AT_ONCE or lane.any_hour else max(at, opening)
            wait = max((start - now) / 1000, self._lanes.wait(lane))
            if wait > 0:
                times.append(wait)
            elif self._lanes.may_start(lane):
                lane.rescan()
        return min([self._orphan_look, *times])
