"""What this process has claimed and runs: the other half of a claim, whose first half is the `active` row.

Guarantee: a claim is known here before it can stand in the database, and until what ends it is on the disk. So an
`active` row of this node that is not known here is run by nobody, and whoever looks may take it up at once.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from relay.model.ids import new_token

MARGIN: Final = 5.0
"""Seconds for which a lease must still hold when a final dot leaves."""


def boot_time() -> float:
    """Return the seconds since the machine started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class _Running:
    token: str
    until: float
    """By the boot clock: until then no other node can have taken it."""
    lost: bool = False


class Claims:
    """The claims of one process, by delivery. The event loop changes them; the writer's thread may look."""

    def __init__(self, *, lease: float, clock: Callable[[], float] = boot_time) -> None:
        """`lease` is the seconds for which a claim holds on a shared database without being renewed."""
        self._lease = lease
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._pending: set[str] = set()
        self._doubts: set[tuple[str, str]] = set()
        self.orphans = False
        """Whether something may be `active` that nobody runs any more: then it is worth a look."""

    @contextlib.contextmanager
    def making(self) -> Iterator[tuple[str, float]]:
        """Give the token of a claim that is written meanwhile, and until when it holds; a failure may leave orphans."""
        token, until = new_token(), self.begin()
        self._pending.add(token)
        try:
            yield token, until
        except BaseException:
            self.orphans = True
            raise
        finally:
            self._pending.discard(token)

    def begin(self) -> float:
        """Return until when a claim holds that is written from now on."""
        return self._clock() + self._lease

    def hold(self, delivery_id: str, token: str, until: float) -> None:
        """Note a claim."""
        self._running[delivery_id] = _Running(token, until)

    def drop(self, delivery_id: str, token: str) -> bool:
        """Note that a claim has ended on the disk; tell whether it was known. One of another token goes on."""
        if self._of(delivery_id, token) is None:
            return False
        del self._running[delivery_id]
        return True

    def abandon(self, delivery_id: str, token: str, *, doubtful: bool = False) -> None:
        """Note that nobody runs a claim any more, whatever the database says; `doubtful`: its dot may be out."""
        if self.drop(delivery_id, token) and doubtful:
            self._doubts.add((delivery_id, token))
        self.orphans = True

    def renewed(self, claims: Mapping[str, str], kept: set[str], until: float) -> None:
        """Note which of some claims (delivery id -> token) a renewal still found."""
        for delivery_id, token in claims.items():
            claim = self._of(delivery_id, token)
            if claim is not None and delivery_id in kept:
                claim.until = until
            elif claim is not None:
                claim.lost = True

    def is_good(self, delivery_id: str, token: str) -> bool | None:
        """Return whether a claim surely holds for `MARGIN` more; None where its lease is too old to tell."""
        claim = self._of(delivery_id, token)
        if claim is None or claim.lost:
            return False
        return True if claim.until - self._clock() > MARGIN else None

    @property
    def running(self) -> dict[str, str]:
        """What runs: delivery id -> token."""
        return {delivery_id: claim.token for delivery_id, claim in list(self._running.items())}

    def runs(self, delivery_id: str, token: str) -> bool:
        """Return whether somebody runs this claim, or is just making it."""
        return token in self._pending or self._of(delivery_id, token) is not None

    def is_doubtful(self, delivery_id: str, token: str) -> bool:
        """Return whether the dot of a claim that was abandoned may have left."""
        return (delivery_id, token) in self._doubts

    @property
    def doubts(self) -> frozenset[tuple[str, str]]:
        """The claims that were abandoned with a doubt, as (delivery id, token)."""
        return frozenset(self._doubts)

    def forget_doubts(self, doubts: frozenset[tuple[str, str]]) -> None:
        """Note that these are in the database: not before, since what writes them may have to run again."""
        self._doubts -= doubts

    def _of(self, delivery_id: str, token: str) -> _Running | None:
        claim = self._running.get(delivery_id)
        return claim if claim is not None and claim.token == token else None
