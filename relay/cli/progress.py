"""Long work shows how far it is: on a terminal, on standard error, and nowhere else."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self, TypeAlias

from relay.escaping import printable

if TYPE_CHECKING:
    from relay.admin.answers import Progress as Told

Step: TypeAlias = Callable[[int], None]
"""Tell that so many more units are done."""


@contextlib.contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Step]:
    """Show a bar while the body runs, which says how far it is.

    `with progress("Copying the database", pages) as step: step(100)`. `total` is in the caller's units; None: nobody
    knows, and the bar only moves. Nothing is shown where standard error is no terminal. The bar is gone at the end, so
    that what the command says is all that stays.
    """
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(escape(printable(what)), total=total)
        yield lambda n: bars.advance(bar, n)


def _nothing(_n: int) -> None:
    """Show nothing."""


class Bar:
    """A bar for work that somebody else does, shown from its first news on."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._step: Step | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self, told: "Told") -> None:
        """Show how far the work is."""
        if self._step is None:
            self._step = self._stack.enter_context(progress(told.what, told.total))
        self._step(told.done)

    def hide(self) -> None:
        """Take the bar away, so that the command can say something."""
        self._stack.close()
        self._step = None
