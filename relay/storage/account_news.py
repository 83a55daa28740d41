"""What the attempts of each account say last: when the provider last took a mail, and what went wrong since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.model.destination import Destination
from relay.model.ids import make_id
from relay.model.reply import Reply
from relay.storage.engine import Database, transaction
from relay.storage.transaction import Transaction

LOOKED_BACK: Final = 30 * 86_400_000
"""Milliseconds: attempts for older mails are not looked at."""
_LAST: Final = (
    "SELECT d.destination, max(CASE WHEN a.code BETWEEN 200 AND 299 THEN a.at END), max(a.at)"
    " FROM attempt a JOIN delivery d ON d.id = a.delivery_id WHERE a.delivery_id >= ? GROUP BY d.destination"
)
_REPLY: Final = (
    "SELECT a.code, a.enhanced, a.reply FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
    " WHERE a.delivery_id >= ? AND d.destination = ? AND a.at = ? AND NOT a.code BETWEEN 200 AND 299"
    " ORDER BY a.delivery_id DESC, a.n DESC LIMIT 1"
)
_SINCE: Final = (
    "SELECT min(a.at) FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
    " WHERE a.delivery_id >= ? AND d.destination = ? AND a.at > ?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountNews:
    """What is known of one account's attempts. Times: milliseconds since 1970."""

    last_sent: int | None
    """When its provider last took a mail; None: not within `LOOKED_BACK`."""
    last_error: Reply | None = None
    """The last answer, where the last attempt failed; without a code where there was none."""
    failed_at: int | None = None
    failing_since: int | None = None
    """When the first of the attempts was that failed since `last_sent`."""


def read_news(engine: Database, *, now: int) -> Mapping[str, AccountNews]:
    """Read the news of all accounts that have tried anything. `now`: milliseconds since 1970."""
    since = make_id(max(0, now - LOOKED_BACK), bytes(10))
    with transaction(engine, write=False) as tx:
        found = [(Destination.parse(row[0]), *row[1:]) for row in tx.rows(_LAST, since)]
        return {to.name: _read(tx, since, str(to), good, last) for to, good, last in found if to.is_account}


def _read(tx: Transaction, since: str, destination: str, good: int | None, last: int) -> AccountNews:
    if good is not None and good >= last:
        return AccountNews(last_sent=good)
    code, enhanced, text = tx.rows(_REPLY, since, destination, last)[0]
    return AccountNews(
        last_sent=good,
        last_error=Reply(code=code, enhanced=enhanced, text=text),
        failed_at=last,
        failing_since=tx.rows(_SINCE, since, destination, good or 0)[0][0],
    )
