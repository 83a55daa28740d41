"""The running service, as the functions of the admin room reach it from their threads."""

import asyncio
from collections.abc import Collection

from relay.delivery import Delivery
from relay.emitting import emit
from relay.events.event import Event


class Running:
    """Passes on to the event loop what a request wants of the service."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._loop = asyncio.get_running_loop()

    def flush(self, accounts: Collection[str] | None) -> bool:
        """Try these accounts' mails at once (None: all)."""
        self._loop.call_soon_threadsafe(self._delivery.flush, None if accounts is None else frozenset(accounts))
        return True

    def rescan(self) -> None:
        """Look at the queue and the pauses at once."""
        self._loop.call_soon_threadsafe(self._delivery.rescan)

    def serve(self) -> None:
        """Do nothing: it serves already."""

    def record(self, event: Event) -> None:
        """Log what was done."""
        emit(event)
