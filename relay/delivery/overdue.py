"""The expiry as the rest of delivery still calls it."""

from collections.abc import Iterable

from relay.delivery.clock import ClockWatch
from relay.delivery.lanes import Lane
from relay.delivery.notices import Notifier
from relay.notifications.expiry import Expiry, Hindrance
from relay.runtime import Runtime


class Overdue:
    """Looks through what waits, at most once a minute."""

    def __init__(self, runtime: Runtime, *, notifier: Notifier, clock: ClockWatch) -> None:
        self._queue = runtime.queue
        self._notifier = notifier
        parts = notifier.notifications
        self._expiry = Expiry(runtime, policy=parts.policy, rerouter=parts.rerouter, look_at_clock=clock.look)

    async def look(self, lanes: Iterable[Lane]) -> None:
        """Look once. Raises StorageError."""
        paused = {pause.account for pause in await self._queue.pauses()}
        hindrances = []
        for lane in lanes:
            account = lane.destination.account
            if account in paused:
                lane.outage = None  # its server answers, if only to refuse the login
            elif account and lane.is_hindered:
                hindrances.append(Hindrance(account=account, outage=lane.outage, is_narrowed=lane.is_narrowed))
        self._notifier.wake(await self._expiry.look(hindrances))
