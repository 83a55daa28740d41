"""The wall clock: what is stored, compared with other machines, or shown; durations are of the monotonic clock."""

import time


def wall_clock() -> int:
    """Return the milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
