"""A case: one kind of load, which both contestants bear in turns, each time anew on an empty queue."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from bench.contestants import Start
from bench.figures import Figures, show, tabulate


class Round(Protocol):
    """How to run one round of a case."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run it on one contestant; with `weigh` only its memory is looked at, for looking slows it down.

        Gives nothing with `weigh` if memory is already among the other figures.
        Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What one table of the page is about."""

    name: str
    """Its name on the command line and on the page."""
    what: str
    """What was done, in a sentence without its end."""
    run: Round


def compare(case: Case, contestants: Mapping[str, Start], rounds: int) -> Iterator[str]:
    """Run the rounds, and an extra one for memory; gives a line for each, and the table as Markdown at the end."""
    found: dict[str, list[Figures]] = {name: [] for name in contestants}
    for number in range(1, rounds + 2):
        weigh = number > rounds
        for name, start in contestants.items():
            figures = case.run(start, weigh=weigh)
            if not figures:
                continue
            found[name].append(figures)
            told = "; ".join(f"{what} {show(value)}" for what, value in figures.items())
            yield f"{case.name}, {'memory' if weigh else f'round {number}'}: {name}: {told}"
    yield f"{case.what}; median of {rounds} rounds in turns (lowest to highest).\n\n{tabulate(found)}"
