"""What an attempt came to: outcomes and what they create in one transaction; and what ends: bodies and history go.

Guarantee: a recipient's outcome changes only while it is pending. The same settlement twice is the same as once.
A claim that is not held any more settles nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, or_, select, update

from relay.model.ids import first_id
from relay.model.mail import DeliveryState, RecipientState, Settlement
from relay.model.reply import Verdict
from relay.storage.accepting import Cause, Claimant, create
from relay.storage.rows import IS_OPEN, clean
from relay.storage.statement import LIMIT, Many, Parameters, Statement, insert, is_in
from relay.storage.tables import attempt, content, delivery, event, message, recipient
from relay.storage.transaction import Transaction

_SELECT: Final = Statement(
    select(
        *delivery.c["id", "message_id", "state", "attempts", "tried", "since", "source", "token"],
    )
    .where(is_in(delivery.c.id, "ids"))
    .with_for_update(of=delivery)
)
"""The fields of `_Delivery`."""
_SELECT_KEYS: Final = Statement(select(attempt.c.key).where(is_in(attempt.c.delivery_id, "deliveries")))
_INSERT_ATTEMPTS: Final = Many.insert(insert(attempt))
_SET_OUTCOMES: Final = Many.update(
    recipient,
    *("outcome", "code", "enhanced", "reply"),
    by=("message_id", "n", "delivery_id"),
    only=[recipient.c.outcome == "pending"],
)
UNCLAIMED: Final = {"marked": False, "token": "", "node": "", "lease_until": None}
"""What a delivery says of its claim when that has ended."""
_SET_DELIVERIES: Final = Many.update(
    delivery, "state", "due", "uncertain", "attempts", "tried", by=("id", "token"), same=UNCLAIMED
)
_COUNT_TRY: Final = Statement(
    update(delivery).values(tried=bindparam("count")).where(delivery.c.id == bindparam("delivery"))
)
_WAITS: Final = exists().where(
    delivery.c.message_id == message.c.id,
    or_(
        IS_OPEN,
        exists().where(attempt.c.delivery_id == delivery.c.id, attempt.c.at >= bindparam("before")),
    ),
)
"""That something of a mail is open, or was attempted after a moment."""
# Ids begin with the time, so that only what is old is looked at.
_SELECT_HISTORY: Final = Statement(
    select(message.c.id)
    .where(message.c.id < bindparam("first_kept"), message.c.received_at < bindparam("before"), ~_WAITS)
    .order_by(message.c.id)
    .limit(LIMIT)
)
_SELECT_DELIVERED: Final = Statement(
    select(content.c.message_id)
    .distinct()
    .join(message, message.c.id == content.c.message_id)
    .where(content.c.message_id < bindparam("first_kept"), ~_WAITS)
    .order_by(content.c.message_id)
    .limit(LIMIT)
)
_INSERT_EVENTS: Final = Many.insert(insert(event).on_conflict_do_nothing())
_DROP_BODIES: Final = Statement(
    delete(content).where(
        is_in(content.c.message_id, "messages"),
        ~exists().where(delivery.c.message_id == content.c.message_id, IS_OPEN),
    )
)
_DELETE_BODIES: Final = Statement(delete(content).where(is_in(content.c.message_id, "messages")))
_DELETE_MESSAGES: Final = Statement(delete(message).where(is_in(message.c.id, "messages")))

_STATES: Final = {
    Verdict.DELIVERED: RecipientState.DELIVERED.value,
    Verdict.BOUNCED: RecipientState.BOUNCED.value,
    Verdict.DEFERRED: RecipientState.PENDING.value,
}
_PAGES_GIVEN_BACK = 512
"""At a step: each costs the writer some 40 microseconds."""


class _Delivery(NamedTuple):
    id: str
    message_id: str
    state: str
    attempts: int
    tried: int
    since: int
    source: str
    token: str


class _Settled(NamedTuple):
    """A settlement with the delivery that it is about, as the attempt before it left it."""

    settlement: Settlement
    row: _Delivery
    tried: int
    changes: bool
    """Whether the delivery itself changes."""


def settle(tx: Transaction, settlements: Sequence[Settlement], *, by: Claimant) -> list[bool]:
    """Write what attempts came to; return for each whether its claim still held.

    A settlement that is written already, or whose mail is gone, changes nothing. Where the claim is lost, only who
    surely got the mail is noted, not to be sent it again, and the attempt, which `tried` counts: that numbers the
    attempts, and keeps whoever read the delivery before from claiming it. Retry intervals count those with a claim.
    """
    found = map(_Delivery._make, tx.rows(_SELECT, ids=[s.delivery_id for s in settlements]))
    deliveries = {row.id: row for row in found}
    tried = [row.id for row in deliveries.values() if row.tried]
    known = {row[0] for row in tx.rows(_SELECT_KEYS, deliveries=tried)} if tried else set()
    settled, lost = [], set[str]()
    for settlement in settlements:
        row = deliveries.get(settlement.delivery_id)
        if row is None or row.state == DeliveryState.DONE or settlement.key in known:
            continue
        known.add(settlement.key)
        if not _holds(settlement, row):
            lost.add(settlement.key)
        settled.append(_plan(settlement, row, holds=settlement.key not in lost))
    _write(tx, settled, by=by)
    return [settlement.key not in lost for settlement in settlements]


def _holds(settlement: Settlement, row: _Delivery) -> bool:
    # What is settled without an attempt was given up while it waited.
    state = DeliveryState.ACTIVE if settlement.attempted else DeliveryState.QUEUED
    return row.state == state and row.token == settlement.token


def _plan(settlement: Settlement, row: _Delivery, *, holds: bool) -> _Settled:
    changes = holds
    if not holds:
        taken = tuple(one for one in settlement.outcomes if one[1].verdict is Verdict.DELIVERED)
        # If it waits, and nobody is left in it, it is done: else somebody would claim it and find nobody. Those in a
        # split, which is not made, are left.
        changes = (
            settlement.state is DeliveryState.DONE
            and not settlement.splits
            and len(taken) == len(settlement.outcomes) > 0
            and row.state != DeliveryState.ACTIVE
        )
        doubt = ("possible_duplicate", "it was taken under a claim that had run out")
        settlement = replace(settlement, outcomes=taken, creates=(), events=(doubt,) if taken else ())
    return _Settled(
        settlement=settlement,
        row=row,
        changes=changes,
        tried=row.tried + settlement.attempted,
    )


def _write(tx: Transaction, settled: Sequence[_Settled], *, by: Claimant) -> None:
    tx.change_each(_INSERT_ATTEMPTS, [_attempt_row(p.settlement, p.tried) for p in settled if p.settlement.attempted])
    outcomes: list[Parameters] = [
        {
            "outcome": _STATES[outcome.verdict],
            "code": outcome.reply.code,
            "enhanced": clean(outcome.reply.enhanced),
            "reply": clean(outcome.reply.text),
            "message_id": plan.row.message_id,
            "n": n,
            "delivery_id": plan.row.id,
        }
        for plan in settled
        for n, outcome in plan.settlement.outcomes
    ]
    tx.change_each(_SET_OUTCOMES, outcomes)
    created = [
        (Cause(p.row.id, p.row.message_id, p.row.since, p.row.source), one)
        for p in settled
        for one in p.settlement.creates
    ]
    create(tx, created, by=by)
    tx.change_each(_SET_DELIVERIES, [_delivery_row(p) for p in settled if p.changes])
    for p in settled:
        if not p.changes:
            tx.change(_COUNT_TRY, count=p.tried, delivery=p.row.id)
    write_events(
        tx, [(p.row.message_id, p.settlement.at, what, text) for p in settled for what, text in p.settlement.events]
    )
    ended = [p for p in settled if p.changes and p.settlement.state is DeliveryState.DONE]
    drop_bodies(tx, [p.row.message_id for p in ended if not p.settlement.keep_body])


def _attempt_row(settlement: Settlement, n: int) -> Parameters:
    reply = settlement.reply
    return {
        "delivery_id": settlement.delivery_id,
        "n": n,
        "key": settlement.key,
        "at": settlement.at,
        "seconds": settlement.seconds,
        "code": reply.code,
        "enhanced": clean(reply.enhanced),
        "reply": clean(reply.text),
    }


def _delivery_row(plan: _Settled) -> Parameters:
    settlement = plan.settlement
    return {
        "state": settlement.state.value,
        "due": settlement.due,
        "uncertain": settlement.uncertain,
        "attempts": plan.row.attempts + settlement.counts,
        "tried": plan.tried,
        "id": plan.row.id,
        "token": plan.row.token,
    }


def write_events(tx: Transaction, events: Sequence[tuple[str, int, str, str]]) -> None:
    """Write (message, moment, what, detail) for `relay trace`."""
    rows: list[Parameters] = [
        {"message_id": message_id, "at": at, "what": what, "detail": clean(detail)}
        for message_id, at, what, detail in events
    ]
    tx.change_each(_INSERT_EVENTS, rows)


def drop_bodies(tx: Transaction, message_ids: Sequence[str]) -> None:
    """Drop the bodies of these messages, but for those of which a delivery is still open."""
    if message_ids:
        tx.change_each(_DROP_BODIES, [{"messages": list(message_ids)}])  # nobody waits for how many that are


def drop_delivered_bodies(tx: Transaction, before: int, limit: int) -> int:
    """Drop at most `limit` bodies of delivered mails whose last attempt was before a moment; return how many."""
    ids = [row[0] for row in tx.rows(_SELECT_DELIVERED, first_kept=first_id(before), before=before, limit=limit)]
    tx.change(_DELETE_BODIES, messages=ids)
    return len(ids)


def purge_history(tx: Transaction, before: int, limit: int) -> int:
    """Delete at most `limit` mails that were received before a moment and wait for nothing; return how many."""
    ids = [row[0] for row in tx.rows(_SELECT_HISTORY, first_kept=first_id(before), before=before, limit=limit)]
    tx.change(_DELETE_BODIES, messages=ids)
    tx.change(_DELETE_MESSAGES, messages=ids)
    tx.give_back_space(_PAGES_GIVEN_BACK)
    return len(ids)
