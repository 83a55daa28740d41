"""How many recipients an account's mails had on a day of the office, and which mails began a moment ago.

Guarantee: what was counted is on the disk before the first of these recipients is named to the provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import and_, bindparam, delete, select, update

from relay.model.destination import Destination, to_account
from relay.model.errors import ClaimLostError
from relay.model.ids import first_id
from relay.model.mail import ClaimedDelivery, NewDelivery
from relay.storage.accepting import Cause, Claimant, create
from relay.storage.account_tables import counter
from relay.storage.claiming import IS_CLAIMED
from relay.storage.rows import is_recent
from relay.storage.statement import Statement, insert, is_in
from relay.storage.tables import attempt, delivery, event, message
from relay.storage.transaction import Transaction

_OF_DAY: Final = and_(counter.c.account == bindparam("name"), counter.c.day == bindparam("on"))
_COUNT: Final = bindparam("count", type_=counter.c.recipients.type)
_BEGIN: Final = Statement(
    insert(counter).values(account=bindparam("account"), day=bindparam("day"), recipients=0).on_conflict_do_nothing()
)
_ADD: Final = Statement(
    update(counter)
    .values(recipients=counter.c.recipients + _COUNT)
    .where(_OF_DAY, counter.c.recipients + _COUNT <= bindparam("most"))
)
_COUNTED: Final = Statement(select(counter.c.recipients).where(_OF_DAY).with_for_update(of=counter))
_TAKE_OFF: Final = Statement(
    update(counter).values(recipients=counter.c.recipients - _COUNT).where(_OF_DAY, counter.c.recipients >= _COUNT)
)
_ALL_OF_DAY: Final = Statement(select(counter.c.account, counter.c.recipients).where(counter.c.day == bindparam("on")))
# A delivery's id, and a message's, begins with the time when it was made.
_ATTEMPTS: Final = Statement(
    select(delivery.c.destination, attempt.c.at)
    .join_from(attempt, delivery)
    .where(
        is_recent(attempt.c.delivery_id),
        attempt.c.at > bindparam("after"),
        is_in(delivery.c.destination, "lanes"),
    )
)
_SPLITS: Final = Statement(
    select(message.c.account, event.c.at)
    .join_from(event, message)
    .where(
        is_recent(event.c.message_id),
        event.c.at > bindparam("after"),
        event.c.what == "archive_split",
        is_in(message.c.account, "accounts"),
    )
)
_LOCK: Final = Statement(select(delivery.c.id).where(IS_CLAIMED).with_for_update(of=delivery))
_FORGET: Final = Statement(delete(counter).where(counter.c.day < bindparam("first")))


@dataclass(frozen=True, slots=True)
class Count:
    """Some recipients of a day."""

    account: str
    day: str
    """As `2026-05-28`."""
    recipients: int
    most: int = 0


def count(tx: Transaction, wanted: Count) -> bool:
    """Count recipients where the day has room for them; return whether it had. Days before are forgotten."""
    tx.change(_BEGIN, account=wanted.account, day=wanted.day)
    has_room = tx.change(_ADD, name=wanted.account, on=wanted.day, count=wanted.recipients, most=wanted.most) > 0
    tx.change(_FORGET, first=wanted.day)
    return has_room


def count_part(tx: Transaction, by: Claimant, wanted: Count, claimed: ClaimedDelivery, rest: NewDelivery) -> int:
    """Count as many of a delivery's first recipients as the day has room for; return how many.

    Where there is room for some, the others leave it for the delivery `rest`. Raises ClaimLostError where the claim
    does not hold any more: the delivery is another's, who sends it to all of them.
    """
    if not tx.rows(_LOCK, delivery=claimed.id, claim=claimed.token):
        raise ClaimLostError(f"delivery {claimed.id} is not ours any more")
    tx.change(_BEGIN, account=wanted.account, day=wanted.day)
    counted = tx.rows(_COUNTED, name=wanted.account, on=wanted.day)[0][0]
    granted = max(0, min(wanted.most - counted, wanted.recipients))
    if not granted:
        return 0
    tx.change(_ADD, name=wanted.account, on=wanted.day, count=granted, most=wanted.most)
    left = claimed.recipients[granted:]
    if left:
        cause = Cause(claimed.id, claimed.message.id, claimed.since, claimed.message.source)
        create(tx, [(cause, replace(rest, recipients=left))], by=by)
    return granted


def uncount(tx: Transaction, spare: Count) -> None:
    """Take recipients off again whom the provider did not take."""
    tx.change(_TAKE_OFF, count=spare.recipients, name=spare.account, on=spare.day)


def starts_since(tx: Transaction, accounts: Sequence[str], *, after: int, oldest: int) -> dict[str, list[int]]:
    """Return when transactions of accounts began since a moment, in order: attempts, and repeats without the archive.

    Only mails that are not older than `oldest` are looked at, so that a long history costs nothing. What is being sent,
    or was when the process died, has no attempt yet: whoever asks counts it himself.
    """
    first = first_id(oldest)
    found: dict[str, list[int]] = {account: [] for account in accounts}
    lanes = [str(to_account(name)) for name in accounts]
    for destination, at in tx.rows(_ATTEMPTS, oldest=first, after=after, lanes=lanes):
        found[Destination.parse(destination).account].append(at)
    for account, at in tx.rows(_SPLITS, oldest=first, after=after, accounts=list(accounts)):
        found[account].append(at)
    return {account: sorted(starts) for account, starts in found.items() if starts}


def count_of_day(tx: Transaction, day: str) -> dict[str, int]:
    """Return what each account's day has seen."""
    return {row[0]: row[1] for row in tx.rows(_ALL_OF_DAY, on=day)}
