"""What waits for long: whose sender is to be told, what is to be given up, what a wrong clock has put off too far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.mail import ClaimedDelivery, NewMessage
from relay.model.reply import Reply
from relay.storage.accepting import accept
from relay.storage.engine import Transaction
from relay.storage.rows import SELECT_CLAIMED, read_claimed
from relay.storage.settling import write_events

_SELECT_WAITING: Final = (
    SELECT_CLAIMED + "WHERE d.state = 'queued' AND d.state <> 'done' AND NOT d.warned AND d.since <= ?"
    " ORDER BY d.message_id, d.id LIMIT ?"
)
_SELECT_OLD: Final = (
    SELECT_CLAIMED + "WHERE d.state = 'queued' AND d.state <> 'done' AND d.account = ? AND d.since <= ?"
    " ORDER BY d.id LIMIT ? {skip_locked}"
)
_CLAIM: Final = "UPDATE delivery SET state = 'active', node = ?, lease_until = ? WHERE id {any}"
_WARNED: Final = "UPDATE delivery SET warned = true WHERE id {any}"
_PULL_BACK: Final = "UPDATE delivery SET due = ? WHERE state = 'queued' AND state <> 'done' AND due > ?"
_LAST_REPLIES: Final = (
    "SELECT a.delivery_id, a.code, a.enhanced, a.reply FROM attempt a WHERE a.delivery_id {any}"
    " AND a.n = (SELECT max(b.n) FROM attempt b WHERE b.delivery_id = a.delivery_id)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DelayTold:
    """That a mail still waits has been told, or is not to be told."""

    message_id: str
    delivery_ids: tuple[str, ...]
    at: int
    notice: NewMessage | None


@dataclass(frozen=True, slots=True)
class OldClaim:
    """What an account that can't be reached gives up."""

    account: str
    before: int
    limit: int


def waiting_since(tx: Transaction, before: int, limit: int) -> list[ClaimedDelivery]:
    """Give what is queued since a moment and whose sender has not been told, mail by mail."""
    return read_claimed(tx, tx.rows(_SELECT_WAITING, before, limit))


def tell_delay(tx: Transaction, told: Sequence[DelayTold], *, node: str) -> list[None]:
    """Note that senders are told, with the notices that tell them."""
    tx.change(_WARNED, [delivery_id for one in told for delivery_id in one.delivery_ids])
    notices = [one.notice for one in told if one.notice is not None]
    if notices:
        accept(tx, notices, node=node)
        write_events(tx, [(o.message_id, o.at, "delay_told", o.notice.message.id) for o in told if o.notice])
    return [None] * len(told)


def claim_old(tx: Transaction, claims: Sequence[OldClaim], *, node: str) -> list[list[ClaimedDelivery]]:
    """Claim what has waited since a moment, whenever it is due."""
    claimed = []
    for wish in claims:
        rows = tx.rows(_SELECT_OLD, wish.account, wish.before, wish.limit)
        if rows:
            tx.change(_CLAIM, node, tx.lease_until(), [row[0] for row in rows])
        claimed.append(read_claimed(tx, rows))
    return claimed


def pull_back(tx: Transaction, orders: Sequence[tuple[int, int]]) -> list[int]:
    """Make (now, latest) due now what is due after a moment that no schedule reaches; gives how many."""
    return [tx.change(_PULL_BACK, now, latest) for now, latest in orders]


def last_replies(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, Reply]:
    """Give what the last attempt of each delivery got; one that was never tried is not in it."""
    return {
        row[0]: Reply(code=row[1], enhanced=row[2], text=row[3]) for row in tx.rows(_LAST_REPLIES, list(delivery_ids))
    }
