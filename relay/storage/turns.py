"""Whose mail goes next, as the queue's tables say it: the SQL of `relay.rules.turns`; and what goes soon, read ahead.

The queries jump from source to source: their time grows with the number of sources, not with the queue.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import CTE, ColumnElement, bindparam, exists, func, or_, select, update
from sqlalchemy.sql.expression import ScalarSelect

from relay.model.destination import Destination
from relay.model.mail import Work
from relay.rules.turns import Cursor, behind, user_of
from relay.storage.accepting import RESERVED_FOR, Claimant
from relay.storage.rows import IN_LANE, SELECT_CLAIMED, read_claimed
from relay.storage.statement import LIMIT, Statement, is_in
from relay.storage.tables import content, delivery
from relay.storage.transaction import AnyRow, Transaction

_SHORT: Final = 65_536
"""Octets of a mail whose body is read as well."""
_MORE: Final = content.alias()
_BODIES: Final = Statement(
    select(content.c.message_id, content.c.version, content.c.data).where(
        is_in(content.c.message_id, "messages"),
        content.c.seq == 0,
        content.c.octets == 0,
        ~exists().where(
            _MORE.c.message_id == content.c.message_id, _MORE.c.version == content.c.version, _MORE.c.seq == 1
        ),
    )
)
_LATEST: Final = bindparam("latest", type_=delivery.c.due.type)
_IS_FREE: Final = or_(
    delivery.c.lease_until.is_(None),
    delivery.c.lease_until <= bindparam("at", type_=delivery.c.lease_until.type),
    delivery.c.node == bindparam("claimant"),
)
"""That no other node has reserved what is queued."""
_OF_SOURCE: Final = SELECT_CLAIMED.where(
    IN_LANE, delivery.c.source == bindparam("source"), delivery.c.due <= _LATEST, _IS_FREE
).limit(LIMIT)
_RESERVE: Final = Statement(
    update(delivery)
    .values(node=bindparam("claimant"), lease_until=bindparam("until"))
    .where(is_in(delivery.c.id, "ids"))
)
_OLDEST: Final = Statement(
    _OF_SOURCE.order_by(delivery.c.due, delivery.c.id).with_for_update(of=delivery, skip_locked=True)
)
_NEWEST: Final = Statement(
    _OF_SOURCE.order_by(delivery.c.due.desc(), delivery.c.id.desc()).with_for_update(of=delivery, skip_locked=True)
)


def _sources(first: ColumnElement[bool], go_on: str | None = None) -> CTE:
    """Make the table of the sources of a lane that meet `first`, and of all behind them; `go_on`: up to this one."""
    turn = select(func.min(delivery.c.source).label("source")).where(IN_LANE, first).cte("turn", recursive=True)
    behind_it = select(func.min(delivery.c.source)).where(IN_LANE, delivery.c.source > turn.c.source)
    more = turn.c.source.is_not(None) if go_on is None else turn.c.source < bindparam(go_on)
    return turn.union_all(select(behind_it.correlate(turn).scalar_subquery()).where(more))


def _due(turn: CTE, due: ColumnElement[int | None], *conditions: ColumnElement[bool]) -> ScalarSelect[int | None]:
    found = select(due).where(IN_LANE, delivery.c.source == turn.c.source, *conditions)
    return found.correlate(turn).scalar_subquery()


_TURN: Final = _sources(delivery.c.source > bindparam("after"))
_TURNS: Final = select(_TURN.c.source, _due(_TURN, func.min(delivery.c.due)).label("due")).subquery("turns")
_ALL: Final = select(_TURNS.c.source, _TURNS.c.due).where(_TURNS.c.source.is_not(None))
SOURCES: Final = Statement(_ALL)
"""All sources behind `after` that have something queued, each with the time when the first of it is due."""
_NEXT: Final = Statement(_ALL.where(_TURNS.c.due <= _LATEST).limit(LIMIT))
_OF_USER: Final = _sources(delivery.c.source >= bindparam("user"), "end")
_NEWEST_OF: Final = select(
    _OF_USER.c.source, _due(_OF_USER, func.max(delivery.c.due), delivery.c.due <= _LATEST).label("due")
).subquery("turns")
_NEWEST_SOURCE: Final = Statement(
    select(_NEWEST_OF.c.source)
    .where(_NEWEST_OF.c.source < bindparam("end"), _NEWEST_OF.c.due.is_not(None))
    .order_by(_NEWEST_OF.c.due.desc(), _NEWEST_OF.c.source)
    .limit(1)
)


class DueDeliveries:
    """What one destination has queued and due, asked within one transaction."""

    def __init__(self, tx: Transaction, destination: Destination, latest: int, *, by: Claimant) -> None:
        """`latest`: what is due later than this is not seen. `by`: what other nodes have reserved is not given."""
        self.tx = tx
        self._where: dict[str, str | int] = {"lane": str(destination), "latest": latest}
        self._free: dict[str, str | int] = {"claimant": by.node, "at": tx.time() if tx.is_shared else 0}

    def sources(self, after: str, limit: int) -> list[str]:
        """Return the first sources behind a text that have something due."""
        return [row[0] for row in self.tx.rows(_NEXT, **self._where, after=after, limit=limit)]

    def source_behind(self, after: str) -> str:
        """Return the first source behind a text that has something due; empty where none has."""
        return next(iter(self.sources(after, 1)), "")

    def oldest(self, source: str, limit: int) -> Sequence[AnyRow]:
        """Return of a source what is due longest and no other node is just claiming; it is locked."""
        return self.tx.rows(_OLDEST, **self._where, **self._free, source=source, limit=limit)

    def newest(self, user: str, limit: int) -> Sequence[AnyRow]:
        """Return the newest mail of a user, and what is newest behind it of the same source, likewise locked."""
        found = self.tx.rows(_NEWEST_SOURCE, **self._where, user=user, end=behind(user))
        if not found:
            return []
        return self.tx.rows(_NEWEST, **self._where, **self._free, source=found[0][0], limit=limit)

    def take_turn(self, cursor: Cursor, limit: int, *, newest: bool) -> Sequence[AnyRow]:
        """Return what the user whose turn it is has due."""
        last = behind(cursor.user) if cursor.served else ""
        for after, end in ((last, ""), ("", last)):
            source = self.source_behind(after)
            # The first nearly always has something. It has not where other nodes hold all of it.
            while source and (not end or source < end):
                rows = self._of_user(user_of(source), source, cursor, limit, newest=newest)
                if rows:
                    return rows
                source = self.source_behind(behind(user_of(source)))
        return []

    def _of_user(self, user: str, first: str, cursor: Cursor, limit: int, *, newest: bool) -> Sequence[AnyRow]:
        """Return what a user has due, whose first source with something due is known."""
        if newest and (rows := self.newest(user, limit)):
            return rows
        last = cursor.source_of(user)
        source = self.source_behind(last) if last >= first else first
        for start, stop in ((source, behind(user)), (first, f"{last}!")):
            source = start
            while source and source < stop:
                rows = self.oldest(source, limit)
                if rows:
                    return rows
                source = self.source_behind(source)
        return []


def prefetch(
    tx: Transaction, destination: Destination, *, now: int, limit: int, cursor: Cursor, by: Claimant
) -> list[Work]:
    """Read about `limit` mails that are due, some of each user and source: what waits longest, and each user's newest.

    Those come first whose turn is next by the cursor. Each with its body where that is short. Nothing is claimed: a
    backlog of 5,000 mails costs 2.3 ms of processor time a mail so, and 4.9 ms where each is found by queries of its
    own (SQLite, 20 connections). Where nodes share a database they are reserved, which only keeps others from reading
    the same: whoever claims a mail has it.
    """
    due = DueDeliveries(tx, destination, now, by=by)
    users = _users(due, cursor, limit)
    share = max(1, limit // max(1, len(users)))
    rows: dict[str, AnyRow] = {}
    for user in users:
        sources = _sources_of(due, cursor, user, share)
        for source in sources:
            rows.update({row[0]: row for row in due.oldest(source, max(1, share // len(sources)))})
        rows.update({row[0]: row for row in due.newest(user, 1 + share // 4)})
    if rows and tx.is_shared:
        tx.change(_RESERVE, claimant=by.node, until=tx.lease_until(RESERVED_FOR), ids=list(rows))
    found = read_claimed(tx, list(rows.values()))
    short = list({delivery.message.id for delivery in found if delivery.message.size <= _SHORT})
    bodies = {(row[0], row[1]): (row[2],) for row in tx.rows(_BODIES, messages=short)} if short else {}
    return [(delivery, bodies.get((delivery.message.id, delivery.version))) for delivery in found]


def _users(due: DueDeliveries, cursor: Cursor, limit: int) -> list[str]:
    """Return the users that have something due, those behind the one that was served last before the others."""
    found: dict[str, None] = {}
    for after in (behind(cursor.user) if cursor.served else "", ""):
        source = due.source_behind(after)
        while source and user_of(source) not in found and len(found) < limit:
            found[user_of(source)] = None
            source = due.source_behind(behind(user_of(source)))
    return list(found)


def _sources_of(due: DueDeliveries, cursor: Cursor, user: str, most: int) -> list[str]:
    """Return the sources of a user that have something due, those behind the one that was served last first."""
    found: dict[str, None] = {}
    for after in (cursor.source_of(user), ""):
        sources = due.sources(max(after, user), most)
        found.update(dict.fromkeys(source for source in sources if user_of(source) == user))
    return list(found)[:most]
