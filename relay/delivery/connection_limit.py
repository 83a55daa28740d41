"""How many connections an account may use: as configured, or as few as its provider allows for a while."""

from dataclasses import dataclass

NARROW_SECONDS = 900.0
"""Seconds for which only the connections are used that the provider allowed, before one more is tried."""


@dataclass(kw_only=True, slots=True)
class ConnectionLimit:
    """`now` is a monotonic time in seconds."""

    configured: int = 1
    allowed: int | None = None
    """How many the provider allows, since it refused one more; None: as many as are configured."""
    _until: float = 0.0

    def narrow(self, connections: int, now: float) -> None:
        """Use no more connections than these for a while: the provider refused one more."""
        self.allowed, self._until = max(1, connections), now + NARROW_SECONDS

    def lift(self) -> None:
        """Forget what the provider allowed."""
        self.allowed = None

    def expire(self, now: float) -> None:
        """Forget what the provider allowed if that is long ago."""
        if self._until <= now:
            self.allowed = None

    @property
    def most(self) -> int:
        """How many may be used."""
        return self.configured if self.allowed is None else min(self.configured, self.allowed)
