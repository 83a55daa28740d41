"""How many recipients an account's mails had on a day of the office (`recipients_per_day`).

Guarantee: what was counted is on the disk before the first of these recipients is named to the provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.storage.engine import Transaction

_BEGIN: Final = "INSERT INTO counter (account, day, recipients) VALUES (?, ?, 0) ON CONFLICT DO NOTHING"
# A mail with more recipients than a whole day may have goes when it is the first of its day.
_ADD: Final = (
    "UPDATE counter SET recipients = recipients + ?"
    " WHERE account = ? AND day = ? AND (recipients + ? <= ? OR recipients = 0)"
)
_GIVE_BACK: Final = "UPDATE counter SET recipients = recipients - ? WHERE account = ? AND day = ? AND recipients >= ?"
_OF_DAY: Final = "SELECT account, recipients FROM counter WHERE day = ?"
_FORGET: Final = "DELETE FROM counter WHERE day < ?"


@dataclass(frozen=True, slots=True)
class Count:
    """Some recipients of a day."""

    account: str
    day: str
    """As `2026-05-28`."""
    recipients: int
    most: int = 0


def take(tx: Transaction, counts: Sequence[Count]) -> list[bool]:
    """Count recipients where the day has room for them; tells for each whether it had. Days before are forgotten."""
    taken = []
    for one in counts:
        tx.change(_BEGIN, one.account, one.day)
        taken.append(tx.change(_ADD, one.recipients, one.account, one.day, one.recipients, one.most) > 0)
    tx.change(_FORGET, min((one.day for one in counts), default=""))
    return taken


def give_back(tx: Transaction, counts: Sequence[Count]) -> list[None]:
    """Take recipients off again whom the provider did not take."""
    for one in counts:
        tx.change(_GIVE_BACK, one.recipients, one.account, one.day, one.recipients)
    return [None] * len(counts)


def count_of_day(tx: Transaction, day: str) -> dict[str, int]:
    """Give what each account's day has seen."""
    return {row[0]: row[1] for row in tx.rows(_OF_DAY, day)}
