"""How many recipients an account's mails had on a day of the office, and which mails began a moment ago.

Guarantee: what was counted is on the disk before the first of these recipients is named to the provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.model.destination import Destination, to_account
from relay.model.errors import ClaimLostError
from relay.model.mail import ClaimedDelivery, NewDelivery
from relay.storage.accepting import Claimant, Placed, insert_deliveries
from relay.storage.settling import move_recipients
from relay.storage.transaction import Transaction

_BEGIN: Final = "INSERT INTO counter (account, day, recipients) VALUES (?, ?, 0) ON CONFLICT DO NOTHING"
_ADD: Final = "UPDATE counter SET recipients = recipients + ? WHERE account = ? AND day = ? AND recipients + ? <= ?"
_COUNTED: Final = "SELECT d.recipients FROM counter d WHERE d.account = ? AND d.day = ? {lock}"
_GIVE_BACK: Final = "UPDATE counter SET recipients = recipients - ? WHERE account = ? AND day = ? AND recipients >= ?"
_OF_DAY: Final = "SELECT account, recipients FROM counter WHERE day = ?"
# A delivery's id, and a message's, begins with the time when it was made.
_ATTEMPTS: Final = (
    "SELECT d.destination, a.at FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
    " WHERE a.delivery_id >= ? AND a.at > ? AND d.destination {any}"
)
_SPLITS: Final = (
    "SELECT m.account, e.at FROM event e JOIN message m ON m.id = e.message_id"
    " WHERE e.message_id >= ? AND e.at > ? AND e.what = 'archive_split' AND m.account {any}"
)
_HOLDS: Final = "SELECT 1 FROM delivery d WHERE d.id = ? AND d.token = ? AND d.state = 'active' {lock}"
_FORGET: Final = "DELETE FROM counter WHERE day < ?"


@dataclass(frozen=True, slots=True)
class Count:
    """Some recipients of a day."""

    account: str
    day: str
    """As `2026-05-28`."""
    recipients: int
    most: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A delivery that a day may have room for in part."""

    count: Count
    delivery: ClaimedDelivery
    rest: NewDelivery
    """What becomes of those who find no room."""


def count(tx: Transaction, counts: Sequence[Count]) -> list[bool]:
    """Count recipients where the day has room for them; tells for each whether it had. Days before are forgotten."""
    taken = []
    for one in counts:
        tx.change(_BEGIN, one.account, one.day)
        taken.append(tx.change(_ADD, one.recipients, one.account, one.day, one.recipients, one.most) > 0)
    tx.change(_FORGET, min((one.day for one in counts), default=""))
    return taken


def count_part(tx: Transaction, parts: Sequence[Part], *, by: Claimant) -> list[int]:
    """Count as many of a delivery's first recipients as the day has room for; tells for each how many.

    Where there is room for some, the others leave it for a delivery of their own. Raises ClaimLostError where a claim
    does not hold any more: the delivery is another's, who sends it to all of them.
    """
    return [_count_part(tx, part, by) for part in parts]


def _count_part(tx: Transaction, part: Part, by: Claimant) -> int:
    wish, delivery = part.count, part.delivery
    if not tx.rows(_HOLDS, delivery.id, delivery.token):
        raise ClaimLostError(f"delivery {delivery.id} is not ours any more")
    tx.change(_BEGIN, wish.account, wish.day)
    counted: int = tx.rows(_COUNTED, wish.account, wish.day)[0][0]
    granted = max(0, min(wish.most - counted, wish.recipients))
    if not granted:
        return 0
    tx.change(_ADD, granted, wish.account, wish.day, granted, wish.most)
    left = delivery.recipients[granted:]
    if left:
        rest = replace(part.rest, recipients=left)
        insert_deliveries(tx, [Placed(delivery.message.id, delivery.since, delivery.message.source, rest)], by=by)
        move_recipients(tx, delivery.message.id, delivery.id, rest)
    return granted


def uncount(tx: Transaction, counts: Sequence[Count]) -> list[None]:
    """Take recipients off again whom the provider did not take."""
    for one in counts:
        tx.change(_GIVE_BACK, one.recipients, one.account, one.day, one.recipients)
    return [None] * len(counts)


def starts_since(tx: Transaction, accounts: Sequence[str], after: int, oldest: str) -> dict[str, list[int]]:
    """Give when transactions of accounts began since a moment, in order: attempts, and repetitions without the archive.

    Only mails whose id is not below `oldest` are looked at, so that a long history costs nothing. What is being sent,
    or was when the process died, has no attempt yet: whoever asks counts it himself.
    """
    found: dict[str, list[int]] = {account: [] for account in accounts}
    for destination, at in tx.rows(_ATTEMPTS, oldest, after, [str(to_account(name)) for name in accounts]):
        found[Destination.parse(destination).account].append(at)
    for account, at in tx.rows(_SPLITS, oldest, after, list(accounts)):
        found[account].append(at)
    return {account: sorted(starts) for account, starts in found.items() if starts}


def count_of_day(tx: Transaction, day: str) -> dict[str, int]:
    """Give what each account's day has seen."""
    return {row[0]: row[1] for row in tx.rows(_OF_DAY, day)}
