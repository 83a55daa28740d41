"""A watch over the wall clock: a jump neither starves the queue nor gives anything up.

Due times are wall clock times, durations are not. Where the wall clock jumps forwards (it was set, or the machine
slept), the time that never passed counts as a pause of every account, for what this node counts. Where it jumps
backwards, what is due later than any schedule reaches becomes due.
"""

from collections.abc import Callable

from relay.emitting import emit
from relay.events.service import ClockJumped
from relay.model.mail import EVERY_ACCOUNT, Pause
from relay.rules.retry import latest_due
from relay.runtime import Runtime

SMALLEST_JUMP = 60_000
"""Milliseconds; less is what time servers correct every day."""


class ClockWatch:
    """Compares the wall clock with the monotonic one."""

    def __init__(self, runtime: Runtime, *, went_back: Callable[[], None]) -> None:
        """`went_back` is called whenever the clock has jumped backwards, whoever noticed."""
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic = runtime.now, runtime.monotonic
        self._went_back = went_back
        self._offset: int | None = None

    async def look(self) -> None:
        """Notice a jump since the last look, and make it harmless.

        Whoever counts the time that has passed looks first, for a machine may have slept a moment ago.
        """
        now = self._now()
        offset = now - round(self._monotonic() * 1000)
        jump = 0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(jump) < SMALLEST_JUMP:
            return
        emit(ClockJumped(seconds=round(jump / 1000)))
        if jump < 0:
            self._went_back()
        else:
            # The clocks of other nodes have not jumped: what they count goes on.
            account = f"{EVERY_ACCOUNT}{self._queue.node}"
            reason = "the clock jumped"
            try:
                await self._queue.pause(Pause(account=account, since=now - jump, until=now, reason=reason))
            except BaseException:
                self._offset = offset - jump  # the next look sees it again
                raise
        await self.pull_back()

    async def pull_back(self) -> None:
        """Make due what is due later than any schedule reaches: a wrong clock, perhaps long ago, has put it there."""
        settings, now = self._settings(), self._now()
        await self._queue.pull_back(now=now, latest=latest_due(policy=settings.retry, hours=settings.hours, now=now))
