"""The recipients of an account's day (`recipients_per_day`): reserved before an attempt, given back after it.

A mail that the rest of the day has no room for goes to as many recipients as there is room for; the others have the
next day's. So no mail stops those behind it, and none waits for a day that would have room for all of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from relay.delivery.lanes import Lane
from relay.delivery.storing import log_and_continue
from relay.emitting import emit
from relay.events.accounts import AccountFull
from relay.events.delivery import MailParted
from relay.model.destination import Destination
from relay.model.ids import new_id
from relay.model.mail import ClaimedDelivery, NewDelivery
from relay.rules.hours import day_of, next_day
from relay.rules.moments import utc_time
from relay.runtime import Runtime
from relay.storage.quota import Count
from relay.transports.transport import Terms


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What a delivery may do now."""

    delivery: ClaimedDelivery
    """With the recipients whom it may name; where there are none, the day is over."""
    count: Count | None = None
    """What is reserved for them; None where the account has no such limit."""
    contended: bool = False
    """Nothing is granted only while other attempts of the account hold what they may not need."""


class Quota:
    """Reserves and gives back."""

    def __init__(self, runtime: Runtime, *, wake: Callable[[Iterable[Destination]], None]) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._wake = wake

    async def reserve(self, lane: Lane, terms: Terms, delivery: ClaimedDelivery) -> Grant:
        """Reserve room for a delivery's recipients, or for some, while the others leave it. Raises StorageError."""
        if terms.recipients_per_day is None:
            return Grant(delivery=delivery)
        hours, now = self._settings().hours, self._now()
        wanted = len(delivery.recipients)
        count = Count(lane.destination.name, day_of(hours, now), wanted, terms.recipients_per_day)
        lane.quota.reserve()
        granted = 0
        try:
            if await self._queue.count_recipients(count):
                granted = wanted
            elif lane.quota.reservations > 1:
                return Grant(delivery=replace(delivery, recipients=()), contended=True)
            else:
                rest_id = new_id(now)
                rest = NewDelivery(
                    id=rest_id,
                    destination=delivery.destination,
                    recipients=delivery.recipients,
                    version=delivery.version,
                    due=next_day(hours, now),
                    uncertain=delivery.uncertain,
                )
                granted = await self._queue.count_part(count, delivery, rest)
        finally:
            if not granted:
                self._release(lane)
        if not granted:
            until = next_day(hours, self._now())
            lane.quota.exhaust(until)
            emit(AccountFull(account=count.account, until=utc_time(until)))
        elif granted < wanted:
            left = wanted - granted
            emit(MailParted(queue_id=delivery.message.id, account=count.account, recipients=granted, left=left))
        return Grant(
            delivery=replace(delivery, recipients=delivery.recipients[:granted]),
            count=replace(count, recipients=granted),
        )

    async def stand_back(self, lane: Lane) -> None:
        """Let the lane begin nothing until one of the attempts that hold the room has ended."""
        if not lane.quota.contend():
            self._wake({lane.destination})

    async def settle(self, lane: Lane, count: Count | None, *, taken: int | None) -> None:
        """End a reservation: whom the provider did not take does not count. `taken` None: nobody knows."""
        if count is None:
            return
        spare = 0 if taken is None else count.recipients - taken
        try:
            if spare:
                with log_and_continue(f"count {count.account}"):  # else the day has room for a few less
                    await self._queue.uncount_recipients(replace(count, recipients=spare))
        finally:
            if spare:
                lane.quota.reset()
                self._wake({lane.destination})
            self._release(lane)

    def _release(self, lane: Lane) -> None:
        if lane.quota.release():
            self._wake({lane.destination})
