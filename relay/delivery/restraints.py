"""What keeps a lane from sending, as it is known in memory: a rest, fewer connections, a day that is used up."""

from dataclasses import dataclass

_MOST_DOUBLINGS = 30
NARROW_SECONDS = 900.0
"""Seconds for which only the connections are used that the provider allowed, before one more is tried."""

USED_UP_SECONDS = 3600.0
"""Seconds of rest once all is sent that may be in an hour or a day: most providers count the last 24 hours, so that
room comes back little by little."""


@dataclass(kw_only=True, slots=True)
class Backoff:
    """A rest after failures: each one in a row doubles it. Times in seconds; `now` is a monotonic time."""

    first: float
    """The wait after the first failure."""
    longest: float
    failures: int = 0
    """How many there were in a row."""
    until: float = 0.0
    """The monotonic time at which the wait ends."""

    def fail(self, now: float) -> float:
        """Count a failure and begin to wait; return the length of the wait."""
        seconds = min(self.longest, self.first * 2.0 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        self.until = now + seconds
        return seconds

    def rest(self, now: float, seconds: float) -> float:
        """Count a failure after which a wait of this length makes sense; return it."""
        self.failures += 1
        self.until = now + seconds
        return seconds

    def relax(self) -> None:
        """Begin anew with the shortest wait at the next failure; a wait that has begun goes on."""
        self.failures = 0

    def reset(self) -> None:
        """Forget the failures and end the wait."""
        self.failures, self.until = 0, 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds are left to wait."""
        return max(0.0, self.until - now)


@dataclass(kw_only=True, slots=True)
class ConnectionLimit:
    """How many connections may be used: as configured, or as few as the provider allows for a while."""

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
        """How many connections may be open at a time: as configured, or fewer where the provider allows fewer."""
        return self.configured if self.allowed is None else min(self.configured, self.allowed)


@dataclass(kw_only=True, slots=True)
class DayQuota:
    """The recipients of an account's day; the count itself is in the queue (`relay.storage.quota`).

    Times are milliseconds since 1970.
    """

    exhausted_until: int = 0
    """Before this moment the day's recipients are used up."""
    reservations: int = 0
    """How many attempts hold recipients of the day that they may give back."""
    contended: bool = False
    """Whether the day has no room only while these attempts run."""

    def reserve(self) -> None:
        """Count an attempt that holds recipients of the day."""
        self.reservations += 1

    def release(self) -> bool:
        """Count an attempt off that has ended; tell whether others waited for what it held."""
        self.reservations -= 1
        waited, self.contended = self.contended, False
        return waited

    def contend(self) -> bool:
        """Begin nothing until an attempt that holds recipients has ended; false where none holds any."""
        self.contended = self.reservations > 0
        return self.contended

    def exhaust(self, until: int) -> None:
        """Begin nothing before a moment."""
        self.exhausted_until = until

    def reset(self) -> None:
        """Forget that the day's recipients are used up: the next attempt asks the queue."""
        self.exhausted_until = 0

    def wait(self, now: int) -> float:
        """Return how many seconds are left until the next day."""
        return max(0, self.exhausted_until - now) / 1000
