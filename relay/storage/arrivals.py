"""What came into the inboxes and the quarantine: one row for each user's copy of each collected mail.

Guarantee: a row is written in the transaction that records the mail's unique id as fetched, so there is none without
the other, and none twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.model.arrival import Arrival, Place
from relay.model.ids import COPY_DIGITS, is_id
from relay.rules.summary import LONGEST_ID
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean
from relay.storage.statement import Parameter
from relay.storage.transaction import Transaction

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
_SELECT: Final = f"SELECT {_NAMES} FROM arrival "  # noqa: S608 - constants
_QUARANTINED: Final = f"{_SELECT}WHERE place = 'quarantine' ORDER BY id"
_QUARANTINED_FILES: Final = "SELECT file, at FROM arrival WHERE place = 'quarantine'"
_BY_FILE: Final = f"{_SELECT}WHERE file {{any}} ORDER BY id"
_BY_HEADER_ID: Final = f"{_SELECT}WHERE header_message_id = ? ORDER BY id LIMIT ?"
_BY_UIDL: Final = f"{_SELECT}WHERE uidl = ? ORDER BY id LIMIT ?"
_BY_PREFIX: Final = f"{_SELECT}WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_SEEN: Final = "SELECT gone_at FROM seen WHERE account = ? AND uidl = ?"
_LEAVE: Final = (
    "UPDATE arrival SET place = ?, left_at = ?, given_to = ?, left_by = ?, file = ? WHERE id = ?"
    " AND place = 'quarantine'"
)
MOST_FOUND: Final = 200
"""Copies that a search gives at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AtProvider:
    """What the last polls saw of a message at its provider."""

    known: bool
    """Whether anything is remembered of it."""
    gone_at: int | None = None
    """Since when it is no longer there, in milliseconds; None: it was left there."""


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


def list_quarantined(engine: Database) -> list[Arrival]:
    """Give the copies that were put into the quarantine and have not left it, the oldest first.

    `relay.storage.quarantine` knows the files, too: those from before there were rows, and those that are gone.
    """
    with transaction(engine, write=False) as tx:
        return [read_arrival(row) for row in tx.records(_QUARANTINED)]


def list_quarantined_files(engine: Database) -> list[tuple[str, int]]:
    """Give file and time of each copy that `list_quarantined` gives, in any order: what a look each minute needs."""
    with transaction(engine, write=False) as tx:
        return [(row[0], row[1]) for row in tx.rows(_QUARANTINED_FILES)]


def find_arrivals(engine: Database, text: str, *, shortest: int = 6) -> list[Arrival]:
    """Find mails, with all of their copies, by an id or its beginning, a Message-ID, or a provider's unique id.

    `shortest`: of how many characters a beginning must be at least. Several mails may have one Message-ID, and be
    found by a beginning; the oldest come first.
    """
    wanted = clean(text.strip())
    with transaction(engine, write=False) as tx:
        bare = wanted.removeprefix("<").removesuffix(">")
        found = tx.records(_BY_HEADER_ID, f"<{bare}>"[:LONGEST_ID], MOST_FOUND) if bare else []
        if not found and len(wanted) >= shortest and wanted.isascii() and wanted.isalnum():
            # Whoever names one copy wants to know of its mail.
            prefix = wanted.lower()[:-COPY_DIGITS] if is_id(wanted.lower()) else wanted.lower()
            found = tx.records(_BY_PREFIX, prefix, f"{prefix}~", MOST_FOUND)
        if not found and wanted:
            found = tx.records(_BY_UIDL, wanted, MOST_FOUND)
    return [read_arrival(row) for row in found]


def find_by_file(engine: Database, files: Sequence[str]) -> list[Arrival]:
    """Find copies by the names of their files, the oldest first. It reads all rows: for what is rare."""
    if not files:
        return []
    with transaction(engine, write=False) as tx:
        return [read_arrival(row) for row in tx.records(_BY_FILE, [clean(file) for file in files])]


def find_at_provider(engine: Database, arrival: Arrival) -> AtProvider:
    """Tell whether a message is still at its provider, as the last poll saw it."""
    with transaction(engine, write=False) as tx:
        found = tx.rows(_SEEN, arrival.account, arrival.uidl)
    return AtProvider(known=bool(found), gone_at=found[0][0] if found else None)


def note_left(
    engine: Database, arrival: Arrival, *, given_to: str = "", file: str | None = None, at: int, by: str
) -> None:
    """Note that a copy has left the quarantine, for an inbox or for good; also one that has no row yet.

    `file`: its name in the inbox, where that is another.
    """
    place = Place.INBOX if given_to else Place.DELETED
    with transaction(engine, write=True) as tx:
        insert(tx, [arrival])
        name = clean(file or arrival.file)
        tx.change(_LEAVE, place.value, at, clean(given_to), clean(by), name, arrival.id)


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
