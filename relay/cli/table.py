"""Tables of one line a row: on a terminal what does not fit is cut or left out, but ids; elsewhere all is shown."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import click

from relay.escaping import printable

_GAP: Final = 2
_ELLIPSIS: Final = "…"
_NARROWEST: Final = 40
"""Characters; a terminal that says less does not know."""

Cell: TypeAlias = object
"""What is shown, or a pair of it and an end that is never cut: `("customer@example.net", " +3")`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
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
    for line in lay_out(columns, rows, _width()):
        click.echo(line if _has_ellipsis() else line.replace(_ELLIPSIS, "~"))


def _has_ellipsis() -> bool:
    try:
        _ELLIPSIS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


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
    """Give the width of each column that stays."""
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
