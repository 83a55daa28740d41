"""The worker of a lane: it claims, attempts and settles one mail after another, until nothing of the lane is due."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from relay.delivery.attempt import Attempter, Result
from relay.delivery.event_log import log_lost
from relay.delivery.exchange import Progress
from relay.delivery.inbox import InboxWriter
from relay.delivery.lanes import Lane
from relay.delivery.retry_policy import retry_until_stored
from relay.model.errors import RelayError
from relay.model.mail import Body, ClaimedDelivery, DeliveryState, Settlement, Work
from relay.model.reply import Reply
from relay.rules.hours import is_open, next_day
from relay.rules.moments import utc_time
from relay.runtime import Runtime
from relay.storage.prefetch import Prefetch

log = structlog.get_logger()

NEWEST = 0.25
"""The share of claims that take the newest mail of a user, so that a single mail passes a mailing before it."""

_AHEAD = 64
"""Mails that are read ahead at a time."""


class Worker:
    """What all workers share.

    `may_start` tells whether a lane may begin a mail now; `wake` has the queue looked at now, `stopped` as soon as the
    lane may begin one again.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        attempter: Attempter,
        inbox: InboxWriter,
        may_start: Callable[[Lane], bool],
        wake: Callable[[], None],
        stopped: Callable[[Lane], None],
    ) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic, self._jitter = runtime.now, runtime.monotonic, runtime.random
        self._attempter = attempter
        self._inbox = inbox
        self._may_start = may_start
        self._wake = wake
        self._stopped = stopped

    async def work(self, lane: Lane, first: Work | None) -> None:
        """Work off a lane until nothing of it is due."""
        work = first
        try:
            while work or (lane.again and not lane.is_overfull):
                if work is None:
                    work = await self._next(lane)
                else:
                    work = await self._attempt(lane, *work)
        except RelayError as error:
            log.error("activity_failed", activity=f"lane {lane.account}", error=str(error))
            self._rest(lane)
        except Exception as error:  # a fault of ours: this worker ends, the lane rests and goes on
            log.exception("activity_failed", activity=f"lane {lane.account}", error=repr(error))
            self._rest(lane)

    def _goes_on(self, lane: Lane, result: Result) -> bool:
        """Draw the consequences of an attempt for its lane; tells whether the worker may take the next."""
        if result is Result.UNREACHABLE:
            self._rest(lane)
        elif result is Result.SLOWED:
            log.warning("account_slowed", account=lane.account, seconds=lane.throttled(self._monotonic()))
            self._wake()
        elif result is Result.FULL:
            until = next_day(self._settings().hours, self._now())
            lane.quota_exhausted(until)
            log.warning("account_full", account=lane.account, until=utc_time(until))
            self._wake()
        return result is Result.DONE

    def _rest(self, lane: Lane) -> None:
        lane.failed(self._monotonic())
        self._stopped(lane)

    async def _next(self, lane: Lane) -> Work | None:
        """Claim what is next, by its name where it is in memory. Raises StorageError."""
        lane.again = False
        while self._may_start(lane):
            newest = self._jitter() < NEWEST
            if not self._is_open(lane):
                lane.drop_ready()  # only what people want at once goes now
                work = await self._claim(lane, newest=newest, open_now=False)
            elif lane.backlog and self._queue.is_shared:
                # Nodes that read ahead would read the same.
                work = await self._claim(lane, newest=newest, open_now=True)
            else:
                await self._prefetch(lane)
                work = await self._take(lane, newest=newest)
            if work is not None:
                lane.start_mail(self._monotonic())
                lane.went_on = True
                return work
            if not lane.backlog and not lane.ready:
                if lane.hidden and lane.went_on:
                    lane.hidden = lane.went_on = False
                    self._wake()
                return None
        self._stopped(lane)
        return None

    def _is_open(self, lane: Lane) -> bool:
        return not lane.destination.is_account or is_open(self._settings().hours, self._now())

    async def _prefetch(self, lane: Lane) -> None:
        """Fill an empty memory from the queue, where that may hold something due."""
        if lane.ready or not lane.backlog:
            return
        async with lane.prefetching:
            if lane.ready or not lane.backlog:
                return
            lane.backlog = False  # whatever is queued from now on says so
            try:
                wish = Prefetch(lane.destination, self._now(), _AHEAD, lane.served, dict(lane.turns))
                found = await self._queue.prefetch(wish)
            except BaseException:
                lane.backlog = True
                raise
            # Ids sort by time: the memory takes the last that came for the newest.
            for work in sorted(found, key=lambda work: work[0].id):
                lane.ready.add(*work)
            for delivery, _ in found:
                lane.serve(delivery.message.source)
            if found:
                lane.backlog = True  # there may be more
        for _ in range(min(len(found), lane.connections)):
            lane.kick()

    async def _claim(self, lane: Lane, *, newest: bool, open_now: bool) -> Work | None:
        now = self._now()
        lane.backlog = False  # whatever is queued from now on says so
        claimed = await self._wait(
            lane,
            self._queue.claim(
                lane.destination,
                now=now,
                limit=1,
                open_now=open_now,
                served=lane.served,
                turns=dict(lane.turns),
                newest=newest,
            ),
        )
        if not claimed:
            return None
        lane.serve(claimed[0].message.source)
        lane.backlog = True  # there may be more, for the other connections too
        lane.kick()
        return claimed[0], lane.ready.pop(claimed[0].id)

    async def _take(self, lane: Lane, *, newest: bool) -> Work | None:
        work = lane.ready.take(newest=newest)
        if work is None:
            return None
        granted = await self._wait(lane, self._granted(work[0]))
        return (granted[0], work[1]) if granted else None

    async def _granted(self, delivery: ClaimedDelivery) -> list[ClaimedDelivery]:
        granted = await self._queue.claim_by_id(delivery)
        return [] if granted is None else [granted]

    async def _wait(self, lane: Lane, claim: Coroutine[Any, Any, list[ClaimedDelivery]]) -> list[ClaimedDelivery]:
        """Wait for a claim. What it claims, and nothing else, is given back where its worker ends meanwhile."""
        claiming = asyncio.ensure_future(claim)
        try:
            with lane.claiming():
                return await asyncio.shield(claiming)
        except RelayError:
            lane.backlog = True
            raise
        except BaseException:
            for delivery in await claiming:
                await self._give_back(delivery)
            raise

    async def _attempt(self, lane: Lane, delivery: ClaimedDelivery, body: Body) -> Work | None:
        """Attempt a delivery; gives what is next, which is claimed while the attempt is settled."""
        progress = Progress()
        following: Work | None = None

        async def go_on(result: Result) -> None:
            nonlocal following
            try:
                following = await self._next(lane) if self._goes_on(lane, result) else None
            except RelayError as error:
                log.error("activity_failed", activity=f"lane {lane.account}", error=str(error))
                self._rest(lane)
            except Exception as error:  # a fault of ours: what is just being settled knows nothing of it
                log.exception("activity_failed", activity=f"lane {lane.account}", error=repr(error))
                self._rest(lane)

        try:
            if not delivery.recipients:
                # A settlement that came too late has said that they have it, and the one behind it kept it waiting.
                await self._end(delivery)
                await go_on(Result.DONE)
            elif not lane.destination.is_account:
                await go_on(await self._inbox.attempt(delivery, body))
            else:
                await self._attempter.attempt(lane, delivery, body, progress, meanwhile=go_on)
        except BaseException as error:
            if following is not None:
                await self._give_back(following[0])
            if isinstance(error, asyncio.CancelledError) and not progress.dot:
                # Without a dot it was surely not sent; with one the row stays active: the next start calls it possible.
                await self._give_back(delivery)
            else:
                # A fault of ours, or it is cut off behind the dot: the next look takes it up, if it is not settled.
                self._queue.abandon(delivery, doubtful=progress.dot)
                self._wake()
            raise
        return following

    async def _end(self, delivery: ClaimedDelivery) -> None:
        """End a delivery that has nobody left."""
        settlement = Settlement(
            delivery_id=delivery.id,
            token=delivery.token,
            key=delivery.token,
            at=self._now(),
            seconds=0.0,
            reply=Reply(code=0, text="everybody has it already"),
            outcomes=(),
            state=DeliveryState.DONE,
            uncertain=delivery.uncertain,
            counts=False,
            keep_body=self._settings().limits.keep_delivered > 0,
        )
        if not await retry_until_stored("settle", lambda: self._queue.settle(settlement)):
            log_lost(delivery, "settled too late")

    async def _give_back(self, delivery: ClaimedDelivery) -> None:
        """Give back what was surely not sent; where the database fails, the next look takes it up."""
        try:
            await self._queue.requeue(delivery)
        except RelayError as error:
            log.error("activity_failed", activity="unclaim", queue_id=delivery.message.id, error=str(error))
            self._queue.abandon(delivery, doubtful=False)
            self._wake()
