"""How commands print: lines, tables, progress for people, JSON for programs. Nothing of a stranger gets out raw."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Self, TypeAlias

import click

from relay.admin.words import count as count  # noqa: PLC0414 - commands find here all that they print with
from relay.admin.words import show_size as show_size  # noqa: PLC0414
from relay.escaping import printable
from relay.value import Value

_GAP: Final = 2
_ELLIPSIS: Final = "…"
_NARROWEST: Final = 40
"""Characters; a terminal that says less does not know."""
_MOST: Final = 100
"""Bars at a time: who tells of more is no service of ours."""
_LONGEST_NAME: Final = 80


def print_json(value: object) -> None:
    """Print JSON; whatever is not ASCII is escaped."""
    click.echo(json.dumps(value, indent=2))


class JsonPrinter:
    """Prints a list as `print_json` does, but item by item, so that nobody holds all of them; `single`: in no list."""

    def __init__(self, *, single: bool = False) -> None:
        self._single = single
        self._begun = False

    def add(self, items: Sequence[object]) -> None:
        """Print some items."""
        for one in items:
            if self._single:
                print_json(one)
            else:
                click.echo(("," if self._begun else "[") + "\n" + json.dumps([one], indent=2)[2:-2], nl=False)
                self._begun = True

    def end(self) -> None:
        """Print the end."""
        if not self._single:
            click.echo("\n]" if self._begun else "[]")


def say(text: str = "", *, error: bool = False) -> None:
    """Print one line, whatever the text holds; `error`: to standard error."""
    click.echo(printable(text), err=error)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other; values that are empty are left out.

    A value may have several lines: those after the first stand below it, where no name can stand.
    """
    shown = [(name, value.split("\n")) for name, value in facts if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, lines in shown:
        for n, line in enumerate(lines):
            say(f"{'' if n else name:<{width}}  {line}")


def confirm_many(what: str, *, yes: bool, unasked: str = "") -> None:
    """Ask before something that can't be undone; where nobody is there, end the command, with the words `unasked`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(printable(unasked or f"{what}: add --yes to do it without a question"))
    click.confirm(printable(f"{what}?"), abort=True)


Cell: TypeAlias = object
"""What is shown, or a pair of it and an end that is never cut: `("customer@example.net", " +3")`."""


class Column(Value):
    """One column, and what becomes of it where there is little room."""

    title: str
    least: int = 0
    """Characters to which it may be cut; 0: it is never cut."""
    wish: int = 0
    """Characters that it takes, if it needs them, before there is room for an optional column."""
    most: int = 40
    """Characters that it takes at most while others are cut or left out."""
    optional: int = 0
    """Where there is no room the column with the highest number goes first; 0: it always stays."""


def print_list(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table, one line a row, whatever the cells hold."""
    sign = _ELLIPSIS
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = "~"
    for line in lay_out(columns, rows, _width()):
        click.echo(line.replace(_ELLIPSIS, sign))


def _width() -> int | None:
    """Give the width of the terminal; None where the output goes elsewhere, and COLUMNS does not say."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdecimal():
        return None
    import shutil

    return max(_NARROWEST, shutil.get_terminal_size().columns)


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None) -> list[str]:
    """Give the lines of a table that is at most so wide, if what is never cut allows it; None: nothing is cut."""
    from rich.cells import cell_len

    cells = [[_texts(cell) for cell in row] for row in rows]
    natural = [
        max([cell_len(column.title), *(cell_len("".join(row[n])) for row in cells)]) for n, column in enumerate(columns)
    ]
    widths: dict[int, int] = {n: min(natural[n], column.most) for n, column in enumerate(columns)}
    if width is not None:
        widths = _fit(columns, natural, width)
    lines = [[(column.title, "") for column in columns], *cells]
    return [
        (" " * _GAP).join(_pad(row[n], size, cut=width is not None) for n, size in widths.items()).rstrip()
        for row in lines
    ]


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    least = {n: min(natural[n], column.least) if column.least else natural[n] for n, column in enumerate(columns)}
    wanted = {n: max(size, min(natural[n], columns[n].wish)) for n, size in least.items()}
    for n in sorted(least, key=lambda n: columns[n].optional, reverse=True):
        if columns[n].optional and sum(wanted.values()) + _GAP * (len(wanted) - 1) > width:
            del least[n], wanted[n]
    if sum(wanted.values()) + _GAP * (len(wanted) - 1) <= width:
        least = wanted
    rest = width - sum(least.values()) - _GAP * (len(least) - 1)
    for stage in ([min(natural[n], columns[n].most) for n in range(len(columns))], natural):
        # The same for all that still want some, until nothing is left or nobody wants more.
        while rest > 0 and (hungry := [n for n in least if least[n] < stage[n]]):
            for n in hungry[:rest]:
                least[n] += 1
                rest -= 1
    return least


def _texts(cell: Cell) -> tuple[str, str]:
    text, end = cell if isinstance(cell, tuple | list) and len(cell) == 2 else (cell, "")
    return printable(str(text)), printable(str(end))


def _pad(cell: tuple[str, str], size: int, *, cut: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    text, end = cell
    room = size - cell_len(end)
    if cut and cell_len(text) > room:
        text = set_cell_size(text, room - 1) + _ELLIPSIS if room > 0 else ""
    whole = text + end
    return whole + " " * (size - cell_len(whole))


class Bars:
    """Bars, one for each work that is under way; none stays, so that what the command says is all that does."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._is_shown = not quiet and sys.stderr.isatty()
        self._bars: Any = None
        self._shown: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self, what: str, done: int, total: int | None) -> None:
        """Show how far work is, in the caller's units; `total` None: nobody knows, and the bar only moves."""
        if not self._is_shown:
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress

        if self._bars is None:
            self._bars = Progress(console=Console(stderr=True), transient=True)
            self._bars.start()
        name = printable(what[:_LONGEST_NAME])
        if name not in self._shown and len(self._shown) < _MOST:
            self._shown[name] = self._bars.add_task(escape(name), total=total)
        if name in self._shown:
            self._bars.update(self._shown[name], completed=done, total=total)

    def hide(self) -> None:
        """Take the bars away, so that the command can say something."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._shown = None, {}


@contextlib.contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar while the body runs, which calls what it is given with how many more units are done."""
    done = 0

    def step(more: int) -> None:
        nonlocal done
        done += more
        bars.show(what, done, total)

    with Bars() as bars:
        step(0)
        yield step
