"""Who sends when: one lane for each account, woken by new mail, by due times, and by people.

The queue is the only truth. A lane that misses a wake-up is found by the next look at the queue, at most a minute
later, so that a jump of the clock neither starves nor storms.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable

import structlog

from relay.delivery.attempt import Attempter, Result
from relay.delivery.exchange import Body, Exchanger, Progress
from relay.delivery.inbox import InboxWriter
from relay.delivery.lanes import Lane, LaneSlot, Work
from relay.delivery.notices import Notifier
from relay.delivery.pauses import PauseBook
from relay.model.account import Account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, INBOX_LANE, ClaimedDelivery
from relay.rules.hours import is_open, next_open
from relay.settings import Settings
from relay.storage.queue import Queue

log = structlog.get_logger()

LEAST_BETWEEN_PROBES = 10.0
"""Seconds between two looks at whether a paused account may be probed."""
LONGEST_LOOK = 60.0
"""Seconds after which the queue is looked at in any case."""
_INBOX_WIDTH = 2


class Delivery:
    """The sending side of the service; also the `Dispatcher` of submission."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        queue: Queue,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._now = now
        self._monotonic = monotonic
        self._lanes: dict[str, Lane] = {}
        self._alarm = asyncio.Event()
        self._stopping = False
        self._checked: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pauses = PauseBook(
            queue=queue, retry=lambda: (settings().retry, settings().hours), now=now, jitter=jitter
        )
        self._notifier = Notifier(settings=settings, queue=queue, pauses=self._pauses, wake=self.wake_lanes, now=now)
        self._exchanger = Exchanger(settings=settings, queue=queue)
        self._attempter = Attempter(
            settings=settings,
            queue=queue,
            exchanger=self._exchanger,
            pauses=self._pauses,
            notifier=self._notifier,
            now=now,
            monotonic=monotonic,
            jitter=jitter,
        )
        self._inbox = InboxWriter(settings=settings, queue=queue, now=now, monotonic=monotonic, jitter=jitter)

    # What submission sees

    def reserve(self, account: str) -> LaneSlot | None:
        """Reserve a connection if one is free now and the account may send now."""
        lane = self._lane(account)
        if lane.is_free and self._may_start(lane) and is_open(self._settings().hours, self._now()):
            return LaneSlot(lane)
        return None

    def wake(self, account: str) -> None:
        """Say that a delivery of this account waits."""
        lane = self._lane(account)
        if self._may_start(lane):
            lane.kick()

    def max_size(self, account: str) -> int | None:
        """Tell the largest mail that the provider takes, as its last EHLO said."""
        return self._lane(account).max_size

    # What the supervisor sees

    def look(self) -> None:
        """Look at the queue now: a command may have changed it."""
        self._alarm.set()

    def hurry(self) -> None:
        """Look at the queue now, and let no lane rest (`relay queue run`)."""
        for lane in self._lanes.values():
            lane.recovered()
        self._checked.clear()
        self._alarm.set()

    def wake_lanes(self, accounts: Iterable[str]) -> None:
        """Wake several lanes."""
        for account in accounts:
            self.wake(account)

    @property
    def active(self) -> int:
        """How many workers run."""
        return sum(lane.busy for lane in self._lanes.values())

    async def recover(self) -> None:
        """Take up what the last process left: what was being sent may have been sent."""
        recovered = await self._queue.recover(now=self._now())
        if recovered:
            await self._notifier.tell_recovered(recovered)
        await self._pauses.reload()

    async def run(self) -> None:
        """Look at the queue whenever something is due, until `drain`."""
        while not self._stopping:
            self._alarm.clear()
            seconds = await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._alarm.wait()

    async def run_until_idle(self) -> None:
        """Send what is due now, and return when nothing more can be sent (a command is the service for a moment)."""
        await self._look()
        while tasks := [task for lane in self._lanes.values() for task in lane.tasks] + list(self._tasks):
            await asyncio.wait(tasks)
            await self._look()

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let running attempts end for so long, then cancel them; close all connections."""
        self._stopping = True
        self._alarm.set()
        tasks = [task for lane in self._lanes.values() for task in lane.tasks] + list(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._exchanger.close()

    def _lane(self, account: str) -> Lane:
        lane = self._lanes.get(account)
        if lane is None:
            lane = self._lanes[account] = Lane(account=account, work=self._work)
        known = self._settings().directory.account(account)
        if account == INBOX_LANE:
            lane.width = _INBOX_WIDTH
        elif known is not None and known.smtp is not None:
            lane.width = known.smtp.connections
        return lane

    def _may_start(self, lane: Lane) -> bool:
        if self._stopping or self._monotonic() < lane.rest_until or lane.account in self._pauses:
            return False
        return lane.account == INBOX_LANE or self._sends(lane.account) is not None

    def _sends(self, account: str) -> Account | None:
        known = self._settings().directory.account(account)
        return None if known is None or known.excluded or known.smtp is None else known

    async def _look(self) -> float:
        """Start whatever is due; gives the seconds until the next look."""
        now, settings = self._now(), self._settings()
        for account in await self._pauses.reload():
            log.info("account_resumed", account=account, reason="by command")
        due = await self._queue.next_due()
        homeless = [account for account in due if account != INBOX_LANE and self._sends(account) is None]
        if homeless:
            await self._notifier.tell_homeless(await self._queue.hold_accounts(homeless))
        times = [self._probe_paused(now)]
        opening = next_open(settings.hours, now)
        for account, at in due.items():
            if account in homeless or account in self._pauses:
                continue
            lane = self._lane(account)
            start = at if at == AT_ONCE or account == INBOX_LANE else max(at, opening)
            if start > now:
                times.append((start - now) / 1000)
            elif self._may_start(lane):
                lane.kick()
        return min(LONGEST_LOOK, *times)

    def _probe_paused(self, now: int) -> float:
        """Start the probes that are due; gives the seconds until the next one."""
        nearest = LONGEST_LOOK
        for pause in self._pauses:
            account = self._sends(pause.account)
            if pause.by_person or account is None or self._stopping:
                continue
            if self._monotonic() - self._checked.get(pause.account, -LEAST_BETWEEN_PROBES) < LEAST_BETWEEN_PROBES:
                continue
            self._checked[pause.account] = self._monotonic()
            task = asyncio.create_task(self._probe(account), name=f"probe {pause.account}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if pause.next_probe is not None and pause.next_probe > now:
                nearest = min(nearest, (pause.next_probe - now) / 1000)
        return nearest

    async def _probe(self, account: Account) -> None:
        """Log in where the time for it has come or the settings are others than those that were refused."""
        try:
            pause = next((p for p in self._pauses if p.account == account.name), None)
            if pause is None or account.smtp is None:
                return
            settings = await self._exchanger.fingerprint(account.smtp)
            if settings == pause.fingerprint and pause.next_probe is not None and pause.next_probe > self._now():
                return
            reply = await self._exchanger.log_in(self._lane(account.name), account, account.smtp)
            if reply is None:
                await self._pauses.resume(account.name, "the login works again")
                self.look()
            else:
                await self._pauses.login_refused(account.name, reply, settings)
        except RelayError as error:
            log.error("activity_failed", activity=f"probe {account.name}", error=str(error))

    async def _work(self, lane: Lane, first: Work | None) -> None:
        """Work off a lane until nothing of it is due."""
        work = first
        try:
            while True:
                if work is None:
                    lane.again = False
                    claimed = await self._claim(lane)
                    if not claimed:
                        if lane.again and self._may_start(lane):
                            continue
                        return
                    work = (claimed[0], None)
                result = await self._attempt(lane, *work)
                work = None
                if result is Result.UNREACHABLE:
                    self._rest(lane)
                    return
                if result is Result.STOPPED or self._stopping:
                    return
        except RelayError as error:
            log.error("activity_failed", activity=f"lane {lane.account}", error=str(error))
            self._rest(lane)
        except Exception as error:  # a fault of ours: this worker ends, the lane rests and goes on
            log.exception("activity_failed", activity=f"lane {lane.account}", error=repr(error))
            self._rest(lane)

    def _rest(self, lane: Lane) -> None:
        if lane.rest_until <= self._monotonic():
            seconds = lane.rest(self._monotonic())
            asyncio.get_running_loop().call_later(seconds, self.look)

    async def _claim(self, lane: Lane) -> list[ClaimedDelivery]:
        if not self._may_start(lane):
            return []
        now = self._now()
        open_now = lane.account == INBOX_LANE or is_open(self._settings().hours, now)
        return await asyncio.shield(self._queue.claim(lane.account, now=now, limit=1, open_now=open_now))

    async def _attempt(self, lane: Lane, delivery: ClaimedDelivery, body: Body) -> Result:
        progress = Progress()
        try:
            if lane.account == INBOX_LANE:
                return await self._inbox.attempt(delivery, body)
            return await self._attempter.attempt(lane, delivery, body, progress)
        except asyncio.CancelledError:
            # Without a dot it was surely not sent; with one the row stays active, and the next start calls it possible.
            if not progress.dot:
                await self._queue.unclaim([delivery.id])
            raise
