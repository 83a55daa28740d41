"""How deliveries change hands: claimed, given back, held.

The claim is the record: a row that is `active` when nobody sends it may have been sent. Each claim has a token; whoever
changes the delivery presents it, and changes nothing where it is not that of the row.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, func, select, update

from relay.model.destination import Destination, to_account
from relay.model.mail import ClaimedDelivery
from relay.rules.notice_texts import Alert
from relay.rules.turns import Cursor
from relay.storage.accepting import Claimant
from relay.storage.outbox import PendingAlert, enqueue
from relay.storage.rows import IS_QUEUED, read_claimed
from relay.storage.settling import UNCLAIMED, write_events
from relay.storage.statement import LIMIT, Many, Parameters, Statement, is_in
from relay.storage.tables import delivery
from relay.storage.transaction import Transaction
from relay.storage.turns import SOURCES, DueDeliveries

IS_CLAIMED: Final = and_(
    delivery.c.id == bindparam("delivery"), delivery.c.token == bindparam("claim"), delivery.c.state == "active"
)
"""That a delivery is claimed by a token."""
_ACTIVE: Final = {
    "state": "active",
    "token": bindparam("claim"),
    "node": bindparam("claimant"),
    "lease_until": bindparam("until"),
}
_CLAIM: Final = Statement(update(delivery).values(_ACTIVE).where(is_in(delivery.c.id, "ids")))
_CLAIM_BY_ID: Final = Many.update(
    delivery,
    *("token", "node", "lease_until"),
    by=("id", "destination", "tried"),
    only=[delivery.c.state == "queued"],
    same={"state": "active"},
)
_REQUEUE: Final = Statement(update(delivery).values(state="queued", **UNCLAIMED).where(IS_CLAIMED))
_MARK: Final = Statement(update(delivery).values(marked=True).where(IS_CLAIMED))
_SELECT_CLAIMS: Final = Statement(
    select(delivery.c.id, delivery.c.token).where(
        is_in(delivery.c.id, "ids"), is_in(delivery.c.token, "tokens"), delivery.c.state == "active"
    )
)
_SELECT_OF_LANES: Final = Statement(
    select(delivery.c.id, delivery.c.message_id, delivery.c.destination)
    .where(IS_QUEUED, is_in(delivery.c.destination, "lanes"))
    .limit(LIMIT)
    .with_for_update(of=delivery)
)
_HOLD: Final = Statement(update(delivery).values(state="held").where(is_in(delivery.c.id, "ids")))
# Jumps from lane to lane: its time does not grow with the queue.
_LANE: Final = (
    select(func.min(delivery.c.destination).label("destination")).where(IS_QUEUED).cte("lane", recursive=True)
)
_LANE_BEHIND: Final = select(func.min(delivery.c.destination)).where(
    IS_QUEUED, delivery.c.destination > _LANE.c.destination
)
_ALL_LANES: Final = _LANE.union_all(
    select(_LANE_BEHIND.correlate(_LANE).scalar_subquery()).where(_LANE.c.destination.is_not(None))
)
_LANES: Final = Statement(select(_ALL_LANES.c.destination).where(_ALL_LANES.c.destination.is_not(None)))


class Held(NamedTuple):
    """A delivery that was just held."""

    id: str
    message_id: str
    account: str


def claim(
    due: DueDeliveries, cursor: Cursor, limit: int, *, newest: bool, token: str, by: Claimant
) -> list[ClaimedDelivery]:
    """Make due deliveries of a lane `active`: those of the user and source whose turn it is (`relay.rules.turns`).

    `newest`: the newest mail of the user goes, in place of the oldest of a source: a single mail passes a mailing. What
    people want at once is due longest. `token` names the claim.
    """
    rows = due.take_turn(cursor, limit, newest=newest)
    if rows:
        until = due.tx.lease_until(by.lease)
        due.tx.change(_CLAIM, claim=token, claimant=by.node, until=until, ids=[row[0] for row in rows])
    return [replace(delivery, token=token) for delivery in read_claimed(due.tx, rows)]


def claim_by_id(tx: Transaction, known: Sequence[ClaimedDelivery], *, by: Claimant) -> list[bool]:
    """Make deliveries `active` that are known to be due, each with its token; return which still were as known."""
    until = tx.lease_until(by.lease)
    rows: list[Parameters] = [
        {"token": one.token, "node": by.node, "lease_until": until}
        | {"id": one.id, "destination": str(one.destination), "tried": one.tried}
        # Of two that claim the same, the first. All nodes in one order, else they could wait for each other.
        for _, one in sorted({one.id: one for one in reversed(known)}.items())
    ]
    if tx.change_each(_CLAIM_BY_ID, rows, counted=True) == len(known):
        return [True] * len(known)
    return are_claimed(tx, known)


def requeue(tx: Transaction, delivery_id: str, token: str) -> bool:
    """Give a delivery back as it was, nothing is counted; return whether its claim still held."""
    return tx.change(_REQUEUE, delivery=delivery_id, claim=token) > 0


def mark_uncertain(tx: Transaction, delivery_id: str, token: str) -> bool:
    """Note that a final dot is about to leave: after a crash, it is held. Return whether its claim still held."""
    return tx.change(_MARK, delivery=delivery_id, claim=token) > 0


def are_claimed(tx: Transaction, claimed: Sequence[ClaimedDelivery]) -> list[bool]:
    """Return of each delivery whether its claim holds."""
    found = {*tx.rows(_SELECT_CLAIMS, ids=[one.id for one in claimed], tokens=[one.token for one in claimed])}
    return [(one.id, one.token) in found for one in claimed]


def hold_accounts(tx: Transaction, accounts: Collection[str], *, now: int, limit: int = 500) -> list[Held]:
    """Hold so many at most of what waits for accounts that are gone, and return them; of each an alert is owed."""
    rows = tx.rows(_SELECT_OF_LANES, lanes=[str(to_account(name)) for name in accounts], limit=limit)
    held = [Held(row[0], row[1], Destination.parse(row[2]).account) for row in rows]
    tx.change(_HOLD, ids=[one.id for one in held])
    mails = {(one.message_id, one.account) for one in held}
    why = "the account {} is gone or excluded"
    write_events(tx, [(mail, now, "held", why.format(account)) for mail, account in sorted(mails)])
    counts = Counter(one.account for one in held).items()
    enqueue(tx, [PendingAlert(kind=Alert.ACCOUNT_GONE, account=name, count=count) for name, count in counts])
    return held


def next_due(tx: Transaction) -> dict[Destination, int]:
    """Return the smallest `due` among what is queued, for each destination."""
    found = {}
    for (lane,) in tx.rows(_LANES):
        # On a shared database the last one may have gone between the two queries.
        dues = [due for _, due in tx.rows(SOURCES, lane=lane, after="") if due is not None]
        if dues:
            found[Destination.parse(lane)] = min(dues)
    return found
