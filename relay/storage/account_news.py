"""What the attempts of each account say last: when the provider last took a mail, and what went wrong since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, case, func, select

from relay.model.destination import Destination
from relay.model.ids import first_id
from relay.model.reply import Reply
from relay.storage.engine import Database, transaction
from relay.storage.selection import TO_LANE, is_recent
from relay.storage.statement import Statement
from relay.storage.tables import attempt, delivery
from relay.storage.transaction import Transaction

LOOKED_BACK: Final = 30 * 86_400_000
"""Milliseconds: attempts for older mails are not looked at."""
_TOOK_IT: Final = attempt.c.code.between(200, 299)
_IS_RECENT: Final = is_recent(attempt.c.delivery_id)
_LAST: Final = Statement(
    select(delivery.c.destination, func.max(case((_TOOK_IT, attempt.c.at))), func.max(attempt.c.at))
    .join_from(attempt, delivery)
    .where(_IS_RECENT)
    .group_by(delivery.c.destination)
)
_REPLY: Final = Statement(
    select(attempt.c.code, attempt.c.enhanced, attempt.c.reply)
    .join_from(attempt, delivery)
    .where(_IS_RECENT, TO_LANE, attempt.c.at == bindparam("last"), ~_TOOK_IT)
    .order_by(attempt.c.delivery_id.desc(), attempt.c.n.desc())
    .limit(1)
)
_SINCE: Final = Statement(
    select(func.min(attempt.c.at))
    .join_from(attempt, delivery)
    .where(_IS_RECENT, TO_LANE, attempt.c.at > bindparam("after"))
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
    since = first_id(now - LOOKED_BACK)
    with transaction(engine, write=False) as tx:
        found = [(Destination.parse(row[0]), *row[1:]) for row in tx.rows(_LAST, oldest=since)]
        return {to.name: _read(tx, since, str(to), good, last) for to, good, last in found if to.is_account}


def _read(tx: Transaction, since: str, destination: str, good: int | None, last: int) -> AccountNews:
    if good is not None and good >= last:
        return AccountNews(last_sent=good)
    code, enhanced, text = tx.rows(_REPLY, oldest=since, lane=destination, last=last)[0]
    return AccountNews(
        last_sent=good,
        last_error=Reply(code=code, enhanced=enhanced, text=text),
        failed_at=last,
        failing_since=tx.rows(_SINCE, oldest=since, lane=destination, after=good or 0)[0][0],
    )
