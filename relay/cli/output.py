"""How commands print: lines and tables for people, JSON for programs. Nothing of a stranger reaches a terminal raw."""

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from relay.escaping import printable

if TYPE_CHECKING:
    from relay.storage.admin import RecipientRow

_WIDE = 240
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


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print a table, or one line where there is nothing to show."""
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, soft_wrap=False).print(table)


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


def show_time(milliseconds: int | None) -> str:
    """Show a time of the queue as local time."""
    if not milliseconds:
        return "at once" if milliseconds == 0 else ""
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def show_span(milliseconds: int) -> str:
    """Show a duration in its largest unit and the next: `3 h 12 min`."""
    rest, parts = max(0, milliseconds), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2]) or "0 s"


def show_size(octets: int) -> str:
    """Show a size as people read it."""
    size: float = octets
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def show_outcome(recipient: "RecipientRow") -> str:
    """Show what became of a recipient, and what was said about him."""
    from relay.rules.states import DELETED

    reply = " ".join(filter(None, (str(recipient.code or ""), recipient.enhanced, recipient.reply)))
    return DELETED if reply == DELETED else f"{recipient.outcome} {clean(reply)}".rstrip()


def confirm_many(what: str, *, yes: bool) -> None:
    """Ask before something that can't be undone; `--yes` and a program's standard input say yes or end it."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}: add --yes to do it without a question")
    click.confirm(f"{what}?", abort=True)
