"""What waits for long: whose sender is to be told, what is to be given up, what a wrong clock has put off too far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, NewMessage, RecipientState, Settlement
from relay.model.reply import Reply
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import SELECT_CLAIMED, read_claimed
from relay.storage.settling import settle, write_events
from relay.storage.transaction import Transaction

# `state <> 'done'` beside another state lets SQLite use the partial index.
_QUEUED: Final = "d.state = 'queued' AND d.state <> 'done'"
_OLDEST: Final = f"SELECT min(d.since) FROM delivery d WHERE {_QUEUED} AND d.destination = ?"  # noqa: S608 - constants
_FROM_MAILS: Final = " FROM delivery d JOIN message m ON m.id = d.message_id"
_MAILS_DELAYED: Final = (
    f"SELECT DISTINCT d.message_id {_FROM_MAILS} WHERE {_QUEUED} AND d.destination = ? AND NOT d.warned"
    " AND d.since > ? AND d.since <= ? AND NOT m.notice ORDER BY d.message_id LIMIT ?"
)
_SELECT_DELAYED: Final = (
    SELECT_CLAIMED + f"WHERE d.message_id {{any}} AND {_QUEUED} AND NOT d.warned ORDER BY d.message_id, d.id"
)
_MAILS_OVER: Final = (
    f"SELECT DISTINCT d.message_id FROM delivery d WHERE {_QUEUED} AND d.destination = ? AND d.since <= ?"  # noqa: S608 - constants
    " ORDER BY d.message_id LIMIT ?"
)
_SELECT_OVER: Final = (
    SELECT_CLAIMED + f"WHERE d.message_id {{any}} AND {_QUEUED} AND d.destination = ? AND d.since <= ?"
    " ORDER BY d.message_id, d.id"
)
_STILL_QUEUED: Final = "SELECT d.id FROM delivery d WHERE d.id {any} AND d.state = 'queued' {lock}"
_STILL_PENDING: Final = (
    "SELECT r.delivery_id, r.n FROM delivery d"
    " JOIN recipient r ON r.message_id = d.message_id AND r.delivery_id = d.id AND r.outcome = 'pending'"
    " WHERE d.id {any}"
)
_WARNED: Final = "UPDATE delivery SET warned = true WHERE id {any} AND state = 'queued' AND NOT warned"
_PULL_BACK: Final = "UPDATE delivery SET due = ? WHERE state = 'queued' AND state <> 'done' AND due > ?"
_BRING_FORWARD: Final = (
    "UPDATE delivery SET due = ?, attempts = 0 WHERE state = 'queued' AND state <> 'done' AND destination = ?"
    " AND attempts > 0 AND uncertain = 0 AND due > ?"
)
_OUTCOMES: Final = "SELECT r.n, r.outcome FROM recipient r WHERE r.message_id = ? AND r.kind = 'to'"
_LAST_ATTEMPTS: Final = (
    "SELECT a.delivery_id, a.at, a.code, a.enhanced, a.reply FROM attempt a WHERE a.delivery_id {any}"
    " AND a.n = (SELECT max(b.n) FROM attempt b WHERE b.delivery_id = a.delivery_id)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DelayTold:
    """That a mail still waits has been told, or is not to be told."""

    message_id: str
    delivery_ids: tuple[str, ...]
    at: int
    notice: NewMessage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LastAttempt:
    """The last attempt of a delivery."""

    at: int
    """When it began."""
    reply: Reply


def oldest_since(tx: Transaction, account: str) -> int | None:
    """Tell since when the oldest of what is queued for an account waits; None where nothing is."""
    since: int | None = tx.rows(_OLDEST, str(to_account(account)))[0][0]
    return since


def delayed(tx: Transaction, account: str, after: int, before: int, limit: int) -> list[ClaimedDelivery]:
    """Give what waits since later than `after` and not later than `before`, untold, of so many mails at most.

    Each mail comes whole: with all its deliveries that wait untold, whatever their account. Notices are left out.
    """
    mails = [row[0] for row in tx.rows(_MAILS_DELAYED, str(to_account(account)), after, before, limit)]
    return read_claimed(tx, tx.rows(_SELECT_DELAYED, mails)) if mails else []


def tell_delay(tx: Transaction, told: Sequence[DelayTold], *, by: Claimant) -> list[bool]:
    """Note that senders are told, with the notices that tell them; tells for each whether it was not told before.

    Several look at the same mail, and one of them tells, also where they come in one batch.
    """
    granted = [tx.change(_WARNED, list(one.delivery_ids)) > 0 for one in told]
    notices = [one.notice for one, is_first in zip(told, granted, strict=True) if is_first and one.notice is not None]
    if notices:
        accept(tx, notices, by=by)
        about = [one for one, is_first in zip(told, granted, strict=True) if is_first]
        write_events(tx, [(o.message_id, o.at, "delay_told", o.notice.message.id) for o in about if o.notice])
    return granted


def queued_before(tx: Transaction, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
    """Give what is queued for an account since a moment or longer, of so many mails at most; nothing is claimed."""
    way = str(to_account(account))
    mails = [row[0] for row in tx.rows(_MAILS_OVER, way, before, limit)]
    return read_claimed(tx, tx.rows(_SELECT_OVER, mails, way, before)) if mails else []


def give_up(tx: Transaction, mails: Sequence[Sequence[Settlement]], *, by: Claimant) -> list[bool]:
    """Settle what nobody attempts: all of a mail's deliveries together, or none where one of them has been claimed.

    Nor where somebody has got his outcome since: the notice would name him. They go from queued to done, so that a
    crash leaves nothing that looks as if it had been sent.
    """
    ids = [one.delivery_id for mail in mails for one in mail]
    queued = {row[0] for row in tx.rows(_STILL_QUEUED, ids)}
    pending = {(row[0], row[1]) for row in tx.rows(_STILL_PENDING, ids)}
    whole = [
        all(one.delivery_id in queued and all((one.delivery_id, n) in pending for n, _ in one.outcomes) for one in mail)
        for mail in mails
    ]
    settle(tx, [one for mail, is_whole in zip(mails, whole, strict=True) if is_whole for one in mail], by=by)
    return whole


def pull_back(tx: Transaction, orders: Sequence[tuple[int, int]]) -> list[int]:
    """Make (now, latest) due now what is due after a moment that no schedule reaches; gives how many."""
    return [tx.change(_PULL_BACK, now, latest) for now, latest in orders]


def bring_forward(tx: Transaction, orders: Sequence[tuple[str, int]]) -> list[int]:
    """Make due what (account, now) has put off, since its server or login is another now; gives how many.

    What may have been sent already stays where it is: it waits since it is in doubt, whatever the server.
    """
    return [tx.change(_BRING_FORWARD, now, str(to_account(account)), now) for account, now in orders]


def outcomes(tx: Transaction, message_id: str) -> dict[int, RecipientState]:
    """Give what became so far of each real recipient of a mail, by his number."""
    return {n: RecipientState(outcome) for n, outcome in tx.rows(_OUTCOMES, message_id)}


def last_attempts(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, LastAttempt]:
    """Give the last attempt of each delivery; one that was never tried is not in it."""
    return {
        row[0]: LastAttempt(at=row[1], reply=Reply(code=row[2], enhanced=row[3], text=row[4]))
        for row in tx.rows(_LAST_ATTEMPTS, list(delivery_ids))
    }
