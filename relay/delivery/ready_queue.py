"""Mail that waits for a connection and is in memory: just accepted, or read ahead; queued like any other.

The queue stays the only truth. What is here is `queued` there, and is claimed there before it is sent; only reading it
again is saved. What finds no room here, or is forgotten, is found by the next look at the queue. Turns are taken by the
same rule as there (`relay.rules.turns`).
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from relay.model.mail import Body, ClaimedDelivery, Work
from relay.rules.turns import Cursor, next_in_turn, user_of

MOST_MAILS = 2_000
"""Of one account."""
MOST_OCTETS = 8 << 20
"""Of one account, headers and bodies together."""


@dataclass(kw_only=True)
class ReadyQueue:
    """The mail of one destination that is due and in memory."""

    most: int = MOST_MAILS
    most_octets: int = MOST_OCTETS
    _works: dict[str, Work] = field(default_factory=dict)
    """By delivery id."""
    _users: list[str] = field(default_factory=list)
    """Sorted, as are the sources of each user, and of each source the mails, as (due, delivery id)."""
    _sources: dict[str, list[str]] = field(default_factory=dict)
    _mails: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    _octets: int = 0

    def __len__(self) -> int:
        return len(self._works)

    def add(self, delivery: ClaimedDelivery, body: Body) -> bool:
        """Keep a mail; return False where there is no room for it. One alone always has room."""
        if delivery.id in self._works:
            return True
        size = _octets(delivery, body)
        if self._works and (len(self) >= self.most or self._octets + size > self.most_octets):
            return False
        self._octets += size
        self._works[delivery.id] = (delivery, body)
        source = delivery.message.source
        user = user_of(source)
        if user not in self._sources:
            self._sources[user] = []
            insort(self._users, user)
        if source not in self._mails:
            self._mails[source] = []
            insort(self._sources[user], source)
        insort(self._mails[source], (delivery.due, delivery.id))
        return True

    def take(self, cursor: Cursor, *, newest: bool = False) -> Work | None:
        """Take the mail whose turn it is: of the next user's next source the oldest, or the newest of all of his."""
        if not self._works:
            return None
        user = next_in_turn(self._users, cursor.user)
        sources = self._sources[user]
        if newest:
            latest = max(self._mails[source][-1][0] for source in sources)
            source = next(one for one in sources if self._mails[one][-1][0] == latest)
        else:
            source = next_in_turn(sources, cursor.source_of(user))
        return self._remove(self._mails[source][-1 if newest else 0][1])

    def pop(self, delivery_id: str) -> Body:
        """Take the body of a mail that the queue gave; None where it is not here."""
        return self._remove(delivery_id)[1] if delivery_id in self._works else None

    def clear(self) -> None:
        """Forget all: the queue has it."""
        for kept in (self._works, self._users, self._sources, self._mails):
            kept.clear()
        self._octets = 0

    def _remove(self, delivery_id: str) -> Work:
        work = self._works.pop(delivery_id)
        self._octets -= _octets(*work)
        delivery = work[0]
        source = delivery.message.source
        user, mails = user_of(source), self._mails[source]
        del mails[bisect_left(mails, (delivery.due, delivery_id))]
        if not mails:
            del self._mails[source]
            self._sources[user].remove(source)
            if not self._sources[user]:
                del self._sources[user]
                self._users.remove(user)
        return work


def _octets(delivery: ClaimedDelivery, body: Body) -> int:
    return len(delivery.header) + sum(map(len, body or ()))
