"""A deadline that moves with each sign of life, on one timer that is hardly ever touched.

Guarantee: the callback runs once for each deadline that passes, at most a millisecond before it, and never after
`clear` or `cancel`. To move the deadline further away costs no timer: the armed one looks, and arms itself anew.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

_TOLERANCE: Final = 0.001
"""Seconds: event loops round to milliseconds."""


class Deadline:
    """Calls back when nobody has moved it in time. Belongs to one event loop."""

    __slots__ = ("_armed", "_at", "_callback", "_handle", "_later", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        self._armed = 0.0
        """When the timer fires; means nothing where there is none."""
        self._at: float | None = None
        self._later: float | None = None
        """Where it was before it was shortened."""

    def set(self, seconds: float, *, latest: float = math.inf) -> None:
        """Put the deadline so many seconds from now, but not behind `latest` on the loop's clock."""
        at = self._at = min(self._loop.time() + seconds, latest)
        self._later = None
        if self._handle is not None:
            if self._armed <= at:
                return
            self._handle.cancel()
        self._arm(at)

    def prolong(self, seconds: float, most: float) -> None:
        """Put the deadline so many seconds later, but no further than `most` seconds from now."""
        left = 0.0 if self._at is None else self._at - self._loop.time()
        self.set(min(most, max(0.0, left) + seconds))

    def shorten(self, seconds: float) -> None:
        """Let it end at most so many seconds from now; `restore` puts it back to where it was."""
        if self._at is not None and self._at - self._loop.time() > seconds:
            later = self._at
            self.set(seconds)
            self._later = later

    def restore(self) -> None:
        """Put it back where it was before it was shortened."""
        if self._later is not None:
            self._at, self._later = self._later, None  # the timer that is armed looks, and arms itself anew

    def clear(self) -> None:
        """Have no deadline until the next `set`."""
        self._at = self._later = None

    def cancel(self) -> None:
        """Have no deadline, and no timer either; named as asyncio's timers name it."""
        self._at = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, at: float) -> None:
        self._armed = at
        self._handle = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._handle = None
        at = self._at
        if at is None:
            return
        if at - self._loop.time() > _TOLERANCE:
            self._arm(at)
            return
        self._at = None
        self._callback()
