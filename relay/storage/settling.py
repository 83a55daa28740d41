"""What an attempt came to, and what ends: outcomes, splits and notices in one transaction; bodies and history go.

Guarantee: a recipient's outcome changes only while it is pending. The same settlement twice is the same as once.
A claim that is not held any more settles nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from relay.model.mail import DeliveryState, NewDelivery, RecipientState, Settlement
from relay.model.outcome import Verdict
from relay.storage.accepting import Claimant, Placed, accept, insert_deliveries
from relay.storage.rows import clean
from relay.storage.transaction import Transaction

_SELECT: Final = (
    "SELECT d.id, d.message_id, d.state, d.attempts, d.tried, d.since, d.due, d.uncertain, d.source, d.token"
    " FROM delivery d WHERE d.id {any} {lock}"
)
"""The fields of `_Delivery`."""
_SELECT_KEYS: Final = "SELECT key FROM attempt WHERE delivery_id {any}"
_INSERT_ATTEMPT: Final = (
    "INSERT INTO attempt (delivery_id, n, key, at, seconds, code, enhanced, reply) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SET_OUTCOME: Final = (
    "WITH new (outcome, code, enhanced, reply, message_id, n, delivery_id) AS (VALUES (CAST(? AS text),"
    " CAST(? AS integer), CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS integer), CAST(? AS text)))"
    " UPDATE recipient SET outcome = new.outcome, code = new.code, enhanced = new.enhanced, reply = new.reply FROM new"
    " WHERE recipient.message_id = new.message_id AND recipient.n = new.n"
    " AND recipient.delivery_id = new.delivery_id AND recipient.outcome = 'pending'"
)
_SET_DELIVERY: Final = (
    "WITH new (state, due, uncertain, attempts, tried, id) AS (VALUES (CAST(? AS text), CAST(? AS bigint),"
    " CAST(? AS integer), CAST(? AS integer), CAST(? AS integer), CAST(? AS text)))"
    " UPDATE delivery SET state = new.state, due = new.due, uncertain = new.uncertain, attempts = new.attempts,"
    " tried = new.tried, marked = false, token = '', node = '', lease_until = NULL FROM new WHERE delivery.id = new.id"
)
_COUNT_TRY: Final = "UPDATE delivery SET tried = ? WHERE id = ?"
_MOVE_RECIPIENT: Final = (
    "WITH new (delivery_id, message_id, n, old_id) AS (VALUES (CAST(? AS text), CAST(? AS text),"
    " CAST(? AS integer), CAST(? AS text)))"
    " UPDATE recipient SET delivery_id = new.delivery_id FROM new WHERE recipient.message_id = new.message_id"
    " AND recipient.n = new.n AND recipient.delivery_id = new.old_id AND recipient.outcome = 'pending'"
)
_DROP_CONTENT: Final = (
    "DELETE FROM content WHERE message_id {any} AND NOT EXISTS"
    " (SELECT 1 FROM delivery d WHERE d.message_id = content.message_id AND d.state <> 'done')"
)
_SELECT_HISTORY: Final = (
    "SELECT m.id FROM message m WHERE m.id < ? AND m.received_at < ? AND NOT EXISTS"
    " (SELECT 1 FROM delivery d WHERE d.message_id = m.id AND (d.state <> 'done' OR EXISTS"
    " (SELECT 1 FROM attempt a WHERE a.delivery_id = d.id AND a.at >= ?))) ORDER BY m.id LIMIT ?"
)
_SELECT_SPENT: Final = (
    "SELECT DISTINCT c.message_id FROM content c JOIN message m ON m.id = c.message_id WHERE c.message_id < ?"
    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = c.message_id AND (d.state <> 'done' OR EXISTS"
    " (SELECT 1 FROM attempt a WHERE a.delivery_id = d.id AND a.at >= ?))) ORDER BY c.message_id LIMIT ?"
)
_INSERT_EVENT: Final = "INSERT INTO event (message_id, at, what, detail) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DELETE_CONTENT: Final = "DELETE FROM content WHERE message_id {any}"
_DELETE_MESSAGE: Final = "DELETE FROM message WHERE id {any}"

_STATES: Final = {
    Verdict.DELIVERED: RecipientState.DELIVERED.value,
    Verdict.BOUNCED: RecipientState.BOUNCED.value,
    Verdict.DEFERRED: RecipientState.PENDING.value,
}
_PAGES_GIVEN_BACK = 512
"""At a step: each costs the writer some 40 microseconds."""


class _Delivery(NamedTuple):
    """A delivery as the attempt before left it."""

    id: str
    message_id: str
    state: str
    attempts: int
    tried: int
    since: int
    due: int
    uncertain: int
    source: str
    token: str


class _Settled(NamedTuple):
    """A settlement with the delivery that it is about, as the attempt before it left it."""

    settlement: Settlement
    message_id: str
    since: int
    state: DeliveryState
    due: int
    uncertain: int
    source: str
    attempts: int
    tried: int
    changes: bool
    """Whether the delivery itself changes."""


def settle(tx: Transaction, settlements: Sequence[Settlement], *, by: Claimant) -> list[bool]:
    """Write what attempts came to; tells for each whether its claim still held.

    A settlement that is written already, or whose mail is gone, changes nothing. Where the claim does not hold any
    more, the delivery is another's or waits: nothing of it is changed, but for this: who surely got the mail is not
    asked to be sent it again. The attempt is noted, and `tried` counts it: it numbers what is noted, and nobody takes a
    delivery as he knew it before. The intervals stay those of the attempts that had the claim.
    """
    found = map(_Delivery._make, tx.rows(_SELECT, [s.delivery_id for s in settlements]))
    deliveries = {row.id: row for row in found}
    known = _known_keys(tx, [row.id for row in deliveries.values() if row.tried])
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


def _known_keys(tx: Transaction, tried: list[str]) -> set[str]:
    return {row[0] for row in tx.rows(_SELECT_KEYS, tried)} if tried else set()


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
        settlement = replace(settlement, outcomes=taken, splits=(), notices=(), events=(doubt,) if taken else ())
    return _Settled(
        settlement=settlement,
        message_id=row.message_id,
        since=row.since,
        state=settlement.state,
        due=settlement.due,
        uncertain=settlement.uncertain,
        changes=changes,
        source=row.source,
        attempts=row.attempts + settlement.counts,
        tried=row.tried + settlement.attempted,
    )


def _write(tx: Transaction, settled: Sequence[_Settled], *, by: Claimant) -> None:
    tx.change_each(
        _INSERT_ATTEMPT,
        [
            (s.delivery_id, n, s.key, s.at, s.seconds, s.reply.code, clean(s.reply.enhanced), clean(s.reply.text))
            for s, n in ((plan.settlement, plan.tried) for plan in settled)
            if s.attempted
        ],
    )
    tx.change_each(
        _SET_OUTCOME,
        [
            (
                _STATES[outcome.verdict],
                outcome.reply.code,
                clean(outcome.reply.enhanced),
                clean(outcome.reply.text),
                plan.message_id,
                n,
                plan.settlement.delivery_id,
            )
            for plan in settled
            for n, outcome in plan.settlement.outcomes
        ],
    )
    splits = [Placed(p.message_id, p.since, p.source, split) for p in settled for split in p.settlement.splits]
    if splits:
        insert_deliveries(tx, splits, by=by)
        tx.change_each(_MOVE_RECIPIENT, [m for p in settled for split in p.settlement.splits for m in _moves(p, split)])
    tx.change_each(
        _SET_DELIVERY,
        [
            (p.state.value, p.due, p.uncertain, p.attempts, p.tried, p.settlement.delivery_id)
            for p in settled
            if p.changes
        ],
    )
    for p in settled:
        if not p.changes:
            tx.change(_COUNT_TRY, p.tried, p.settlement.delivery_id)
    notices = [notice for plan in settled for notice in plan.settlement.notices]
    if notices:
        accept(tx, notices, by=by)
    write_events(
        tx, [(p.message_id, p.settlement.at, what, text) for p in settled for what, text in p.settlement.events]
    )
    done = [p.message_id for p in settled if p.changes and p.state is DeliveryState.DONE and not p.settlement.keep_body]
    if done:
        tx.change(_DROP_CONTENT, done)


def _moves(plan: _Settled, split: NewDelivery) -> list[tuple[str | int, ...]]:
    return [(split.id, plan.message_id, r.n, plan.settlement.delivery_id) for r in split.recipients]


def move_recipients(tx: Transaction, message_id: str, delivery_id: str, to: NewDelivery) -> None:
    """Move recipients who are pending to another delivery of their mail; they keep their numbers."""
    tx.change_each(_MOVE_RECIPIENT, [(to.id, message_id, r.n, delivery_id) for r in to.recipients])


def write_events(tx: Transaction, events: Sequence[tuple[str, int, str, str]]) -> None:
    """Write (message, moment, what, detail) for `relay trace`."""
    tx.change_each(_INSERT_EVENT, [(message_id, at, what, clean(detail)) for message_id, at, what, detail in events])


def drop_spent(tx: Transaction, orders: Sequence[tuple[str, int, int]]) -> list[int]:
    """Drop the bodies of (first id that is kept, before, limit): of mails whose last attempt was before a moment."""
    counts = []
    for first_kept, before, limit in orders:
        ids = [row[0] for row in tx.rows(_SELECT_SPENT, first_kept, before, limit)]
        tx.change(_DELETE_CONTENT, ids)
        counts.append(len(ids))
    return counts


def purge_history(tx: Transaction, orders: Sequence[tuple[str, int, int]]) -> list[int]:
    """Delete (first id that is kept, before, limit): mails of the past of which nothing waits; gives how many."""
    counts = []
    for first_kept, before, limit in orders:
        ids = [row[0] for row in tx.rows(_SELECT_HISTORY, first_kept, before, before, limit)]
        delete_messages(tx, ids)
        counts.append(len(ids))
    tx.give_back_space(_PAGES_GIVEN_BACK)
    return counts


def delete_messages(tx: Transaction, ids: list[str]) -> int:
    """Delete messages with all that belongs to them; gives how many there were."""
    tx.change(_DELETE_CONTENT, ids)
    return tx.change(_DELETE_MESSAGE, ids)
