"""What every part of the running service shares: the settings in force, the queue, the clocks and chance."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from relay.settings import Settings
from relay.storage.queue import Queue


def wall_clock() -> int:
    """Return the milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """Passed to constructors as one value; tests replace the clocks and the random numbers."""

    settings: Callable[[], Settings]
    """Returns the settings in force: a reload replaces them."""
    queue: Queue
    now: Callable[[], int] = wall_clock
    """Milliseconds since 1970, UTC. The wall clock may be set."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment; never goes back."""
    random: Callable[[], float] = random.random
    """A random number in [0, 1)."""
