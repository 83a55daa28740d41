"""What is done where the database refuses: it is tried until it is stored, or logged, and the work goes on."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from relay.emitting import emit
from relay.events.service import ActivityFailed
from relay.model.errors import RelayError

R = TypeVar("R")

PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between the tries while the database refuses; the last one repeats."""


def log_failure(activity: str, error: Exception, *, queue_id: str | None = None) -> None:
    """Log why an activity failed: what the database refuses by its words, a fault of ours with its traceback."""
    refused = isinstance(error, RelayError)
    text, fault = (str(error), None) if refused else (repr(error), error)
    emit(ActivityFailed(activity=activity, queue_id=queue_id, error=text, exception=fault))


@contextlib.contextmanager
def log_and_continue(activity: str) -> Iterator[None]:
    """Log what the database refuses, and go on: something else makes up for it later."""
    try:
        yield
    except RelayError as error:
        log_failure(activity, error)


async def retry_until_stored(activity: str, write: Callable[[], Awaitable[R]]) -> R:
    """Write, again and again while the database refuses; return what the write returned. `activity` is for the log."""
    for n in itertools.count():
        try:
            return await write()
        except RelayError as error:
            log_failure(activity, error)
            await asyncio.sleep(PAUSES[min(n, len(PAUSES) - 1)])
    raise AssertionError("it counts without end")
