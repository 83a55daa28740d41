"""One lane for each account: its connections, its backlog, its troubles. Nothing here is durable."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from relay.model.mail import ClaimedDelivery

FIRST_REST = 5.0
"""Seconds that a lane rests after its server could not be reached; doubled each time, up to `LONGEST_REST`."""
LONGEST_REST = 60.0

Work = tuple[ClaimedDelivery, tuple[bytes, ...] | None]
"""A claimed delivery, and its body where it is still in memory."""


@dataclass(kw_only=True)
class Lane:
    """The sending side of one account. At most `width` workers run; each goes on until nothing is due."""

    account: str
    work: Callable[["Lane", Work | None], Coroutine[Any, Any, None]]
    """The worker: takes the first piece of work, if there is one, then claims more until the queue has none."""
    width: int = 1
    busy: int = 0
    reserved: int = 0
    again: bool = False
    """Whether something came while a worker was about to stop."""
    rest_until: float = 0.0
    """Monotonic seconds before which no new worker starts."""
    troubles: int = 0
    unreachable: bool = False
    """Whether the server could not be reached the last time."""
    max_size: int | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def is_free(self) -> bool:
        """Whether one more worker may start."""
        return self.busy + self.reserved < self.width

    def start(self, first: Work | None) -> None:
        """Start a worker."""
        self.busy += 1
        task = asyncio.create_task(self.work(self, first), name=f"lane {self.account}")
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def kick(self) -> None:
        """Say that there may be work: a worker starts, or a running one looks once more before it stops."""
        self.again = True
        if self.is_free:
            self.start(None)

    def rest(self, now: float) -> float:
        """Rest after trouble with the server; gives the seconds."""
        self.troubles += 1
        seconds = min(LONGEST_REST, FIRST_REST * 2.0 ** (self.troubles - 1))
        self.rest_until = now + seconds
        return seconds

    def recovered(self) -> None:
        """Forget the troubles: the server answers."""
        self.troubles = 0
        self.rest_until = 0.0
        self.unreachable = False

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.busy -= 1


class LaneSlot:
    """A place in a lane, kept for a mail that is just being accepted."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        lane.reserved += 1

    def start(self, delivery: ClaimedDelivery, body: tuple[bytes, ...] | None) -> None:
        """Attempt a delivery at once."""
        self._lane.reserved -= 1
        self._lane.start((delivery, body))

    def release(self) -> None:
        """Give the place back; what waits may have it."""
        self._lane.reserved -= 1
        self._lane.kick()
