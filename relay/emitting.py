"""Hands each event to whoever reads events: to the log always, to others once they have subscribed.

Guarantee: a reader that raises harms neither the caller nor the other readers.
"""

from collections.abc import Callable

from relay.events.event import Event
from relay.events.service import ActivityFailed

Reader = Callable[[Event], None]


def _log(event: Event) -> None:
    from relay.logs import write_event  # noqa: PLC0415 - structlog takes a tenth of a command, and most log nothing

    write_event(event)


_readers: tuple[Reader, ...] = (_log,)


def emit(*events: Event) -> None:
    """Hand events to all readers, in this thread and at once: readers don't wait and don't block."""
    for event in events:
        for reader in _readers:
            try:
                reader(event)
            except Exception as error:  # noqa: BLE001 - whoever says what happened must not fail by it
                if reader is not _log:
                    fault = f"reader of events {reader}"
                    _log(ActivityFailed(activity=fault, error=repr(error), exception=error))


def subscribe(reader: Reader) -> Callable[[], None]:
    """Let a function have each event from now on, in the thread where it happens; returns what ends that."""
    global _readers  # noqa: PLW0603 - replaced as a whole: other threads may just be emitting
    _readers = (*_readers, reader)

    def unsubscribe() -> None:
        global _readers  # noqa: PLW0603 - as above
        _readers = tuple(other for other in _readers if other is not reader)

    return unsubscribe
