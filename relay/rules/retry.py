"""The retry schedule (`[retry]`): when a deferred mail is tried again, when its sender is warned, when we give up.

Only open, unpaused time counts for the warning and for giving up.
"""

from collections.abc import Sequence

from relay.model.account import RetryPolicy
from relay.rules.hours import OpeningHours, next_open, open_time

_SPREAD = 0.2
"""An interval is spread over 90 to 110 %, so that mails deferred together do not come back together."""


def next_attempt(*, policy: RetryPolicy, hours: OpeningHours, attempts: int, now: int, jitter: float) -> int:
    """Give the time of the next attempt, in milliseconds since 1970, UTC.

    `attempts` counts those made so far, from 1; the last interval repeats. `jitter` in [0, 1) moves the interval by -10
    to +10 %. A time outside of the opening hours becomes the next opening.
    """
    interval = policy.intervals[min(max(attempts, 1), len(policy.intervals)) - 1]
    return next_open(hours, now + round(interval * (1 + _SPREAD * (jitter - 0.5))))


def latest_due(*, policy: RetryPolicy, hours: OpeningHours, now: int) -> int:
    """Give the latest moment that `next_attempt` can have chosen by now: what is due later, a wrong clock chose."""
    return next_open(hours, now + round(max(policy.intervals) * (1 + _SPREAD / 2)) + 1)


def counted_time(*, hours: OpeningHours, pauses: Sequence[tuple[int, int]], since: int, now: int) -> int:
    """Give the open, unpaused milliseconds from `since` to `now`.

    `pauses` are (from, to), in any order; where they overlap they count once. Where `now` is before `since` it is 0.
    """
    total = 0
    for start, end in sorted(pauses):
        if end > max(start, since):
            total += open_time(hours, since, min(start, now))
            since = end
    return total + open_time(hours, since, now)


def counted_since(
    *, hours: OpeningHours, pauses: Sequence[tuple[int, int]], span: int, oldest: int, now: int
) -> int | None:
    """Give the latest moment since which `span` open, unpaused milliseconds have passed: the inverse of `counted_time`.

    None where not even `oldest` is that long ago. `pauses` must reach back to `oldest`.
    """
    if counted_time(hours=hours, pauses=pauses, since=oldest, now=now) < span:
        return None
    low, high = oldest, now - span
    while low < high:
        middle = (low + high + 1) // 2
        if counted_time(hours=hours, pauses=pauses, since=middle, now=now) >= span:
            low = middle
        else:
            high = middle - 1
    return low


def has_expired(policy: RetryPolicy, counted: int) -> bool:
    """Tell whether to give a mail up after so much counted time (milliseconds)."""
    return counted >= policy.give_up_after


def wants_warning(policy: RetryPolicy, counted: int, *, warned: bool) -> bool:
    """Tell whether the sender is to be warned that a mail still waits: once, and not where it is given up anyway."""
    return not warned and counted >= policy.warn_after and not has_expired(policy, counted)
