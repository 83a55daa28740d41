"""The states of a mail: of all its deliveries together, as `relay.rules.states` finds them."""

from enum import StrEnum


class State(StrEnum):
    """The state of a mail, as options, JSON and the log name it."""

    WAITING = "waiting"
    ACTIVE = "active"
    """It is being sent."""
    HELD = "held"
    """A person must decide."""
    DELIVERED = "delivered"
    """The provider has it for all recipients."""
    FAILED = "failed"
    """Nobody gets it: refused, given up or deleted."""
    PARTLY = "partly"
    """Some have it, the others never get it."""

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done."""
        return self in (State.WAITING, State.ACTIVE, State.HELD)
