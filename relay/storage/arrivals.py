"""What came into the inboxes and the quarantine: one row for each user's copy of each collected mail.

Guarantee: a row is written in the transaction that records the mail's unique id as fetched, so there is none without
the other, and none twice.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from relay.model.ids import COPY_DIGITS, first_id, is_id
from relay.model.maildrop import Arrival, Place
from relay.storage.engine import Database, transaction
from relay.storage.rows import clean, row_of
from relay.storage.statement import LIMIT, Many, Statement, highest, is_in
from relay.storage.statement import insert as insert_into
from relay.storage.tables import arrival
from relay.storage.transaction import Transaction

_INSERT: Final = Many.insert(insert_into(arrival).on_conflict_do_nothing(index_elements=["id"]))
_KNOWN: Final = Statement(
    select(highest(arrival.c.id)).where(
        arrival.c.uidl == bindparam("uidl"),
        arrival.c.account == bindparam("account"),
        arrival.c.user == bindparam("user"),
        arrival.c.file == bindparam("file"),
    )
)
# What is in the quarantine waits for a person, however old it is.
_PAST: Final = (
    select(arrival.c.id)
    .where(arrival.c.id < bindparam("first_kept"), arrival.c.at < bindparam("before"), arrival.c.place != "quarantine")
    .order_by(arrival.c.id)
    .limit(LIMIT)
)
_PURGE: Final = Statement(delete(arrival).where(arrival.c.id.in_(_PAST)))
_IS_QUARANTINED: Final = arrival.c.place == "quarantine"
_SELECT: Final = select(arrival).order_by(arrival.c.id)
_QUARANTINED: Final = Statement(_SELECT.where(_IS_QUARANTINED))
_QUARANTINED_FILES: Final = Statement(select(arrival.c.file, arrival.c.at).where(_IS_QUARANTINED))
_BY_FILE: Final = Statement(_SELECT.where(is_in(arrival.c.file, "files")))
_BY_HEADER_ID: Final = Statement(_SELECT.where(arrival.c.header_message_id == bindparam("wanted")).limit(LIMIT))
_BY_UIDL: Final = Statement(_SELECT.where(arrival.c.uidl == bindparam("wanted")).limit(LIMIT))
_BY_PREFIX: Final = Statement(
    _SELECT.where(arrival.c.id >= bindparam("first"), arrival.c.id < bindparam("end")).limit(LIMIT)
)
_LEAVE: Final = Statement(
    update(arrival)
    .values({name: bindparam(name) for name in ("place", "left_at", "given_to", "left_by", "file")})
    .where(arrival.c.id == bindparam("copy"), _IS_QUARANTINED)
)
_CUT_ID: Final = 512
"""Characters of a Message-ID that 0.9.0 kept: what it has written is found by these."""
MOST_FOUND: Final = 200
"""Copies that a search gives at most."""


def insert(tx: Transaction, arrivals: Sequence[Arrival]) -> None:
    """Write new rows; those that are there already stay as they are."""
    tx.change_each(_INSERT, [row_of(one, arrival.c.keys()) for one in arrivals])


def find_known(tx: Transaction, copy: Arrival) -> str | None:
    """Return the id under which the same file of the same mail is known; None where it is not.

    Without unique ids, a server whose deletion failed gives a message once more.
    """
    found: str | None
    ((found,),) = tx.rows(_KNOWN, uidl=clean(copy.uidl), account=copy.account, user=copy.user, file=copy.file)
    return found


def purge(tx: Transaction, before: int, limit: int) -> int:
    """Forget at most `limit` copies that came before a moment and are not in the quarantine; return how many."""
    return tx.change(_PURGE, first_kept=first_id(before), before=before, limit=limit)


def list_quarantined(engine: Database) -> list[Arrival]:
    """Return the copies that were put into the quarantine and have not left it, the oldest first."""
    with transaction(engine, write=False) as tx:
        return [read_arrival(row) for row in tx.records(_QUARANTINED)]


def list_quarantined_files(engine: Database) -> list[tuple[str, int]]:
    """Return file and time of each copy that `list_quarantined` gives, in any order: what a look each minute needs."""
    with transaction(engine, write=False) as tx:
        return list(tx.rows(_QUARANTINED_FILES))


def find_arrivals(engine: Database, text: str, *, shortest: int = 6) -> list[Arrival]:
    """Find mails, with all of their copies, by an id or its beginning, a Message-ID, or a provider's unique id.

    The oldest come first. `shortest`: the least characters of a beginning.
    """
    wanted = clean(text.strip())
    with transaction(engine, write=False) as tx:
        bare = wanted.removeprefix("<").removesuffix(">")
        found = tx.records(_BY_HEADER_ID, wanted=f"<{bare}>", limit=MOST_FOUND) if bare else []
        if not found and len(bare) >= _CUT_ID:
            found = tx.records(_BY_HEADER_ID, wanted=f"<{bare}>"[:_CUT_ID], limit=MOST_FOUND)
        if not found and len(wanted) >= shortest and wanted.isascii() and wanted.isalnum():
            # Whoever names one copy wants to know of its mail.
            prefix = wanted.lower()[:-COPY_DIGITS] if is_id(wanted.lower()) else wanted.lower()
            found = tx.records(_BY_PREFIX, first=prefix, end=f"{prefix}~", limit=MOST_FOUND)
        if not found and wanted:
            found = tx.records(_BY_UIDL, wanted=wanted, limit=MOST_FOUND)
    return [read_arrival(row) for row in found]


def find_by_file(engine: Database, files: Sequence[str]) -> list[Arrival]:
    """Find copies by the names of their files, the oldest first. It reads all rows: for what is rare."""
    if not files:
        return []
    with transaction(engine, write=False) as tx:
        return [read_arrival(row) for row in tx.records(_BY_FILE, files=[clean(file) for file in files])]


def note_left(
    engine: Database, copy: Arrival, *, given_to: str = "", file: str | None = None, at: int, by: str
) -> None:
    """Note that a copy, also one without a row, has left the quarantine, for an inbox (as `file`) or for good."""
    place = Place.INBOX if given_to else Place.DELETED
    with transaction(engine, write=True) as tx:
        insert(tx, [copy])
        how = {"given_to": clean(given_to), "left_by": clean(by), "file": clean(file or copy.file)}
        tx.change(_LEAVE, copy=copy.id, place=place.value, left_at=at, **how)


def read_arrival(record: dict[str, Any]) -> Arrival:
    """Make an arrival of a row."""
    return Arrival(**{**record, "place": Place(record["place"])})
