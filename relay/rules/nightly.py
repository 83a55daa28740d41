"""When the nightly backup is due: a pure function of what the database remembers of the last ones."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
DAY: Final = 24 * _HOUR
SOON: Final = 5 * _MINUTE
"""How long after its start a service makes the backup that it has missed: one that dies again and again makes none."""
AGAIN: Final = _HOUR
"""How long after a failure it is tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupState:
    """What is known of the last backups. Moments in milliseconds since 1970, UTC."""

    at: int | None = None
    """The moment whose state the last good one holds; None: there was none yet."""
    folder: Path | None = None
    """The last good one itself."""
    error: str = ""
    """Why the last try failed; empty where it did not."""
    error_at: int | None = None
    begun: int | None = None
    """When the last try began, while no end of it is known: it runs, or its process died."""


def next_backup(*, now: int, started: int, past: BackupState, at: int, zone: ZoneInfo) -> int:
    """Give the moment at which the next backup is due: `now` or earlier where it is due already.

    `at` is the time of the day in milliseconds, by the wall clock of `zone`; `started` is when the service started. A
    night that was missed is made up for soon after the start, once the last good backup is older than a day. After a
    failure, and a death in the middle, an hour passes. A moment in the future (by a wrong clock) counts as unknown.
    """
    past_moments = (past.at, past.error_at, past.begun)
    done, failed, begun = (None if moment is None or moment > now else moment for moment in past_moments)
    night = max(moment for moment in _nights(now, at, zone) if moment <= now)
    following = next_night(now, at, zone)
    if done is not None and done >= night:
        due = following
    elif night >= started:
        due = night
    else:
        due = min(following, started + SOON if done is None else max(started + SOON, done + DAY))
    return max([due, *(moment + AGAIN for moment in (failed, begun) if moment is not None)])


def next_night(now: int, at: int, zone: ZoneInfo) -> int:
    """Give the first such time of a day after a moment."""
    return next(moment for moment in _nights(now, at, zone) if moment > now)


def _nights(now: int, at: int, zone: ZoneInfo) -> list[int]:
    """Give the moments of the days around one, in order: each day has exactly one.

    A time that the clock skips is as much later as it skips; of one that comes twice the first counts.
    """
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today.replace(tzinfo=None, fold=0) + timedelta(days=n, milliseconds=at) for n in range(-2, 4)]
    return [round(day.replace(tzinfo=zone).timestamp() * 1000) for day in days]
