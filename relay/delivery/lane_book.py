"""All lanes of this process: made when they are first asked for, by the settings of the moment."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from relay.delivery.lanes import Lane
from relay.delivery.pauses import PauseBook
from relay.model.destination import Destination, to_account
from relay.model.mail import Work
from relay.rules.hours import is_open, next_open
from relay.runtime import Runtime
from relay.transports.registry import Transports

_LONG_REST = 60.0
"""Seconds: an account that rests for longer is no way for a notice that may take another."""


class LaneBook:
    """Finds lanes, and tells whether and when they may send."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        transports: Transports,
        pauses: PauseBook,
        work: Callable[[Lane, Work | None], Coroutine[Any, Any, None]],
    ) -> None:
        self._settings = runtime.settings
        self._now, self._monotonic = runtime.now, runtime.monotonic
        self._transports = transports
        self._pauses = pauses
        self._work = work
        self._lanes: dict[Destination, Lane] = {}
        self.stopping = False
        """Whether nothing more is begun."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def at(self, destination: Destination) -> Lane:
        """Return the lane of a destination, by the settings of this moment."""
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane(destination=destination, work=self._work)
        transport = self._transports.at(destination)
        if transport is not None:
            lane.adopt(transport.terms)
        return lane

    def wait(self, lane: Lane) -> float:
        """Return the seconds until a lane may begin one more mail, as far as it knows."""
        return lane.wait(self._monotonic(), self._now())

    def may_start(self, lane: Lane) -> bool:
        """Tell whether a lane may begin a mail now, if that may be sent at this hour."""
        if self.stopping or lane.account in self._pauses or lane.quota.contended or self.wait(lane) > 0:
            return False
        return self._transports.at(lane.destination) is not None

    def is_open(self, lane: Lane) -> bool:
        """Tell whether a lane may send at this hour."""
        return lane.any_hour or is_open(self._settings().hours, self._now())

    def seconds_to_start(self, lane: Lane) -> float:
        """Return the seconds until a lane may begin a mail, the opening hours included."""
        now = self._now()
        closed = 0 if lane.any_hour else next_open(self._settings().hours, now) - now
        return max(self.wait(lane), closed / 1000)

    def works(self, account: str) -> bool:
        """Tell whether an account's server takes mail now, as far as is known."""
        lane = self.at(to_account(account))
        rests_long = lane.rest(self._monotonic()) > _LONG_REST
        return lane.outage is None and not rests_long and not lane.quota.wait(self._now())
