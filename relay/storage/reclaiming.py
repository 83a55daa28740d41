"""Claims that nobody holds any more: after a crash, after a fault, and where another node has died.

What was surely not sent is queued as it was. The rest may have been sent: it is queued at once with one doubt more, or
held where that is one too many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import and_, bindparam, delete, or_, select, update

from relay.model.ids import first_id
from relay.model.mail import AT_ONCE, MOST_UNCERTAIN, ClaimedDelivery, DeliveryState
from relay.rules.notice_texts import Alert
from relay.storage import meta
from relay.storage.accepting import IS_ORPHANED, Claimant
from relay.storage.claiming import requeue
from relay.storage.claims import Claims
from relay.storage.outbox import PendingAlert, enqueue
from relay.storage.rows import IS_OPEN, SELECT_CLAIMED, read_claimed
from relay.storage.settling import UNCLAIMED, write_events
from relay.storage.statement import Many, Parameters, Statement, is_in
from relay.storage.tables import content, delivery
from relay.storage.transaction import AnyRow, Transaction

_LONGEST_UPLOAD: Final = 86_400_000
"""Milliseconds: on a shared database, younger chunks without a message may still be another node's upload."""
_IS_ACTIVE: Final = and_(delivery.c.state == "active", IS_OPEN)
_IS_OWN: Final = delivery.c.node == bindparam("claimant")
_IS_EXPIRED: Final = delivery.c.lease_until <= bindparam("now")
_ACTIVE: Final = SELECT_CLAIMED.where(_IS_ACTIVE).order_by(delivery.c.id)
_SELECT_ACTIVE: Final = Statement(_ACTIVE.with_for_update(of=delivery))
_SELECT_ABANDONED: Final = Statement(_ACTIVE.where(or_(_IS_OWN, _IS_EXPIRED)).with_for_update(of=delivery))
_SELECT_EXPIRED: Final = Statement(
    _ACTIVE.where(~_IS_OWN, _IS_EXPIRED).with_for_update(of=delivery, skip_locked=True)
)  # fmt: skip
_SELECT_OWN: Final = Statement(select(delivery.c.id, delivery.c.token).where(_IS_ACTIVE, _IS_OWN))
_SELECT_ORPHANS: Final = Statement(_ACTIVE.where(is_in(delivery.c.id, "ids")).with_for_update(of=delivery))
_RECLAIM: Final = Many.update(delivery, "state", "uncertain", by=("id", "token"), same={**UNCLAIMED, "due": AT_ONCE})
_SWEEP: Final = Statement(delete(content).where(content.c.message_id < bindparam("end"), IS_ORPHANED))
_RENEW: Final = Statement(
    update(delivery)
    .values(lease_until=bindparam("until"))
    .where(is_in(delivery.c.id, "ids"), is_in(delivery.c.token, "tokens"), _IS_ACTIVE)
    .returning(delivery.c.id)
)
_NODE: Final = "node/"


def recover(tx: Transaction, now: int, start: str, *, by: Claimant) -> list[ClaimedDelivery]:
    """Reclaim what the last process left, and sweep chunks that belong to no message; `start` names this start."""
    if tx.is_shared:
        meta.write(tx, _NODE + by.node, start)
        rows = tx.rows(_SELECT_ABANDONED, claimant=by.node, now=tx.time())
        orphans_before = first_id(now - _LONGEST_UPLOAD)
    else:
        rows = tx.rows(_SELECT_ACTIVE)
        orphans_before = "~"
    doubtful = _reclaim_rows(tx, rows, now, "the service ended while it was being sent")
    tx.change(_SWEEP, end=orphans_before)
    return doubtful


def latest_start(tx: Transaction, node: str) -> str | None:
    """Return the name of the latest start of a node; None where none is known."""
    return meta.read(tx, _NODE + node)


def reclaim(tx: Transaction, now: int, *, by: Claimant, claims: Claims) -> list[ClaimedDelivery]:
    """Reclaim what is `active` and run by nobody, here or where a lease is over; return what may have been sent."""
    own = {row[0]: row[1] for row in tx.rows(_SELECT_OWN, claimant=by.node) if not claims.runs(row[0], row[1])}
    # Until it is locked, another node may have reclaimed it and claimed it.
    rows = [row for row in tx.rows(_SELECT_ORPHANS, ids=list(own)) if own[row[0]] == row[1]] if own else []
    left = [row for row in rows if row[2] or claims.is_doubtful(row[0], row[1])]
    doubtful = {row[0] for row in left}
    for row in rows:
        if row[0] not in doubtful:
            requeue(tx, row[0], row[1])
    if tx.is_shared:
        left += tx.rows(_SELECT_EXPIRED, claimant=by.node, now=tx.time())
    return _reclaim_rows(tx, left, now, "the attempt ended while it was being sent") if left else []


def renew_leases(tx: Transaction, running: Mapping[str, str], *, by: Claimant) -> set[str]:
    """Prolong claims on a shared database, given as delivery id -> token; return which of them still hold."""
    until = tx.lease_until(by.lease)
    rows = tx.change_rows(_RENEW, until=until, ids=list(running), tokens=list(running.values()))
    return {row[0] for row in rows}


def _reclaim_rows(tx: Transaction, rows: Sequence[AnyRow], now: int, why: str) -> list[ClaimedDelivery]:
    doubts = {row[0]: 1 + int(row[2]) for row in rows}
    found = [
        one if one.destination.is_idempotent else replace(one, uncertain=one.uncertain + doubts[one.id])
        for one in read_claimed(tx, rows)
    ]
    changes: list[Parameters] = [
        {"state": _state_after(one).value, "uncertain": one.uncertain, "id": one.id, "token": one.token}
        for one in found
    ]
    tx.change_each(_RECLAIM, changes)
    doubtful = [delivery for delivery in found if not delivery.destination.is_idempotent]
    write_events(tx, [(d.message.id, now, "possible_duplicate", why) for d in doubtful])
    held = [delivery for delivery in doubtful if _state_after(delivery) is DeliveryState.HELD]
    enqueue(tx, [PendingAlert(kind=Alert.UNCERTAIN_HELD, account=d.account, delivery_id=d.id) for d in held])
    return doubtful


def _state_after(delivery: ClaimedDelivery) -> DeliveryState:
    return DeliveryState.HELD if delivery.uncertain >= MOST_UNCERTAIN else DeliveryState.QUEUED
