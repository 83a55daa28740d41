"""The rate of an account (`messages_per_minute`): a sliding window of one minute."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.model.mail import ClaimedDelivery
from relay.runtime import Runtime

_MINUTE = 60.0
_OLDEST = 2 * 86_400_000
"""Milliseconds: older mails are tried so seldom that looking for them would cost more than it saves."""


@dataclass(kw_only=True, slots=True)
class RateLimit:
    """At most so many mails begin within any minute. Times are monotonic seconds."""

    per_minute: int | None = None
    """None: no limit."""
    _starts: deque[float] = field(default_factory=deque)

    def start(self, now: float, mails: int = 1) -> None:
        """Count a mail that begins, or so many."""
        if self.per_minute is not None:
            self._starts.extend([now] * mails)

    def restore(self, starts: Iterable[float]) -> None:
        """Count mails that began before this process did, the oldest first."""
        self._starts.extendleft(reversed([*starts]))

    def wait(self, now: float, *, pending: int = 0) -> float:
        """Return how many seconds are left until one more mail may begin; `pending` others are about to begin."""
        if self.per_minute is None:
            return 0.0
        while self._starts and self._starts[0] <= now - _MINUTE:
            self._starts.popleft()
        if len(self._starts) + pending < self.per_minute:
            return 0.0
        return self._starts[0] + _MINUTE - now if self._starts else 1.0


async def recent_starts(runtime: Runtime, *, interrupted: Iterable[ClaimedDelivery]) -> dict[str, list[float]]:
    """Return when mails of accounts with a rate began within the last minute, as the queue knows it.

    Nobody wrote down when the deliveries began that the end of the last process `interrupted`: they count as just now.
    Raises StorageError.
    """
    now, monotonic = runtime.now(), runtime.monotonic()
    limited = [a.name for a in runtime.settings().directory.accounts if a.messages_per_minute]
    if not limited:
        return {}
    begun = await runtime.queue.starts_since(limited, after=now - round(_MINUTE * 1000), oldest=now - _OLDEST)
    found = {account: [monotonic - max(0, now - at) / 1000 for at in starts] for account, starts in begun.items()}
    for delivery in interrupted:
        found.setdefault(delivery.account, []).append(monotonic)
    return found
