"""What every part of the running service shares: the settings in force, queue, credentials, clocks and chance."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from relay.accounts.credentials import Credentials
from relay.clock import wall_clock
from relay.emitting import emit
from relay.events.service import ActivityFailed
from relay.model.errors import RelayError
from relay.settings import Settings
from relay.storage.queue import Queue
from relay.upstream.transaction import TIMEOUTS, Timeouts

_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before it is begun again; the last one repeats."""
_RAN_WELL = 120.0
"""Seconds without a fault after which those of before count no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """Passed to constructors as one value; tests replace the clocks and the random numbers."""

    settings: Callable[[], Settings]
    """Returns the settings in force: a reload replaces them."""
    queue: Queue
    credentials: Credentials = field(default=None)  # type: ignore[assignment]
    """Those of all accounts, compared by the key of the queue's database."""
    now: Callable[[], int] = wall_clock
    """Milliseconds since 1970, UTC. The wall clock may be set."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment; never goes back."""
    random: Callable[[], float] = random.random
    """A random number in [0, 1)."""
    timeouts: Timeouts = TIMEOUTS
    """Of connections to a provider's SMTP server."""

    def __post_init__(self) -> None:
        """Make the credentials where a test brings none of its own."""
        if self.credentials is None:
            object.__setattr__(self, "credentials", Credentials(self.queue.fingerprint_key))


@contextlib.contextmanager
def contain_faults(activity: str) -> Iterator[None]:
    """Log a fault of ours that concerns one thing of many, which go on. What the database refuses is raised."""
    try:
        yield
    except RelayError:
        raise
    except Exception as error:  # noqa: BLE001 - the others go on
        emit(ActivityFailed(activity=activity, error=repr(error), exception=error))


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
