"""Long work shows how far it is: on a terminal, on standard error, and nowhere else."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, Self

from relay.escaping import printable

_MOST: Final = 100
"""Bars at a time: who tells of more is no service of ours."""
_LONGEST_NAME: Final = 80


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
