"""How commands print: lines and tables for people, JSON for programs. Nothing of a stranger reaches a terminal raw."""

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Sequence

import click

from relay.escaping import printable

_ZONE = "relay.zone"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def print_json(value: object) -> None:
    """Print a value (dataclasses and lists of them included) as JSON; whatever is not ASCII is escaped."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def say(text: str = "", *, error: bool = False) -> None:
    """Print one line, whatever the text holds; `error`: to standard error."""
    click.echo(printable(text), err=error)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other; values that are None or empty are left out.

    A value may have several lines: those after the first stand below it, where no name can stand.
    """
    shown = [(name, _joined(value).split("\n")) for name, value in facts if value not in (None, "", (), [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, lines in shown:
        for n, line in enumerate(lines):
            say(f"{'' if n else name:<{width}}  {line}")


def clean(value: object) -> str:
    """Make a value harmless for a terminal, and one line: control and invisible characters are escaped."""
    return printable(_joined(value))


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)


def use_zone(zone: dt.tzinfo) -> None:
    """Let this command show times in the office's zone, whatever that of the machine or the terminal is."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_ZONE] = zone


def _local(milliseconds: int) -> dt.datetime:
    context = click.get_current_context(silent=True)
    zone = None if context is None else context.meta.get(_ZONE)
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).astimezone(zone)


def show_time(milliseconds: int | None) -> str:
    """Show a time of the queue as the office's time."""
    if not milliseconds:
        return "at once" if milliseconds == 0 else ""
    return _local(milliseconds).strftime("%Y-%m-%d %H:%M:%S")


def show_soon(milliseconds: int, now: int) -> str:
    """Show a time as shortly as it is clear: `14:05` of today, `Sat 07:00` within six days, else with its date."""
    moment = _local(milliseconds)
    days = (moment.date() - _local(now).date()).days
    if days == 0:
        return moment.strftime("%H:%M")
    return f"{_DAYS[moment.weekday()]} {moment:%H:%M}" if 0 < days < 7 else moment.strftime("%Y-%m-%d %H:%M")


def count(number: int, one: str, several: str = "") -> str:
    """Count things: `1 mail`, `2 mails`; `several` where that has no s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


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


def confirm_many(what: str, *, yes: bool, unasked: str = "") -> None:
    """Ask before something that can't be undone; `--yes` and a program's standard input say yes or end it.

    `unasked`: what is said in the latter case, in place of the usual.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(unasked or f"{what}: add --yes to do it without a question")
    click.confirm(f"{what}?", abort=True)
