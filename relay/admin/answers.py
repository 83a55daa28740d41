"""What people are answered: what programs read of it, as JSON, and beside it the words for people.

The words are written where the office's time zone and the configuration are known. JSON has one name for one thing,
and those of the log (decision 28); its times are as `utc_time` writes them.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What JSON holds; tuples, mappings and enums are written as such."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Some things that were asked for: for programs, and for people in a table, by facts or in lines."""

    json: tuple[Json, ...] = ()
    """What `--json` prints: an item of a list for each thing."""
    rows: tuple[tuple[Json, ...], ...] = ()
    """The cells of a table, for each thing; one that may be cut is a text, or a pair of it and an end that may not."""
    facts: tuple[tuple[str, str], ...] = ()
    """What people read of one thing: names with values, of which empty ones are left out."""
    nothing: str = ""
    """What is said where there is nothing to list."""
    nothing_matters: bool = False
    """Whether that is said to who reads JSON, too."""
    lines: tuple[str, ...] = ()
    """What is said below."""
    exit_status: int = 0
    """Of a command: not 0 where not all is as it was wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What the person is asked before anything is changed."""

    text: str
    """`Hold these 3 mails`."""
    unasked: str = ""
    """What is said where nobody is there to answer; empty: the usual."""
    about: tuple[Told, ...] = ()
    """What it would be done to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far long work is."""

    what: str
    done: int
    """Units so far."""
    total: int | None = None
    """None: nobody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A line for people."""

    text: str
    is_fault: bool = False
    """Whether it is something that was not done, or is to be looked at."""


Answer: TypeAlias = Told | Question | Progress | Note
