"""Reading ahead: what a lane is about to send, many mails at a time. Nothing is claimed by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from relay.model.destination import Destination
from relay.model.mail import Work
from relay.storage.claiming import (
    SELECT_NEWEST,
    SELECT_OLDEST,
    TURNS,
    behind,
    next_source,
    source_of_newest,
    who_of,
)
from relay.storage.rows import read_claimed
from relay.storage.transaction import AnyRow, Transaction

_SOURCES: Final = TURNS + " AND due <= ? LIMIT ?"
_SHORT: Final = 65_536
"""Octets of a mail whose body is read as well."""
_BODIES: Final = (
    "SELECT c.message_id, c.version, c.data FROM content c WHERE c.message_id {any} AND c.seq = 0 AND NOT EXISTS"
    " (SELECT 1 FROM content d WHERE d.message_id = c.message_id AND d.version = c.version AND d.seq = 1)"
)


@dataclass(frozen=True, slots=True)
class Prefetch:
    """What a lane asks for."""

    destination: Destination
    now: int
    limit: int
    """Mails that are wanted, roughly: each user gives some of each of his sources, and his newest."""
    served: str = ""
    """The source that was served last: the users behind that one come first."""
    turns: Mapping[str, str] = field(default_factory=dict)
    """For each user the source of his that was served last: those behind it come first."""


def prefetch(tx: Transaction, wish: Prefetch) -> list[Work]:
    """Read what is due, some of each user and source: those that wait longest, and the newest of each user.

    Each with its body where that is short.
    """
    users = _users(tx, wish)
    share = max(1, wish.limit // max(1, len(users)))
    rows: dict[str, AnyRow] = {}
    for user in users:
        sources = _sources(tx, wish, user, share)
        for source in sources:
            found = tx.rows(SELECT_OLDEST, str(wish.destination), source, wish.now, max(1, share // len(sources)))
            rows.update({row[0]: row for row in found})
        newest = source_of_newest(tx, str(wish.destination), user, wish.now)
        if newest:
            found = tx.rows(SELECT_NEWEST, str(wish.destination), newest, wish.now, 1 + share // 4)
            rows.update({row[0]: row for row in found})
    found_mails = read_claimed(tx, list(rows.values()))
    short = list({delivery.message.id for delivery in found_mails if delivery.message.size <= _SHORT})
    bodies = {(row[0], row[1]): (row[2],) for row in tx.rows(_BODIES, short)} if short else {}
    return [(delivery, bodies.get((delivery.message.id, delivery.version))) for delivery in found_mails]


def _users(tx: Transaction, wish: Prefetch) -> list[str]:
    """Give the users that have something due, those behind the one that was served last before the others."""
    found: dict[str, None] = {}
    for after in (behind(who_of(wish.served)) if wish.served else "", ""):
        source = next_source(tx, str(wish.destination), after, wish.now)
        while source and who_of(source) not in found and len(found) < wish.limit:
            found[who_of(source)] = None
            source = next_source(tx, str(wish.destination), behind(who_of(source)), wish.now)
    return list(found)


def _sources(tx: Transaction, wish: Prefetch, user: str, most: int) -> list[str]:
    """Give the sources of a user that have something due, those behind the one that was served last first."""
    lane, found = str(wish.destination), dict[str, None]()
    for after in (wish.turns.get(user, ""), ""):
        rows = tx.rows(_SOURCES, lane, max(after, user), lane, lane, wish.now, most)
        found.update(dict.fromkeys(row[0] for row in rows if who_of(row[0]) == user))
    return list(found)[:most]
