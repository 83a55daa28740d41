"""Moments as people write them to a command: `2 h`, `14:30`, `yesterday`, `2026-11-27`, `27.11. 8:15`, or a log's own.

Pure: the clock and the office's time zone are arguments. Times are milliseconds since 1970, UTC.
"""

import datetime as dt
import re
from typing import Final

_SPAN: Final = re.compile(r"([0-9]{1,6})\s*([a-z]+)(?:\s+ago)?")
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_GERMAN: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})?")
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: uhr)?")
_EXACT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:z|[+-][0-9]{2}:?[0-9]{2})"
)
UNITS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1_000),
    **dict.fromkeys(("min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
    **dict.fromkeys(("week", "weeks"), 604_800_000),
}
"""Milliseconds of the units of time, by the words for each."""
_WORDS: Final = {"today": 0, "yesterday": 1}
LIKE: Final = '"2 h", "14:30", "yesterday", "2026-11-27", "2026-11-27 14:30"'


def utc_time(milliseconds: int | None) -> str | None:
    """Write a moment for programs, as the log's timestamp: `2026-11-27T13:01:10.250Z`; None for none, and for 0."""
    if not milliseconds:
        return None
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str, *, now: int, zone: dt.tzinfo, end: bool = False) -> int:
    """Give the moment that a text means. Raises ValueError with what it must be like.

    A span is so long before now; a time alone is the last one that was; a date without a year the last one that was.
    `end`: a date alone means its end, so that a list "until the 27th" has the 27th in it.
    """
    wanted = " ".join(text.lower().split())
    if wanted == "now":
        return now
    span = _SPAN.fullmatch(wanted)
    if span is not None:
        if span[2] not in UNITS:
            raise ValueError(f"{span[2]!r} is no unit: must be like {LIKE}")
        return max(0, now - int(span[1]) * UNITS[span[2]])
    try:
        if _EXACT.fullmatch(wanted):
            return _milliseconds(dt.datetime.fromisoformat(wanted.upper()))
        return _read_local(wanted, dt.datetime.fromtimestamp(now / 1000, zone), end=end)
    except OverflowError:
        raise ValueError("is out of the calendar's range") from None


def _read_local(wanted: str, now: dt.datetime, *, end: bool) -> int:
    time = _TIME.fullmatch(wanted)
    if time is not None:
        moment = dt.datetime.combine(now.date(), _time(time), now.tzinfo)
        if moment > now:
            moment = dt.datetime.combine(now.date() - dt.timedelta(days=1), _time(time), now.tzinfo)
        return _milliseconds(moment)
    first, _, rest = wanted.replace("t", " ", 1).partition(" ") if wanted[:1].isdigit() else wanted.partition(" ")
    date = _date(first, now.date())
    rest = rest.removeprefix("at ").removeprefix("um ")
    if rest:
        clock = _TIME.fullmatch(rest)
        if clock is None:
            raise ValueError(f"{rest!r} is no time: must be like {LIKE}")
        return _milliseconds(dt.datetime.combine(date, _time(clock), now.tzinfo))
    if end:
        date += dt.timedelta(days=1)
    return _milliseconds(dt.datetime.combine(date, dt.time(), now.tzinfo))


def _date(text: str, today: dt.date) -> dt.date:
    if text in _WORDS:
        return today - dt.timedelta(days=_WORDS[text])
    iso, german = _ISO.fullmatch(text), _GERMAN.fullmatch(text)
    try:
        if iso is not None:
            return dt.date(int(iso[1]), int(iso[2]), int(iso[3]))
        if german is not None:
            return (
                _last(int(german[1]), int(german[2]), today)
                if german[3] is None
                else dt.date(int(german[3]), int(german[2]), int(german[1]))
            )
    except ValueError:
        raise ValueError(f"there is no day {text}") from None
    raise ValueError(f"must be like {LIKE}")


def _last(day: int, month: int, today: dt.date) -> dt.date:
    """Give the last such day that was; the 29th of February may be up to eight years ago."""
    for year in range(today.year, today.year - 9, -1):
        try:
            found = dt.date(year, month, day)
        except ValueError:
            continue
        if found <= today:
            return found
    raise ValueError("no such day")


def _time(match: re.Match[str]) -> dt.time:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"there is no time {match[0]}: must be 00:00 to 23:59")
    return dt.time(hour, minute, second)


def _milliseconds(moment: dt.datetime) -> int:
    return max(0, int(moment.timestamp() * 1000))
