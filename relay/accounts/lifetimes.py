"""How long a token still holds, though the wall clock may be set forwards or back meanwhile.

Where it is set back, a token of which the wall clock says that it holds for another day has ended all the same, and a
provider that refuses it would have its account paused.
"""

from collections.abc import Callable
from typing import Final

from relay.model.oauth import StoredLogin

_SKEW: Final = 60_000
"""Milliseconds by which the clock of another node may be ahead."""


class Lifetimes:
    """The lifetimes of the tokens that one process has seen, the last of each account."""

    def __init__(self, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        """`now`: milliseconds, UTC; `monotonic`: seconds, of a clock that nobody sets."""
        self._now, self._monotonic = now, monotonic
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}
        """By account: what was sealed, when it came, and by the monotonic clock when it ends, in milliseconds."""

    def left(self, login: StoredLogin) -> int:
        """Return for how many milliseconds a token holds, the less of what both clocks say; 0 and less: not any more.

        One that came later than now came before the wall clock was set back: nobody knows how long ago.
        """
        now, running = self._now(), self._monotonic() * 1000
        left = login.ends_at - now if login.got_at <= now + _SKEW else 0
        which, known = (login.sealed, login.got_at), self._seen.get(login.account)
        if known is None or known[0] != which:
            known = self._seen[login.account] = which, running + left
        return min(left, int(known[1] - running))
