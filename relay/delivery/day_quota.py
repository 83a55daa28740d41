"""What is known in memory of an account's recipients of a day; the count itself is in the queue (`quota.py`)."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class DayQuota:
    """Times are milliseconds since 1970."""

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
