"""How deliveries change hands: claimed, given back, held, and taken up after a crash.

The claim is the record: a row that is `active` when nobody sends it may have been sent.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from relay.model.destination import Destination, to_account
from relay.model.ids import make_id
from relay.model.mail import AT_ONCE, MOST_UNCERTAIN, ClaimedDelivery, DeliveryState
from relay.rules.notice_texts import Alert
from relay.storage.accepting import Claimant
from relay.storage.claims import Claims
from relay.storage.outbox import PendingAlert, enqueue
from relay.storage.rows import SELECT_CLAIMED, read_claimed
from relay.storage.settling import write_events
from relay.storage.transaction import AnyRow, Transaction

_LONGEST_UPLOAD = 86_400_000
"""Milliseconds: on a shared database, younger chunks without a message may still be another node's upload."""

# `state <> 'done'` beside another state lets SQLite use the partial index.
_QUEUED: Final = "d.state = 'queued' AND d.state <> 'done' AND d.destination = ?"
_OF_SOURCE: Final = f"WHERE {_QUEUED} AND d.source = ? AND d.due <= ?"
SELECT_OLDEST: Final = SELECT_CLAIMED + _OF_SOURCE + " ORDER BY d.due, d.id LIMIT ? {skip_locked}"
SELECT_NEWEST: Final = SELECT_CLAIMED + _OF_SOURCE + " ORDER BY d.due DESC, d.id DESC LIMIT ? {skip_locked}"
# These jump from source to source: their time grows with the number of sources, not with the queue.
TURNS: Final = f"""
    WITH RECURSIVE turn (source) AS (
        SELECT min(d.source) FROM delivery d WHERE {_QUEUED} AND d.source > ?
        UNION ALL
        SELECT (SELECT min(d.source) FROM delivery d WHERE {_QUEUED} AND d.source > turn.source)
        FROM turn WHERE turn.source IS NOT NULL
    )
    SELECT source, due FROM (
        SELECT source, (SELECT min(d.due) FROM delivery d WHERE {_QUEUED} AND d.source = turn.source) AS due FROM turn
    ) AS turns WHERE source IS NOT NULL
"""  # noqa: S608 - constants
_NEXT: Final = TURNS + " AND due <= ? LIMIT 1"
_NEWEST: Final = f"""
    WITH RECURSIVE turn (source) AS (
        SELECT min(d.source) FROM delivery d WHERE {_QUEUED} AND d.source >= ?
        UNION ALL
        SELECT (SELECT min(d.source) FROM delivery d WHERE {_QUEUED} AND d.source > turn.source)
        FROM turn WHERE turn.source < ?
    )
    SELECT source FROM (
        SELECT source, (SELECT max(d.due) FROM delivery d WHERE {_QUEUED} AND d.source = turn.source AND d.due <= ?)
            AS due
        FROM turn
    ) AS turns WHERE source < ? AND due IS NOT NULL ORDER BY due DESC, source LIMIT 1
"""  # noqa: S608 - constants
_SELECT_OF_ACCOUNTS: Final = (
    "SELECT d.id, d.message_id, d.destination FROM delivery d"
    " WHERE d.state = 'queued' AND d.state <> 'done' AND d.destination {any} LIMIT ? {lock}"
)
_SELECT_ACTIVE: Final = SELECT_CLAIMED + "WHERE d.state = 'active' AND d.state <> 'done' ORDER BY d.id {lock}"
_SELECT_ABANDONED: Final = (
    SELECT_CLAIMED + "WHERE d.state = 'active' AND d.state <> 'done' AND (d.node = ? OR d.lease_until <= ?)"
    " ORDER BY d.id {lock}"
)
_SELECT_OWN: Final = (
    "SELECT d.id, d.token FROM delivery d WHERE d.state = 'active' AND d.state <> 'done' AND d.node = ?"
)
_SELECT_ORPHANS: Final = SELECT_CLAIMED + "WHERE d.id {any} AND d.state = 'active' ORDER BY d.id {lock}"
_SELECT_EXPIRED: Final = (
    SELECT_CLAIMED + "WHERE d.state = 'active' AND d.state <> 'done' AND d.node <> ? AND d.lease_until <= ?"
    " ORDER BY d.id {skip_locked}"
)
_CLAIM: Final = "UPDATE delivery SET state = 'active', token = ?, node = ?, lease_until = ? WHERE id {any}"
_CLAIM_BY_ID: Final = (
    "UPDATE delivery SET state = 'active', token = ?, node = ?, lease_until = ?"
    " WHERE destination = ? AND tried = ? AND state = 'queued' AND id = ?"
)
_REQUEUE: Final = (
    "UPDATE delivery SET state = 'queued', marked = false, token = '', node = '', lease_until = NULL"
    " WHERE id = ? AND token = ? AND state = 'active'"
)
_MARK: Final = "UPDATE delivery SET marked = true WHERE id = ? AND token = ? AND state = 'active'"
_NODE: Final = "node/"
_NOTE_START: Final = (
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_LATEST_START: Final = "SELECT value FROM meta WHERE key = ?"
_IS_HELD: Final = "SELECT 1 FROM delivery WHERE id = ? AND token = ? AND state = 'active'"
_HOLD: Final = "UPDATE delivery SET state = 'held' WHERE id {any}"
_RECOVER: Final = (
    "UPDATE delivery SET state = ?, due = ?, uncertain = ?, marked = false, token = '', node = '', lease_until = NULL"
    " WHERE id = ?"
)
_SWEEP: Final = (
    "DELETE FROM content WHERE message_id < ?"
    " AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = content.message_id)"
)
_RENEW: Final = (
    "UPDATE delivery SET lease_until = ? WHERE id {any} AND token {any} AND state = 'active' AND state <> 'done'"
    " RETURNING id"
)
# Jumps from lane to lane: its time does not grow with the queue.
_LANES: Final = """
    WITH RECURSIVE lane (destination) AS (
        SELECT min(destination) FROM delivery WHERE state = 'queued' AND state <> 'done'
        UNION ALL
        SELECT (SELECT min(d.destination) FROM delivery d
                WHERE d.state = 'queued' AND d.state <> 'done' AND d.destination > lane.destination)
        FROM lane WHERE lane.destination IS NOT NULL
    )
    SELECT destination FROM lane WHERE destination IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lane asks for."""

    destination: Destination
    now: int
    limit: int
    open_now: bool
    served: str = ""
    """The source that was served last: the next user has his turn."""
    turns: Mapping[str, str] = field(default_factory=dict)
    """For each user the source of his that was served last: his next one has its turn."""
    newest: bool = False
    """Whether the newest mail of the user goes, in place of the oldest of a source: a single mail passes a mailing."""
    token: str = ""
    """Names the claim."""


class Held(NamedTuple):
    """A delivery that was just held."""

    id: str
    message_id: str
    account: str


def who_of(source: str) -> str:
    """Tell whose a source is: the user, or the address of who is none."""
    return source.partition(" ")[0]


def claim(tx: Transaction, claims: Sequence[Claim], *, by: Claimant) -> list[list[ClaimedDelivery]]:
    """Make due deliveries of one source `active`, by default those that are due longest.

    Users take turns, then the sources of each; of a source, what people want at once is due longest. Outside of opening
    hours it alone goes.
    """
    claimed = []
    for wish in claims:
        rows = _next_rows(tx, wish)
        if rows:
            tx.change(_CLAIM, wish.token, by.node, tx.lease_until(by.lease), [row[0] for row in rows])
        claimed.append([replace(delivery, token=wish.token) for delivery in read_claimed(tx, rows)])
    return claimed


def _next_rows(tx: Transaction, wish: Claim) -> Sequence[AnyRow]:
    """Give what the next user has due; behind the last user comes the first."""
    latest = wish.now if wish.open_now else AT_ONCE
    last = behind(who_of(wish.served)) if wish.served else ""
    for after, end in ((last, ""), ("", last)):
        source = next_source(tx, str(wish.destination), after, latest)
        # The first nearly always has something. It has not where other nodes hold all of it.
        while source and (not end or source < end):
            rows = _rows_of_user(tx, wish, source, latest)
            if rows:
                return rows
            source = next_source(tx, str(wish.destination), behind(who_of(source)), latest)
    return []


def _rows_of_user(tx: Transaction, wish: Claim, first: str, latest: int) -> Sequence[AnyRow]:
    """Give what a user has due, whose first source with something due is known."""
    who = who_of(first)
    end = behind(who)
    if wish.newest:
        newest = source_of_newest(tx, str(wish.destination), who, latest)
        rows = tx.rows(SELECT_NEWEST, str(wish.destination), newest, latest, wish.limit) if newest else []
        if rows:
            return rows
    turn = wish.turns.get(who, "")
    source = next_source(tx, str(wish.destination), turn, latest) if turn >= first else first
    for start, stop in ((source, end), (first, turn + "!")):
        source = start
        while source and source < stop:
            rows = tx.rows(SELECT_OLDEST, str(wish.destination), source, latest, wish.limit)
            if rows:
                return rows
            source = next_source(tx, str(wish.destination), source, latest)
    return []


def behind(who: str) -> str:
    """Give a text behind all sources of a user and before those of the next: no name holds a blank."""
    return who + "!"


def source_of_newest(tx: Transaction, destination: str, who: str, latest: int) -> str:
    """Give the source of a user's newest mail that is due; empty where none is."""
    end = behind(who)
    rows = tx.rows(_NEWEST, destination, who, destination, end, destination, latest, end)
    return rows[0][0] if rows else ""


def next_source(tx: Transaction, destination: str, after: str, latest: int) -> str:
    """Give the first source behind a text that has something due; empty where none has."""
    rows = tx.rows(_NEXT, destination, after, destination, destination, latest)
    return rows[0][0] if rows else ""


def requeue(tx: Transaction, claims: Sequence[tuple[str, str]]) -> list[bool]:
    """Give (delivery, token) back as they were, nothing is counted; tells for each whether its claim still held."""
    return [tx.change(_REQUEUE, delivery_id, token) > 0 for delivery_id, token in claims]


def mark_uncertain(tx: Transaction, claims: Sequence[tuple[str, str]]) -> list[bool]:
    """Note that the final dots of (delivery, token) are about to leave: after a crash, these are held.

    Tells for each whether its claim still held.
    """
    return [tx.change(_MARK, delivery_id, token) > 0 for delivery_id, token in claims]


def hold_accounts(tx: Transaction, orders: Sequence[tuple[Sequence[str], int, int]]) -> list[list[Held]]:
    """Hold what is queued for (accounts, moment, at most so many); the postmaster is owed an alert about each."""
    held = []
    for accounts, now, limit in orders:
        rows = tx.rows(_SELECT_OF_ACCOUNTS, [str(to_account(name)) for name in accounts], limit)
        found = [Held(row[0], row[1], Destination.parse(row[2]).account) for row in rows]
        tx.change(_HOLD, [one.id for one in found])
        held.append(found)
        mails = {(one.message_id, one.account) for one in found}
        why = "the account {} is gone or excluded"
        write_events(tx, [(mail, now, "held", why.format(account)) for mail, account in sorted(mails)])
        counts = Counter(one.account for one in found)
        enqueue(
            tx, [PendingAlert(kind=Alert.ACCOUNT_GONE, account=name, count=count) for name, count in counts.items()]
        )
    return held


def recover(tx: Transaction, starts: Sequence[tuple[int, str]], *, by: Claimant) -> list[list[ClaimedDelivery]]:
    """Take up what the last process left, given (the present moment, the name of this start).

    Chunks that belong to no message are swept. Of what is held then, people are owed an alert.
    """
    if tx.is_shared:
        for _, start in starts:
            tx.change(_NOTE_START, _NODE + by.node, start)
    return [_recover_one(tx, now, by.node) for now, _ in starts]


def latest_start(tx: Transaction, node: str) -> str | None:
    """Give the name of the latest start of a node; None where none is known."""
    rows = tx.rows(_LATEST_START, _NODE + node)
    return rows[0][0] if rows else None


def reclaim(tx: Transaction, moments: Sequence[int], *, by: Claimant, claims: Claims) -> list[list[ClaimedDelivery]]:
    """Take up what is `active` and run by nobody: of this node, and of others whose leases are over.

    What was surely not sent is queued as it was; the rest is as doubtful as what `recover` takes up, and is returned.
    """
    return [_reclaim_one(tx, now, by.node, claims) for now in moments]


def _reclaim_one(tx: Transaction, now: int, node: str, claims: Claims) -> list[ClaimedDelivery]:
    own = {row[0]: row[1] for row in tx.rows(_SELECT_OWN, node) if not claims.runs(row[0], row[1])}
    # Until it is locked, another node may have taken it up and claimed it.
    rows = [row for row in tx.rows(_SELECT_ORPHANS, list(own)) if own[row[0]] == row[-1]] if own else []
    doubtful = {row[0] for row in rows if claims.is_doubtful(row[0], row[-1]) or row[6]}
    for row in rows:
        if row[0] not in doubtful:
            tx.change(_REQUEUE, row[0], row[-1])
    left = [row for row in rows if row[0] in doubtful]
    if tx.is_shared:
        left += tx.rows(_SELECT_EXPIRED, node, tx.time())
    return _reclaim_rows(tx, left, now, "the attempt ended while it was being sent") if left else []


def _recover_one(tx: Transaction, now: int, node: str) -> list[ClaimedDelivery]:
    if tx.is_shared:
        rows = tx.rows(_SELECT_ABANDONED, node, tx.time())
        orphans_before = make_id(max(0, now - _LONGEST_UPLOAD), bytes(10))
    else:
        rows = tx.rows(_SELECT_ACTIVE)
        orphans_before = "~"
    doubtful = _reclaim_rows(tx, rows, now, "the service ended while it was being sent")
    tx.change(_SWEEP, orphans_before)
    return doubtful


def _reclaim_rows(tx: Transaction, rows: Sequence[AnyRow], now: int, why: str) -> list[ClaimedDelivery]:
    marked = {row[0]: int(row[6]) for row in rows}
    found = [_doubted(delivery, marked[delivery.id]) for delivery in read_claimed(tx, rows)]
    tx.change_each(_RECOVER, [(_state_after(d).value, AT_ONCE, d.uncertain, d.id) for d in found])
    doubtful = [delivery for delivery in found if delivery.destination.is_account]
    write_events(tx, [(d.message.id, now, "possible_duplicate", why) for d in doubtful])
    held = [delivery for delivery in doubtful if _state_after(delivery) is DeliveryState.HELD]
    enqueue(tx, [PendingAlert(kind=Alert.UNCERTAIN_HELD, account=d.account, delivery_id=d.id) for d in held])
    return doubtful


def _doubted(delivery: ClaimedDelivery, marked: int) -> ClaimedDelivery:
    # Writing into an inbox again adds nothing, so there is nothing to doubt.
    if not delivery.destination.is_account:
        return delivery
    return replace(delivery, uncertain=delivery.uncertain + 1 + marked)


def _state_after(delivery: ClaimedDelivery) -> DeliveryState:
    return DeliveryState.HELD if delivery.uncertain >= MOST_UNCERTAIN else DeliveryState.QUEUED


def renew_leases(tx: Transaction, running: Sequence[Mapping[str, str]], *, by: Claimant) -> list[set[str]]:
    """Prolong claims, given as delivery id -> token; tells which of them still hold."""
    if not tx.is_shared:
        return [set(claims) for claims in running]
    until = tx.lease_until(by.lease)
    return [{row[0] for row in tx.change_rows(_RENEW, until, list(one), list(one.values()))} for one in running]


def is_held(tx: Transaction, delivery_id: str, token: str) -> bool:
    """Tell whether a claim still holds."""
    return bool(tx.rows(_IS_HELD, delivery_id, token))


def next_due(tx: Transaction) -> dict[Destination, int]:
    """Give the smallest `due` among what is queued, for each destination."""
    found = {}
    for (lane,) in tx.rows(_LANES):
        # On a shared database the last one may have gone between the two queries.
        dues = [row[1] for row in tx.rows(TURNS, lane, "", lane, lane) if row[1] is not None]
        if dues:
            found[Destination.parse(lane)] = min(dues)
    return found


def claim_by_id(tx: Transaction, wishes: Sequence[ClaimedDelivery], *, by: Claimant) -> list[bool]:
    """Make deliveries `active` that are known to be due, each with its token.

    Tells for each whether it still was as it is known. Of two wishes for one delivery the first gets it.
    """
    until = tx.lease_until(by.lease)
    return [
        tx.change(_CLAIM_BY_ID, wish.token, by.node, until, str(wish.destination), wish.tried, wish.id) > 0
        for wish in wishes
    ]
