"""Which mails a filter chooses: whole mails for the lists, the newest first, by the states that people know; counts.

A list of what is open costs what is open, and the newest of a long history cost what is shown: mails are read by their
ids, which sort by time. Only a filter that few of them pass has to look at all of the history.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, exists, false, func, or_, select

from relay.model.destination import to_account
from relay.model.ids import first_id
from relay.model.mail import DeliveryState
from relay.model.state import State
from relay.rules.states import OPEN_STATES, MailDelivery, MailRecipient
from relay.storage.engine import Database, transaction
from relay.storage.rows import ACCOUNT, IS_OPEN, MAILS, TO_LANE, is_like
from relay.storage.statement import Statement, highest, is_in
from relay.storage.tables import delivery, message, recipient
from relay.storage.transaction import Transaction

OPEN: Final = (State.WAITING, State.ACTIVE, State.HELD)
"""What a list shows where nothing else is asked for."""
DELIVERY_STATES: Final = {state: of_delivery for of_delivery, state in OPEN_STATES.items()}

_OF_MAIL: Final = recipient.c.message_id == message.c.id
_IS_REAL: Final = recipient.c.kind != "archive"
_LOST: Final = message.c.id.in_(select(recipient.c.message_id).where(recipient.c.outcome == "bounced", _IS_REAL))


def _has(outcome: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_OF_MAIL, _IS_REAL, outcome)


_FINISHED: Final = {
    State.DELIVERED: ~_has(recipient.c.outcome != "delivered"),
    # One look at all recipients is less than one for each mail, and so few fail that it finds little.
    State.FAILED: and_(_LOST, ~_has(recipient.c.outcome != "bounced")),
    State.PARTLY: and_(_LOST, _has(recipient.c.outcome == "delivered"), ~_has(recipient.c.outcome == "pending")),
}
MAIL: Final = (
    *message.c["id", "received_at", "user", "account", "header_message_id", "subject", "size", "notice"],
    message.c.reverse_path.label("sender"),
)
"""The columns of a MailRow."""
_SELECT_MAILS: Final = Statement(select(*MAIL).where(is_in(message.c.id, "ids")).order_by(message.c.id.desc()))
_OF_MAILS: Final = is_in(delivery.c.message_id, "ids")
_SELECT_DELIVERIES: Final = Statement(
    select(*delivery.c["id", "message_id", "state", "version", "due", "attempts", "tried", "uncertain"], ACCOUNT)
    .where(_OF_MAILS)
    .order_by(delivery.c.message_id, delivery.c.id)
)
_SELECT_RECIPIENTS: Final = Statement(
    select(*recipient.c["delivery_id", "n", "address", "kind", "outcome", "code", "enhanced", "reply"])
    .where(is_in(recipient.c.message_id, "ids"))
    .order_by(recipient.c.delivery_id, recipient.c.n)
)
_COUNT_OPEN: Final = Statement(
    select(delivery.c.state, MAILS).where(IS_OPEN).group_by(delivery.c.state).order_by(delivery.c.state)
)
_COUNT_ALL: Final = Statement(select(func.count()).select_from(message))
_SELECT_ACCOUNTS: Final = Statement(
    select(ACCOUNT).distinct().where(_OF_MAILS, delivery.c.state == "queued").order_by(ACCOUNT)
)
_SELECT_NEXT: Final = Statement(
    select(delivery.c.message_id, func.min(delivery.c.due))
    .where(_OF_MAILS, delivery.c.state == "queued", TO_LANE)
    .group_by(delivery.c.message_id)
    .order_by(delivery.c.message_id)
)
_COUNT_HELD: Final = Statement(select(MAILS).where(_OF_MAILS, delivery.c.state == "held", TO_LANE))
_IS_KNOWN: Final = {
    "account": Statement(select(delivery.c.id).where(delivery.c.destination == bindparam("name")).limit(1)),
    "user": Statement(select(message.c.id).where(message.c.user == bindparam("name")).limit(1)),
}
_COUNT_MAILS: Final = Statement(select(MAILS).where(_OF_MAILS, IS_OPEN))
_MAIL: Final = delivery.join(message, message.c.id == delivery.c.message_id)
_CLOCKS: Final = 86_400_000
"""Milliseconds by which an id may differ from the time when its mail was received: the clock may be set in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailFilter:
    """Which mails are listed or changed; None: whatever it is. Times in milliseconds."""

    states: Sequence[State] = OPEN
    """A mail is in one of them; in an open one is each of which anything is in this state. What is changed is open."""
    account: str | None = None
    user: str | None = None
    since: int | None = None
    """Received then or later."""
    until: int | None = None
    """Received before."""
    recipient: str | None = None
    """A pattern with `*` and `?`, compared without regard to case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailRow:
    """One mail of a list."""

    id: str
    received_at: int
    user: str | None
    account: str
    sender: str
    header_message_id: str
    subject: str
    size: int
    notice: bool
    deliveries: tuple[MailDelivery, ...]


def list_mails(engine: Database, wanted: MailFilter, *, limit: int = 200, before: str = "") -> list[MailRow]:
    """List mails, the newest first. `before`: only what comes behind the mail of this id."""
    with transaction(engine, write=False) as tx:
        return _read(tx, [row[0] for row in tx.rows(find_mails(wanted, limit, before))])


def find_mails(wanted: MailFilter, limit: int, before: str = "") -> Statement[str]:
    """Make the statement that gives the ids of mails, the newest first, `before` this one."""
    newest = select(message.c.id).order_by(message.c.id.desc()).limit(limit)
    newest = newest.where(message.c.id < before) if before else newest
    return Statement(newest.where(*_conditions(wanted)), composed=True)


def read_mails(engine: Database, ids: Sequence[str]) -> list[MailRow]:
    """Read these mails, the newest first."""
    with transaction(engine, write=False) as tx:
        return _read(tx, list(ids))


def count_mails(engine: Database, *, finished: bool) -> dict[str, int]:
    """Count the mails of which anything is waiting, active or held; `finished`: all that are kept, as `all`, too."""
    with transaction(engine, write=False) as tx:
        counts = {str(OPEN_STATES[DeliveryState(state)]): count for state, count in tx.rows(_COUNT_OPEN)}
        if finished:
            counts["all"] = tx.rows(_COUNT_ALL)[0][0]
    return counts


def is_open_as(states: Iterable[State]) -> ColumnElement[bool]:
    """Make the condition that a delivery is in one of the open ones of these states."""
    return and_(is_in(delivery.c.state, [str(DELIVERY_STATES[state]) for state in states if state.is_open]), IS_OPEN)


def _conditions(wanted: MailFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on `message`, all of which must be true."""
    conditions: list[ColumnElement[bool]] = []
    if len({*wanted.states}) < len(State):  # each mail is in one of them
        states = [false(), *(_FINISHED[state] for state in wanted.states if not state.is_open)]
        if any(state.is_open for state in wanted.states):
            states.append(message.c.id.in_(select(delivery.c.message_id).where(is_open_as(wanted.states))))
        conditions.append(or_(*states))
    if wanted.user is not None:
        conditions.append(message.c.user == wanted.user)
    if wanted.account is not None:
        by_account = (delivery.c.message_id == message.c.id, delivery.c.destination == str(to_account(wanted.account)))
        conditions.append(exists().where(*by_account))
    if wanted.recipient is not None:
        conditions.append(exists().where(_OF_MAIL, is_like(recipient.c.address, wanted.recipient)))
    if wanted.since is not None:
        conditions += [message.c.id >= first_id(wanted.since - _CLOCKS), message.c.received_at >= wanted.since]
    if wanted.until is not None:
        conditions += [message.c.id < first_id(wanted.until + _CLOCKS), message.c.received_at < wanted.until]
    return conditions


def _read(tx: Transaction, ids: list[str]) -> list[MailRow]:
    ways = delivery_records(tx, ids)
    return [
        MailRow(**row, deliveries=tuple(MailDelivery(**way) for way in ways.get(row["id"], ())))
        for row in tx.records(_SELECT_MAILS, ids=ids)
    ]


def delivery_records(tx: Transaction, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Read the deliveries of some mails: for each mail the fields of its MailDeliveries."""
    people = grouped(tx.records(_SELECT_RECIPIENTS, ids=ids), "delivery_id")
    found = tx.records(_SELECT_DELIVERIES, ids=ids)
    for way in found:
        way["recipients"] = tuple(MailRecipient(**one) for one in people.get(way["id"], ()))
    return grouped(found, "message_id")


def grouped(rows: Sequence[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """Group records that are sorted by a column, which they lose."""
    return {
        value: [{name: row[name] for name in row if name != key} for row in group]
        for value, group in groupby(rows, key=itemgetter(key))
    }


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


def _open_conditions(wanted: MailFilter) -> list[ColumnElement[bool]]:
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
    conditions = [*_open_conditions(wanted), delivery.c.message_id > after, delivery.c.message_id <= upto]
    if among is not None:
        conditions.append(is_in(delivery.c.message_id, list(among)))
    found = select(delivery.c.message_id).distinct().select_from(_MAIL).where(*conditions)
    with transaction(engine, write=False) as tx:
        page = found.order_by(delivery.c.message_id).limit(limit)
        return [row[0] for row in tx.rows(Statement(page, composed=True))]


def count_messages(engine: Database, wanted: MailFilter) -> tuple[int, str]:
    """Count the mails of which a delivery is selected; return also the last one's id, empty where there is none."""
    found = select(MAILS, highest(delivery.c.message_id)).select_from(_MAIL).where(*_open_conditions(wanted))
    with transaction(engine, write=False) as tx:
        count, last = tx.rows(Statement(found, composed=True))[0]
    return count, last or ""
