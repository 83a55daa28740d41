"""Opening hours: when the service polls and sends (`[schedule]`), by the clock on the office's wall.

An instant is open if, and only if, a wall clock in the configured zone then shows a time within the opening hours.
From that follows what happens when the clock is changed: of a local time that exists twice both passes count, so the
repeated hour is open twice or closed twice; a local time that does not exist is never reached, so a period within the
gap is simply missing that week, and one that begins there opens at the moment of the change.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE
_WEEK = 7 * _DAY
_FIRST_MONDAY = 4 * _DAY
"""1970-01-05, a Monday: weeks are counted from here."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NUMBER = {name: n for n, day in enumerate(_DAYS) for name in (day, day[:3])}
_LONGEST_SPEC = 200
"""Characters of a period; all seven days in full, with the times, have fewer. It bounds the search for blanks, too."""
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningHours:
    """When the service is open, week after week. Made by `parse_hours`."""

    timezone: ZoneInfo
    week: tuple[tuple[int, int], ...]
    """(from, to) in milliseconds of wall-clock time since Monday 00:00: sorted, within the week, not touching."""

    @property
    def always(self) -> bool:
        """Whether it never closes."""
        return self.week == ((0, _WEEK),)


def parse_hours(specs: Sequence[str], timezone: str) -> OpeningHours:
    """Parse periods such as `Mon-Fri 07:00-19:00` in a zone of the IANA time zone database.

    Days are English names, short or full, in any case, joined by commas and hyphens (`Sat-Mon` goes over the week's
    end). A period over midnight, `22:00-02:00`, belongs to the day on which it begins; `24:00` may end one. Raises
    ValueError with a reason that names the bad part.
    """
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # by how the name is wrong: unknown, '../x', a folder
        raise ValueError(f"{timezone!r}: no such time zone") from None
    if not specs:
        raise ValueError("no period: 'Mon-Sun 00:00-24:00' is always open")
    periods: list[tuple[int, int]] = []
    for spec in specs:
        days, begin, end = _parse_spec(spec)
        for day in days:
            start, stop = day * _DAY + begin, day * _DAY + end
            periods.append((start, min(stop, _WEEK)))
            if stop > _WEEK:
                periods.append((0, stop - _WEEK))
    return OpeningHours(timezone=zone, week=_merge(periods))


def is_open(hours: OpeningHours, at: int) -> bool:
    """Tell whether the service is open at a moment (milliseconds since 1970, UTC)."""
    if hours.always:
        return True
    position = (at + _offset(hours.timezone, at) - _FIRST_MONDAY) % _WEEK
    return any(start <= position < stop for start, stop in hours.week)


def next_open(hours: OpeningHours, at: int) -> int:
    """Give the first moment, not before `at`, at which the service is open: `at` itself where it is."""
    if is_open(hours, at):
        return at
    return next(_open_periods(hours, at))[0]


def day_of(hours: OpeningHours, at: int) -> str:
    """Name the office's day of a moment, as `2026-05-28`."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(hours.timezone).date().isoformat()


def next_day(hours: OpeningHours, at: int) -> int:
    """Give the moment when the office's next day begins."""
    tomorrow = datetime.fromtimestamp(at / 1000, UTC).astimezone(hours.timezone).date() + timedelta(days=1)
    return round(datetime.combine(tomorrow, time(), hours.timezone).timestamp() * 1000)


def open_time(hours: OpeningHours, start: int, end: int) -> int:
    """Give the open milliseconds between two moments, exact through changes of the clock; 0 where `end` is earlier.

    Takes time in proportion to the days between.
    """
    if hours.always:
        return max(0, end - start)
    total = 0
    if start < end:
        for opening, closing in _open_periods(hours, start):
            if opening >= end:
                break
            total += min(closing, end) - opening
    return total


def open_after(hours: OpeningHours, at: int, span: int) -> int:
    """Give the moment by which so many open milliseconds have passed since another: the inverse of `open_time`."""
    if hours.always or span <= 0:
        return at + max(0, span)
    for opening, closing in _open_periods(hours, at):
        if closing - opening >= span:
            return opening + span
        span -= closing - opening
    raise AssertionError("the periods have no end")


def _parse_spec(spec: str) -> tuple[list[int], int, int]:
    if len(spec) > _LONGEST_SPEC:
        raise ValueError(
            f"a period of {len(spec)} characters, beginning {spec[:40]!r}: can't have more than {_LONGEST_SPEC};"
            " it must look like 'Mon-Fri 07:00-19:00'"
        )
    days, _, times = re.sub(r"\s*([-,])\s*", r"\1", spec.strip()).rpartition(" ")
    match = _TIMES.fullmatch(times)
    if not days or match is None:
        raise ValueError(f"{spec!r}: must look like 'Mon-Fri 07:00-19:00'")
    begin, end = _parse_time(spec, *match.group(1, 2)), _parse_time(spec, *match.group(3, 4))
    if begin == _DAY:
        raise ValueError(f"{spec!r}: 24:00 can only end a period")
    if begin == end:
        raise ValueError(f"{spec!r}: begins and ends at the same time; a whole day is 00:00-24:00")
    return _parse_days(spec, days.strip()), begin, end if end > begin else end + _DAY


def _parse_time(spec: str, hour: str, minute: str) -> int:
    time = (int(hour) * 60 + int(minute)) * _MINUTE
    if int(minute) > 59 or time > _DAY:
        raise ValueError(f"{spec!r}: {hour}:{minute} is no time of the day")
    return time


def _parse_days(spec: str, text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        numbers = [_parse_day(spec, name) for name in part.split("-")]
        if len(numbers) > 2:
            raise ValueError(f"{spec!r}: {part!r} is no range of days")
        first, last = numbers[0], numbers[-1]
        days += [(first + n) % 7 for n in range((last - first) % 7 + 1)]
    return days


def _parse_day(spec: str, name: str) -> int:
    number = _DAY_NUMBER.get(name.lower())
    if number is None:
        raise ValueError(f"{spec!r}: {name!r} is no day: must be Mon, Tue, Wed, Thu, Fri, Sat or Sun")
    return number


def _merge(periods: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def _open_periods(hours: OpeningHours, at: int) -> Iterator[tuple[int, int]]:
    """Give the open periods from a moment on, cut at midnights and changes of the clock, in order, without end."""
    for begin, end, offset in _steady_times(hours.timezone, at):
        local = begin + offset
        monday = local - (local - _FIRST_MONDAY) % _WEEK
        for week in (monday, monday + _WEEK):
            for start, stop in hours.week:
                opening, closing = max(begin, week + start - offset), min(end, week + stop - offset)
                if opening < closing:
                    yield opening, closing


def _steady_times(zone: ZoneInfo, at: int) -> Iterator[tuple[int, int, int]]:
    """Give (from, to, offset from UTC) from a moment on, each at most a day. No zone changes its clock twice a day."""
    offset = _offset(zone, at)
    while True:
        end = at + _DAY
        after = _offset(zone, end)
        if after != offset:
            low = at
            while end - low > 1:
                middle = (low + end) // 2
                if _offset(zone, middle) == offset:
                    low = middle
                else:
                    end = middle
            after = _offset(zone, end)
        yield at, end, offset
        at, offset = end, after


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at // 1000, zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds() * 1000)
