"""Writes that must not be given up: tried until the database takes them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from relay.model.errors import RelayError

log = structlog.get_logger()

PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between the tries while the database refuses; the last one repeats."""


async def insist(activity: str, write: Callable[[], Awaitable[object]]) -> None:
    """Write, again and again while the database refuses; `activity` names it in the log."""
    for n in itertools.count():
        try:
            await write()
        except RelayError as error:
            log.error("activity_failed", activity=activity, error=str(error))
            await asyncio.sleep(PAUSES[min(n, len(PAUSES) - 1)])
        else:
            return
