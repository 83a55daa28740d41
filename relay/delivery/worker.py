"""The worker of a lane: it claims, attempts and settles one mail after another, until nothing of the lane is due."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from relay.delivery.attempt import Attempted, Attempter
from relay.delivery.event_log import log_lost
from relay.delivery.lane_book import LaneBook
from relay.delivery.lanes import Lane
from relay.delivery.storing import log_failure, retry_until_stored
from relay.model.errors import RelayError
from relay.model.mail import Body, ClaimedDelivery, Work
from relay.runtime import Runtime
from relay.transports.transport import Progress

NEWEST = 0.25
"""The share of claims that take the newest mail of a user, so that a single mail passes a mailing before it."""

_PREFETCHED = 64
"""Mails that are read ahead at a time."""


class Worker:
    """What all workers share.

    `wake` has the queue looked at now, `stopped` as soon as the lane may begin a mail again.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        attempter: Attempter,
        lanes: LaneBook,
        wake: Callable[[], None],
        stopped: Callable[[Lane], None],
    ) -> None:
        self._queue = runtime.queue
        self._now, self._monotonic, self._random = runtime.now, runtime.monotonic, runtime.random
        self._attempter = attempter
        self._lanes = lanes
        self._wake = wake
        self._stopped = stopped

    async def work(self, lane: Lane, first: Work | None) -> None:
        """Work off a lane until nothing of it is due."""
        work = first
        try:
            while work or (lane.again and not lane.is_overfull):
                work = await (self._next(lane) if work is None else self._attempt(lane, *work))
        except Exception as error:  # noqa: BLE001 - this worker ends, the lane rests and goes on
            self._fail(lane, error)

    def _fail(self, lane: Lane, error: Exception) -> None:
        """Let a lane rest after a fault of ours or of the database."""
        log_failure(f"lane {lane.destination}", error)
        lane.failed(self._monotonic())
        self._stopped(lane)

    # What is next

    async def _next(self, lane: Lane) -> Work | None:
        """Claim what is next, by its name where it is in memory. Raises StorageError."""
        lane.begin_round()
        while self._lanes.may_start(lane):
            newest = self._random() < NEWEST
            if not self._lanes.is_open(lane):
                lane.due.drop()  # only what people want at once goes now
                work = await self._claim(lane, newest=newest)
            else:
                await self._prefetch(lane)
                work = await self._take(lane, newest=newest)
            if work is not None:
                lane.begin_mail(self._monotonic())
                return work
            if lane.due.is_empty:
                if lane.due.take_hidden():
                    self._wake()
                return None
        self._stopped(lane)
        return None

    async def _prefetch(self, lane: Lane) -> None:
        """Fill an empty memory from the queue, where that may hold something due.

        Without it, draining a backlog costs twice the CPU (decision 40): each mail is read by itself.
        """
        if lane.due.ready or not lane.due.queued:
            return
        async with lane.prefetching:
            if lane.due.ready or not lane.due.queued:
                return
            lane.due.begin_claim()
            try:
                to, cursor = lane.destination, lane.due.cursor
                found = await self._queue.prefetch(to, now=self._now(), limit=_PREFETCHED, cursor=cursor)
            except BaseException:
                lane.due.note()
                raise
            lane.due.keep(found)
        for _ in found:
            lane.kick()

    async def _claim(self, lane: Lane, *, newest: bool) -> Work | None:
        """Claim from the queue what people want at once."""
        now = self._now()
        lane.due.begin_claim()
        to, cursor = lane.destination, lane.due.cursor
        claim = self._queue.claim(to, now=now, limit=1, open_now=False, cursor=cursor, newest=newest)
        claimed = await self._wait(lane, claim)
        if not claimed:
            return None
        work = lane.due.claimed(claimed[0])
        lane.kick()  # there may be more, for the other connections too
        return work

    async def _take(self, lane: Lane, *, newest: bool) -> Work | None:
        work = lane.due.take(newest=newest)
        if work is None:
            return None
        granted = await self._wait(lane, self._granted(work[0]))
        return (granted[0], work[1]) if granted else None

    async def _granted(self, delivery: ClaimedDelivery) -> list[ClaimedDelivery]:
        granted = await self._queue.claim_by_id(delivery)
        return [] if granted is None else [granted]

    async def _wait(self, lane: Lane, claim: Coroutine[Any, Any, list[ClaimedDelivery]]) -> list[ClaimedDelivery]:
        """Wait for a claim. What it claims, and nothing else, is requeued where its worker ends meanwhile."""
        claiming = asyncio.ensure_future(claim)
        try:
            with lane.claiming():
                return await asyncio.shield(claiming)
        except RelayError:
            lane.due.note()
            raise
        except BaseException:
            for delivery in await claiming:
                await self._requeue(delivery)
            raise

    # An attempt

    async def _attempt(self, lane: Lane, delivery: ClaimedDelivery, body: Body) -> Work | None:
        """Attempt a delivery and store what follows; return what is next, whose claim shares that commit."""
        progress = Progress()
        following: Work | None = None
        try:
            attempted = await self._attempter.attempt(lane, delivery, body, progress)
            try:
                storing = asyncio.create_task(self._store(delivery, attempted))
                try:
                    if attempted.goes_on:
                        following = await self._follow(lane)
                    else:
                        self._stopped(lane)
                    stored = await storing
                finally:
                    storing.cancel()
                if stored:
                    await attempted.then()
            finally:
                await attempted.release()
        except BaseException as error:
            if following is not None:
                await self._requeue(following[0])
            if isinstance(error, asyncio.CancelledError) and not progress.may_have_arrived:
                await self._requeue(delivery)  # surely not sent
            else:
                # A fault of ours, or it is cut off behind the dot: the next look takes it up, if it is not settled.
                self._queue.abandon(delivery, doubtful=progress.may_have_arrived)
                self._wake()
            raise
        return following

    async def _store(self, delivery: ClaimedDelivery, attempted: Attempted) -> bool:
        """Write what an attempt came to, again and again while the database refuses: what was sent is not forgotten.

        Returns False where a settlement came too late, for somebody else has the delivery.
        """
        settlement = attempted.settlement
        if settlement is None:
            if not attempted.lost:
                await retry_until_stored("requeue", lambda: self._queue.requeue(delivery))
            return True
        stored = await retry_until_stored("settle", lambda: self._queue.settle(settlement))
        if not stored:
            log_lost(delivery, "settled too late", outcomes=settlement.outcomes)
        return stored

    async def _follow(self, lane: Lane) -> Work | None:
        """Claim what is next. A fault in this leaves what is just being settled alone."""
        try:
            return await self._next(lane)
        except Exception as error:  # noqa: BLE001 - the lane rests and goes on
            self._fail(lane, error)
            return None

    async def _requeue(self, delivery: ClaimedDelivery) -> None:
        """Requeue what was surely not sent; where the database fails, the next look takes it up."""
        try:
            await self._queue.requeue(delivery)
        except RelayError as error:
            log_failure("requeue", error, queue_id=delivery.message.id)
            self._queue.abandon(delivery, doubtful=False)
            self._wake()
