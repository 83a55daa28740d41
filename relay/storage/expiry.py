"""What waits for long: whose sender is to be told, what is to be given up, what a wrong clock has put off too far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, func, select, update

from relay.model.destination import to_account
from relay.model.mail import ClaimedDelivery, NewMessage, RecipientState, Settlement
from relay.model.reply import Reply
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import IN_LANE, IS_QUEUED, SELECT_CLAIMED, read_claimed
from relay.storage.settling import settle, write_events
from relay.storage.statement import LIMIT, Statement, is_in
from relay.storage.tables import attempt, delivery, message, recipient
from relay.storage.transaction import Transaction

_IS_OVER: Final = and_(IN_LANE, delivery.c.since <= bindparam("before"))
_IS_UNTOLD: Final = and_(IS_QUEUED, ~delivery.c.warned)
_OF_MAILS: Final = is_in(delivery.c.message_id, "mails")
_IN_ORDER: Final = (delivery.c.message_id, delivery.c.id)
_OLDEST: Final = Statement(select(func.min(delivery.c.since)).where(IN_LANE))
_MAILS_DELAYED: Final = Statement(
    select(delivery.c.message_id)
    .distinct()
    .join(message, message.c.id == delivery.c.message_id)
    .where(_IS_OVER, _IS_UNTOLD, delivery.c.since > bindparam("after"), ~message.c.notice)
    .order_by(delivery.c.message_id)
    .limit(LIMIT)
)
_SELECT_DELAYED: Final = Statement(SELECT_CLAIMED.where(_OF_MAILS, _IS_UNTOLD).order_by(*_IN_ORDER))
_MAILS_OVER: Final = Statement(
    select(delivery.c.message_id).distinct().where(_IS_OVER).order_by(delivery.c.message_id).limit(LIMIT)
)
_SELECT_OVER: Final = Statement(SELECT_CLAIMED.where(_OF_MAILS, _IS_OVER).order_by(*_IN_ORDER))
_STILL_QUEUED: Final = Statement(
    select(delivery.c.id).where(is_in(delivery.c.id, "ids"), delivery.c.state == "queued").with_for_update(of=delivery)
)
_IS_PENDING: Final = and_(
    recipient.c.message_id == delivery.c.message_id,
    recipient.c.delivery_id == delivery.c.id,
    recipient.c.outcome == "pending",
)
_STILL_PENDING: Final = Statement(
    select(recipient.c.delivery_id, recipient.c.n)
    .join_from(delivery, recipient, _IS_PENDING)
    .where(is_in(delivery.c.id, "ids"))
)
_WARNED: Final = Statement(
    update(delivery)
    .values(warned=True)
    .where(is_in(delivery.c.id, "ids"), delivery.c.state == "queued", ~delivery.c.warned)
)
_PULL_BACK: Final = Statement(
    update(delivery).values(due=bindparam("now")).where(IS_QUEUED, delivery.c.due > bindparam("latest"))
)
_BRING_FORWARD: Final = Statement(
    update(delivery)
    .values(due=bindparam("now"), attempts=0)
    .where(IN_LANE, delivery.c.attempts > 0, delivery.c.uncertain == 0, delivery.c.due > bindparam("now"))
)
_OUTCOMES: Final = Statement(
    select(recipient.c.n, recipient.c.outcome).where(
        recipient.c.message_id == bindparam("mail"), recipient.c.kind == "to"
    )
)
_LATER: Final = attempt.alias()
_LAST: Final = select(func.max(_LATER.c.n)).where(_LATER.c.delivery_id == attempt.c.delivery_id)
_LAST_ATTEMPTS: Final = Statement(
    select(attempt.c.delivery_id, attempt.c.at, attempt.c.code, attempt.c.enhanced, attempt.c.reply).where(
        is_in(attempt.c.delivery_id, "ids"), attempt.c.n == _LAST.correlate(attempt).scalar_subquery()
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastAttempt:
    """The last attempt of a delivery."""

    at: int
    """When it began."""
    reply: Reply


def oldest_since(tx: Transaction, account: str) -> int | None:
    """Return since when the oldest of what is queued for an account waits; None where nothing is."""
    since: int | None = tx.rows(_OLDEST, lane=str(to_account(account)))[0][0]
    return since


def delayed(tx: Transaction, account: str, after: int, before: int, limit: int) -> list[ClaimedDelivery]:
    """Return what waits since later than `after`, up to `before`, and nobody was told of: so many mails at most.

    Each mail comes whole: with all its deliveries that wait untold, whatever their account. Notices are left out.
    """
    lane = str(to_account(account))
    mails = [row[0] for row in tx.rows(_MAILS_DELAYED, lane=lane, after=after, before=before, limit=limit)]
    return read_claimed(tx, tx.rows(_SELECT_DELAYED, mails=mails)) if mails else []


def tell_delay(
    tx: Transaction, by: Claimant, message_id: str, delivery_ids: list[str], notice: NewMessage | None, *, at: int
) -> bool:
    """Note that a sender is told of a mail's deliveries, with the notice that tells him; None: he is not to be told.

    Return whether it was not noted before: several look at the same mail, and one of them tells.
    """
    is_first = tx.change(_WARNED, ids=delivery_ids) > 0
    if is_first and notice is not None:
        accept(tx, [notice], by=by)
        write_events(tx, [(message_id, at, "delay_told", notice.message.id)])
    return is_first


def queued_before(tx: Transaction, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
    """Return what is queued for an account since a moment or longer, of so many mails at most; nothing is claimed."""
    lane = str(to_account(account))
    mails = [row[0] for row in tx.rows(_MAILS_OVER, lane=lane, before=before, limit=limit)]
    return read_claimed(tx, tx.rows(_SELECT_OVER, mails=mails, lane=lane, before=before)) if mails else []


def give_up(tx: Transaction, by: Claimant, mail: Sequence[Settlement]) -> bool:
    """Settle what nobody attempts: all of a mail's deliveries together, or none of them; return which.

    None, where one of them has been claimed, or a recipient has an outcome by now, whom the notice would name as well.
    They go from queued to done, so that a crash leaves nothing that looks as if it had been sent.
    """
    ids = [one.delivery_id for one in mail]
    queued = {row[0] for row in tx.rows(_STILL_QUEUED, ids=ids)}
    pending = {(row[0], row[1]) for row in tx.rows(_STILL_PENDING, ids=ids)}
    named = {(one.delivery_id, n) for one in mail for n, _ in one.outcomes}
    if not (queued.issuperset(ids) and pending.issuperset(named)):
        return False
    settle(tx, mail, by=by)
    return True


def pull_back(tx: Transaction, *, now: int, latest: int) -> int:
    """Make due now what is due after `latest`, which no schedule reaches: a wrong clock; return how many."""
    return tx.change(_PULL_BACK, now=now, latest=latest)


def bring_forward(tx: Transaction, account: str, *, now: int) -> int:
    """Make due now what an account has put off, its intervals from the beginning: its server or login is another.

    What may have been sent already waits on, since that is in doubt with any server. Return how many were due later.
    """
    return tx.change(_BRING_FORWARD, lane=str(to_account(account)), now=now)


def outcomes(tx: Transaction, message_id: str) -> dict[int, RecipientState]:
    """Return what became so far of each real recipient of a mail, by his number."""
    return {n: RecipientState(outcome) for n, outcome in tx.rows(_OUTCOMES, mail=message_id)}


def last_attempts(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, LastAttempt]:
    """Return the last attempt of each delivery; one that was never tried is not in it."""
    return {
        row[0]: LastAttempt(at=row[1], reply=Reply(code=row[2], enhanced=row[3], text=row[4]))
        for row in tx.rows(_LAST_ATTEMPTS, ids=list(delivery_ids))
    }
