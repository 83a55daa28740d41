"""An activity of the service: a loop that is begun again after a fault, so that one fault ends no other activity."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from relay.emitting import emit
from relay.events.service import ActivityFailed

_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before it is begun again; the last one repeats."""
_RAN_WELL = 120.0
"""Seconds without a fault after which those of before count no more."""


async def keep_running(
    activity: str,
    work: Callable[[], Awaitable[None]],
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run an activity until it returns; after a fault begin again, later each time unless it ran well for a while."""
    faults = 0
    while True:
        begun = monotonic()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - an activity's fault must not end the others
            faults = 0 if monotonic() - begun >= _RAN_WELL else faults
            pause = _BACKOFF[min(faults, len(_BACKOFF) - 1)]
            faults += 1
            emit(ActivityFailed(activity=activity, error=repr(error), exception=error, restart_in=pause))
            await sleep(pause)
        else:
            return
