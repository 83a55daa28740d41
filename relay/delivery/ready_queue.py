"""Mail that waits for a connection and is in memory: just accepted, or read ahead; queued like any other.

The queue stays the only truth. What is here is `queued` there, and is claimed there before it is sent; only reading it
again is saved. What finds no room here, or is forgotten, is found by the next look at the queue.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from relay.model.mail import Body, ClaimedDelivery, Work
from relay.storage.claiming import who_of

MOST_MAILS = 2_000
"""Of one account."""
MOST_OCTETS = 8 << 20
"""Of one account, headers and bodies together."""

_Mails = OrderedDict[str, Work]
"""By delivery id, oldest first."""


@dataclass(kw_only=True)
class ReadyQueue:
    """The fresh mail of one account. Users take turns, and so do the sources (program, subject) of each."""

    most: int = MOST_MAILS
    most_octets: int = MOST_OCTETS
    _users: OrderedDict[str, OrderedDict[str, _Mails]] = field(default_factory=OrderedDict)
    """By user, then by source; whose turn is next comes first."""
    _places: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Delivery id -> user and source."""
    _octets: int = 0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, delivery: ClaimedDelivery, body: Body) -> bool:
        """Keep a mail; false where there is no room for it. One alone always has room."""
        if delivery.id in self._places:
            return True
        size = _octets(delivery, body)
        if self._places and (len(self) >= self.most or self._octets + size > self.most_octets):
            return False
        self._octets += size
        user, source = who_of(delivery.message.source), delivery.message.source
        self._places[delivery.id] = (user, source)
        mails = self._users.setdefault(user, OrderedDict()).setdefault(source, OrderedDict())
        mails[delivery.id] = (delivery, body)
        return True

    def take(self, *, newest: bool = False) -> Work | None:
        """Take the mail whose turn it is: of the next user's next source the oldest, or the newest of all of his."""
        if not self._places:
            return None
        user, sources = next(iter(self._users.items()))
        if newest:
            delivery_id, source = max((next(reversed(mails)), source) for source, mails in sources.items())
        else:
            source, mails = next(iter(sources.items()))
            delivery_id = next(iter(mails))
        # Where both still have something, they go behind the others.
        self._users.move_to_end(user)
        sources.move_to_end(source)
        return self._remove(delivery_id)

    def pop(self, delivery_id: str) -> Body:
        """Take the body of a mail that the queue gave; None where it is not here."""
        return self._remove(delivery_id)[1] if delivery_id in self._places else None

    def clear(self) -> None:
        """Forget all: the queue has it."""
        self._users.clear()
        self._places.clear()
        self._octets = 0

    def _remove(self, delivery_id: str) -> Work:
        user, source = self._places.pop(delivery_id)
        sources = self._users[user]
        work = sources[source].pop(delivery_id)
        self._octets -= _octets(*work)
        if not sources[source]:
            del sources[source]
        if not sources:
            del self._users[user]
        return work


def _octets(delivery: ClaimedDelivery, body: Body) -> int:
    return len(delivery.header) + sum(map(len, body or ()))
