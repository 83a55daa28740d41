"""What came into the inboxes and the quarantine: one row for each user's copy of each collected mail.

Guarantee: a row is written in the transaction that records the mail's unique id as fetched, so there is none without
the other, and none twice.
"""

from collections.abc import Sequence
from typing import Any, Final

from relay.model.arrival import Arrival, Place
from relay.storage.rows import clean
from relay.storage.sql import Parameter, Transaction

_NAMES: Final = (
    'id, at, "user", address, why, account, uidl, header_message_id, sender, subject, size, place, file, node, reason,'
    " left_at, given_to, left_by"
)
_INSERT: Final = f"INSERT INTO arrival ({_NAMES}) VALUES ({', '.join('?' * 18)}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 - constants
_KNOWN: Final = 'SELECT max(id) FROM arrival WHERE uidl = ? AND account = ? AND "user" = ? AND file = ?'
# What is in the quarantine waits for a person, however old it is.
_PURGE: Final = (
    "DELETE FROM arrival WHERE id IN (SELECT id FROM arrival"
    " WHERE id < ? AND at < ? AND place <> 'quarantine' ORDER BY id LIMIT ?)"
)


def insert(tx: Transaction, arrivals: Sequence[Arrival]) -> None:
    """Write new rows; those that are there already stay as they are."""
    tx.change_each(_INSERT, [_row(one) for one in arrivals])


def find_known(tx: Transaction, arrival: Arrival) -> str | None:
    """Give the id under which the same file of the same mail is known; None where it is not.

    A poll that finds the file of a message in the inbox asks: without unique ids, a server whose deletion failed gives
    the message once more.
    """
    found: str | None = tx.rows(_KNOWN, clean(arrival.uidl), arrival.account, arrival.user, arrival.file)[0][0]
    return found


def purge(tx: Transaction, orders: Sequence[tuple[str, int, int]]) -> list[int]:
    """Delete (first id that is kept, before, limit): rows of the past; gives how many."""
    return [tx.change(_PURGE, *order) for order in orders]


def read_arrival(record: dict[str, Any]) -> Arrival:
    """Make an arrival of a row."""
    return Arrival(**{**record, "place": Place(record["place"])})


def _row(one: Arrival) -> tuple[Parameter, ...]:
    return (
        one.id,
        one.at,
        clean(one.user),
        clean(one.address),
        clean(one.why),
        clean(one.account),
        clean(one.uidl),
        clean(one.header_message_id),
        clean(one.sender),
        clean(one.subject),
        one.size,
        one.place.value,
        clean(one.file),
        clean(one.node),
        clean(one.reason),
        one.left_at,
        clean(one.given_to),
        clean(one.left_by),
    )
