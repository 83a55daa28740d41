"""Which mails a command is about, and how many: short questions, each a transaction of its own."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, bindparam, exists, func, select

from relay.model.destination import to_account
from relay.storage.engine import Database, transaction
from relay.storage.listing import MailFilter, is_open_as
from relay.storage.selection import ACCOUNT, IS_OPEN, MAILS, TO_LANE, is_like
from relay.storage.statement import Statement, highest, is_in
from relay.storage.tables import delivery, message, recipient

_IDS: Final = is_in(delivery.c.message_id, "ids")

_SELECT_ACCOUNTS: Final = Statement(
    select(ACCOUNT).distinct().where(_IDS, delivery.c.state == "queued").order_by(ACCOUNT)
)
_SELECT_NEXT: Final = Statement(
    select(delivery.c.message_id, func.min(delivery.c.due))
    .where(_IDS, delivery.c.state == "queued", TO_LANE)
    .group_by(delivery.c.message_id)
    .order_by(delivery.c.message_id)
)
_COUNT_HELD: Final = Statement(select(MAILS).where(_IDS, delivery.c.state == "held", TO_LANE))
_IS_KNOWN: Final = {
    "account": Statement(select(delivery.c.id).where(delivery.c.destination == bindparam("name")).limit(1)),
    "user": Statement(select(message.c.id).where(message.c.user == bindparam("name")).limit(1)),
}
_COUNT_MAILS: Final = Statement(select(MAILS).where(_IDS, IS_OPEN))


def count_waiting(engine: Database, ids: Sequence[str]) -> int:
    """Count those of these mails of which anything waits, held ones too."""
    with transaction(engine, write=False) as tx:
        return tx.rows(_COUNT_MAILS, ids=list(ids))[0][0]


def next_attempts(engine: Database, ids: Sequence[str], account: str, *, now: int) -> list[tuple[str, int]]:
    """Return those of these mails that an account does not try before a later moment, with that moment."""
    with transaction(engine, write=False) as tx:
        return [row for row in tx.rows(_SELECT_NEXT, ids=list(ids), lane=str(to_account(account))) if row[1] > now]


def count_held(engine: Database, ids: Sequence[str], account: str) -> int:
    """Return how many of these mails an account holds until a person releases them."""
    with transaction(engine, write=False) as tx:
        return tx.rows(_COUNT_HELD, ids=list(ids), lane=str(to_account(account)))[0][0]


def accounts_of(engine: Database, ids: Sequence[str]) -> list[str]:
    """Return the accounts by which these mails wait to leave."""
    with transaction(engine, write=False) as tx:
        return [row[0] for row in tx.rows(_SELECT_ACCOUNTS, ids=list(ids))]


def is_known(engine: Database, what: str, name: str) -> bool:
    """Return whether a mail is of this `account` or `user`, though the configuration may no longer have it."""
    with transaction(engine, write=False) as tx:
        return bool(tx.rows(_IS_KNOWN[what], name=str(to_account(name)) if what == "account" else name))


_MAIL: Final = delivery.join(message, message.c.id == delivery.c.message_id)


def _conditions(wanted: MailFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on an open delivery and its `message`, all of which must be true."""
    conditions = [is_open_as(wanted.states)]
    if wanted.account is not None:
        conditions.append(delivery.c.destination == str(to_account(wanted.account)))
    if wanted.user is not None:
        conditions.append(message.c.user == wanted.user)
    if wanted.since is not None:
        conditions.append(message.c.received_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(message.c.received_at < wanted.until)
    if wanted.recipient is not None:
        own = (recipient.c.message_id == delivery.c.message_id, recipient.c.delivery_id == delivery.c.id)
        conditions.append(exists().where(*own, is_like(recipient.c.address, wanted.recipient)))
    return conditions


def select_messages(
    engine: Database,
    wanted: MailFilter,
    *,
    after: str = "",
    upto: str = "~",
    among: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[str]:
    """Return the ids of the mails of which a delivery is selected, the oldest first: a page of them.

    The page has the first `limit` mails behind `after`, up to `upto`; of a few ids, those `among` them.
    """
    conditions = [*_conditions(wanted), delivery.c.message_id > after, delivery.c.message_id <= upto]
    if among is not None:
        conditions.append(is_in(delivery.c.message_id, list(among)))
    found = select(delivery.c.message_id).distinct().select_from(_MAIL).where(*conditions)
    with transaction(engine, write=False) as tx:
        page = found.order_by(delivery.c.message_id).limit(limit)
        return [row[0] for row in tx.rows(Statement(page, composed=True))]


def count_messages(engine: Database, wanted: MailFilter) -> tuple[int, str]:
    """Count the mails of which a delivery is selected; return also the last one's id, empty where there is none."""
    found = select(MAILS, highest(delivery.c.message_id)).select_from(_MAIL).where(*_conditions(wanted))
    with transaction(engine, write=False) as tx:
        count, last = tx.rows(Statement(found, composed=True))[0]
    return count, last or ""
