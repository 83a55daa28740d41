"""What waits for long: its sender is told once, and what an account that can't be reached holds is given up in time.

The retry schedule alone would not do: while a server is down, only one mail of its account is tried now and then.
"""

import itertools
from collections.abc import Callable, Iterable

import structlog

from relay.delivery.attempt import Attempter
from relay.delivery.journal import log_notices
from relay.delivery.lanes import Lane
from relay.delivery.notices import Notifier
from relay.model.mail import INBOX_LANE, ClaimedDelivery
from relay.rules.retry import counted_time, wants_warning
from relay.settings import Settings
from relay.storage.queue import Queue
from relay.storage.waiting import DelayTold

log = structlog.get_logger()

_AT_ONCE = 500
"""Deliveries that one look takes; the next look comes within a minute."""


class Overdue:
    """Looks through what waits, at most once a minute."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        queue: Queue,
        attempter: Attempter,
        notifier: Notifier,
        now: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._attempter = attempter
        self._notifier = notifier
        self._now = now

    async def look(self, lanes: Iterable[Lane]) -> None:
        """Tell whom waiting concerns, then give up what is over. Raises StorageError."""
        await self._tell_delays()
        for lane in lanes:
            if lane.unreachable is not None and lane.account != INBOX_LANE:
                before = self._now() - self._settings().retry.give_up_after
                for delivery in await self._queue.claim_old(lane.account, before=before, limit=_AT_ONCE):
                    await self._attempter.give_up(delivery, lane.unreachable)

    async def _tell_delays(self) -> None:
        policy, now = self._settings().retry, self._now()
        waiting = await self._queue.waiting_since(now - policy.warn_after, _AT_ONCE)
        for _, group in itertools.groupby(waiting, key=lambda delivery: delivery.message.id):
            await self._tell_delay([*group])

    async def _tell_delay(self, deliveries: list[ClaimedDelivery]) -> None:
        settings, now = self._settings(), self._now()
        due = []
        for delivery in deliveries:
            pauses = await self._queue.pauses_between(delivery.account, delivery.since, now)
            counted = counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
            if delivery.message.notice or wants_warning(settings.retry, counted, warned=delivery.warned):
                due.append((counted, delivery))
        if not due:
            return
        told = [delivery for _, delivery in due]
        retry_until = now + settings.retry.give_up_after - max(counted for counted, _ in due)
        account = settings.directory.account(told[0].account)
        notice = None
        if not told[0].message.notice:
            notice = await self._notifier.compose_delay(told, account, retry_until)
        message = told[0].message
        await self._queue.tell_delay(
            DelayTold(message_id=message.id, delivery_ids=tuple(d.id for d in told), at=now, notice=notice)
        )
        log.warning("mail_delayed", queue_id=message.id, account=told[0].account, deliveries=len(told),
                    told=notice is not None)  # fmt: skip
        if notice is not None:
            log_notices([notice])
            self._notifier.wake({delivery.account for delivery in notice.deliveries})
