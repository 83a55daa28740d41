"""The side that sends, as submission sees it."""

from typing import Protocol

from relay.model.destination import Destination
from relay.model.mail import Body, ClaimedDelivery


class Slot(Protocol):
    """A free connection of an account, reserved for one delivery."""

    def start(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Attempt a delivery that is `active` in the queue."""

    def release(self) -> None:
        """Release the slot unused."""


class Dispatcher(Protocol):
    """The side that sends, as submission sees it."""

    def reserve(self, destination: Destination) -> Slot | None:
        """Reserve a connection if one is free now and the account may send now."""

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a delivery that was just queued."""

    def max_size(self, account: str) -> int | None:
        """Return the largest mail that the provider takes, in octets, where it is known."""
