"""What the storage needs from time to time: claims are prolonged on a shared database, old bodies and old history go.

It goes in small steps with pauses between them, so that mail goes first however much there is to clear away.
"""

import asyncio

from relay.emitting import emit
from relay.events.service import ActivityFailed, NodeNameTaken
from relay.model.errors import RelayError
from relay.runtime import Runtime

ROUND = 60.0
"""Seconds between two rounds."""
STEP = 200
"""Mails that one step clears away."""
_REST = 4.0
"""How much longer than a step the pause after it is: a fifth of the writer's time, less when mail is busy."""
_SHORTEST_REST = 0.05
_AGAIN = 1.0
"""Seconds until claims are prolonged again where the database refused."""


class Housekeeper:
    """Keeps the storage of one service in order."""

    def __init__(self, runtime: Runtime) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic = runtime.now, runtime.monotonic
        self._bodies_may_be_left = True
        """Bodies of what is done, from a time when they were to be kept."""

    async def run(self) -> None:
        """Keep house for ever. Raises StorageError."""
        while True:
            end = self._monotonic() + ROUND
            while True:
                begun = self._monotonic()
                more = await self.clear_away()
                took = self._monotonic() - begun
                if not more or self._monotonic() >= end:
                    break
                # A step that had to wait behind mail took long: then the pause is long, too.
                await asyncio.sleep(min(ROUND, max(_SHORTEST_REST, _REST * took)))
            await asyncio.sleep(max(_SHORTEST_REST, end - self._monotonic()))

    async def keep_claims(self) -> None:
        """Prolong what this process really runs, four times in each lease, for ever."""
        while True:
            seconds = self._queue.lease / 4000
            try:
                await self._queue.renew_leases()
                if not await self._queue.is_alone():
                    # Tokens keep apart what each claims; but at its start each takes up what the other runs.
                    emit(NodeNameTaken(node=self._queue.node))
            except RelayError as error:
                emit(ActivityFailed(activity="claims", error=str(error)))
                seconds = min(seconds, _AGAIN)
            await asyncio.sleep(seconds)

    async def clear_away(self) -> bool:
        """Do one step; return whether there is more to do. Raises StorageError."""
        now, limits = self._now(), self._settings().limits
        purged = await self._queue.purge_history(now - limits.keep_history, STEP)
        forgotten = await self._queue.purge_arrivals(now - limits.keep_history, STEP)
        spent = 0
        if limits.keep_delivered or self._bodies_may_be_left:
            spent = await self._queue.drop_delivered_bodies(now - limits.keep_delivered, STEP)
            # While none is kept, none can be left behind: looking for them once is enough.
            self._bodies_may_be_left = limits.keep_delivered > 0 or spent == STEP
        await self._queue.sweep_bodies()
        return STEP in (purged, forgotten, spent)
