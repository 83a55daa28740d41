"""Whose mail goes next where many wait for one way out: the one rule, for mail in memory and for the queue.

Users take turns, in the order of their names: behind the one who was served last comes the next, behind the last the
first. So do the sources of each user; a source is the user, a blank, and a sign of program and kind. Of the source
whose turn it is the mail goes that is due longest; now and then, instead, the newest of all that its user has, so that
a single mail passes the mailing before it.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MOST_USERS: Final = 1000
"""Users of whom a cursor remembers the source that was served last: who was not served for longest begins anew."""


def user_of(source: str) -> str:
    """Return whose a source is: the user, or the address of who is none."""
    return source.partition(" ")[0]


def behind(user: str) -> str:
    """Return a text behind all sources of a user and before those of the next: no name holds a blank."""
    return f"{user}!"


def next_in_turn(names: Sequence[str], last: str) -> str:
    """Return, of sorted names, the one behind `last`; behind the last one comes the first. There is at least one."""
    at = bisect_right(names, last)
    return names[at if at < len(names) else 0]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the turns of one destination stand."""

    served: str = ""
    """The source that was served last."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """For each user the source of his that was served last; who was served last of all comes last."""

    @property
    def user(self) -> str:
        """The user who was served last; empty before the first."""
        return user_of(self.served)

    def source_of(self, user: str) -> str:
        """Return the source of a user that was served last; empty where none was."""
        return self.sources.get(user, "")

    def after(self, source: str) -> "Cursor":
        """Return where they stand once a source was served."""
        user = user_of(source)
        sources = {one: last for one, last in self.sources.items() if one != user}
        sources[user] = source
        if len(sources) > MOST_USERS:
            del sources[next(iter(sources))]
        return Cursor(source, sources)
