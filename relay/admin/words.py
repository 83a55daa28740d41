"""Numbers, times and sizes as people read them. Pure; times are milliseconds since 1970."""

import datetime as dt
import re
from collections.abc import Iterable
from textwrap import wrap
from typing import Final

from relay.escaping import printable

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))

_COMMAND: Final = re.compile(r'"relay [^"]*"|`[^`]*`|(?<=: )relay [^"`]*$')


def fold(text: str, width: int) -> list[str]:
    """Break a text into lines of so many characters; one with a command is longer, so that this can be copied."""
    held = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), printable(text))
    return [line.replace("\0", " ") for line in wrap(held, width, break_long_words=False, break_on_hyphens=False)]


def _local(milliseconds: int, zone: dt.tzinfo | None) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).astimezone(zone)


def show_time(milliseconds: int | None, zone: dt.tzinfo | None) -> str:
    """Show a time of the queue as the office's time."""
    if not milliseconds:
        return "at once" if milliseconds == 0 else ""
    return _local(milliseconds, zone).strftime("%Y-%m-%d %H:%M:%S")


def show_moment(milliseconds: int | None, zone: dt.tzinfo | None) -> str:
    """Show a time as `show_time` does, with its zone: where it may be read by the clock of another machine."""
    shown = show_time(milliseconds, zone)
    return f"{shown} {_local(milliseconds, zone):%Z}" if milliseconds else shown


def show_soon(milliseconds: int, now: int, zone: dt.tzinfo | None) -> str:
    """Show a time as shortly as it is clear: `14:05` of today, `Sat 07:00` within six days, else with its date."""
    moment = _local(milliseconds, zone)
    days = (moment.date() - _local(now, zone).date()).days
    if days == 0:
        return moment.strftime("%H:%M")
    return f"{_DAYS[moment.weekday()]} {moment:%H:%M}" if 0 < days < 7 else moment.strftime("%Y-%m-%d %H:%M")


def show_span(milliseconds: int) -> str:
    """Show a duration in its largest unit and the next: `3 h 12 min`."""
    rest, parts = max(0, milliseconds), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2]) or "0 s"


def show_age(milliseconds: int) -> str:
    """Show a duration in its largest unit: `3 h`."""
    return " ".join(show_span(milliseconds).split()[:2])


def show_size(octets: int) -> str:
    """Show a size as people read it."""
    size: float = octets
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def count(number: int, one: str, several: str = "") -> str:
    """Count things: `1 mail`, `2 mails`; `several` where that has no s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such account or user, with the nearest name that there is, and all of them."""
    import difflib  # noqa: PLC0415 - for who mistypes

    names = list(known)
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    hint = next((f"did you mean {one!r}? " for one in names if one.lower() in near), "")
    return f"there is no {what} {name!r}; {hint}there are: {', '.join(names) or 'none'}"
