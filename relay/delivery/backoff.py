"""Waiting after failures: each one in a row doubles the wait."""

from dataclasses import dataclass

_MOST_DOUBLINGS = 30


@dataclass(kw_only=True, slots=True)
class Backoff:
    """Times in seconds; `now` is a monotonic time."""

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

    def relax(self) -> None:
        """Begin anew with the shortest wait at the next failure; a wait that has begun goes on."""
        self.failures = 0

    def reset(self) -> None:
        """Forget the failures and end the wait."""
        self.failures, self.until = 0, 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds are left to wait."""
        return max(0.0, self.until - now)
