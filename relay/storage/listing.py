"""The lists of mails: whole mails, the newest first, by the states that people know.

A list of what is open costs what is open, and the newest of a long history cost what is shown: mails are read by their
ids, which sort by time. Only a filter that few of them pass has to look at all of the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from relay.model.destination import to_account
from relay.model.ids import make_id
from relay.model.mail import DeliveryState
from relay.rules.states import State
from relay.storage.engine import Database, transaction
from relay.storage.rows import ACCOUNT
from relay.storage.selection import like
from relay.storage.statement import Parameter
from relay.storage.transaction import Transaction

OPEN: Final = (State.WAITING, State.ACTIVE, State.HELD)
"""What a list shows where nothing else is asked for."""
DELIVERY_STATES: Final = {
    State.WAITING: DeliveryState.QUEUED,
    State.ACTIVE: DeliveryState.ACTIVE,
    State.HELD: DeliveryState.HELD,
}

_REAL: Final = "SELECT 1 FROM recipient r WHERE r.message_id = m.id AND r.kind <> 'archive' AND r.outcome"
_LOST: Final = "m.id IN (SELECT r.message_id FROM recipient r WHERE r.outcome = 'bounced' AND r.kind <> 'archive')"
_FINISHED: Final = {
    State.DELIVERED: f"NOT EXISTS ({_REAL} <> 'delivered')",
    # One look at all recipients is less than one for each mail, and so few fail that it finds little.
    State.FAILED: f"({_LOST} AND NOT EXISTS ({_REAL} <> 'bounced'))",
    State.PARTLY: f"({_LOST} AND EXISTS ({_REAL} = 'delivered') AND NOT EXISTS ({_REAL} = 'pending'))",
}
_IS_OPEN: Final = "m.id IN (SELECT d.message_id FROM delivery d WHERE d.state {any} AND d.state <> 'done')"
_CONDITIONS: Final = {
    "user": 'm."user" = ?',
    "account": "EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id AND d.destination = ?)",
    "recipient": "EXISTS (SELECT 1 FROM recipient r WHERE r.message_id = m.id AND lower(r.address) LIKE ? ESCAPE '\\')",
    "first": "m.id >= ?",
    "end": "m.id < ?",
    "since": "m.received_at >= ?",
    "until": "m.received_at < ?",
}
_SELECT_MAILS: Final = (
    'SELECT m.id, m.received_at, m."user", m.account, m.reverse_path AS sender, m.header_message_id, m.subject,'
    " m.size, m.notice FROM message m WHERE m.id {any} ORDER BY m.id DESC"
)
_SELECT_DELIVERIES: Final = (
    f"SELECT d.id, d.message_id, d.state, {ACCOUNT} AS account, d.version, d.due, d.tried, d.uncertain FROM delivery d"  # noqa: S608 - constants
    " WHERE d.message_id {any} ORDER BY d.message_id, d.id"
)
_SELECT_RECIPIENTS: Final = (
    "SELECT delivery_id, address, kind, outcome, code, enhanced, reply FROM recipient WHERE message_id {any}"
    " ORDER BY delivery_id, n"
)
_COUNT_OPEN: Final = (
    "SELECT state, count(DISTINCT message_id) FROM delivery WHERE state <> 'done' GROUP BY state ORDER BY state"
)
_COUNT_ALL: Final = "SELECT count(*) FROM message"
_CLOCKS: Final = 86_400_000
"""Milliseconds by which an id may differ from the time when its mail was received: the clock may be set in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailFilter:
    """Which mails are listed; None: whatever it is. Times in milliseconds."""

    states: Sequence[State] = OPEN
    """Of open ones: mails of which anything is in this state."""
    account: str | None = None
    user: str | None = None
    since: int | None = None
    """Received then or later."""
    until: int | None = None
    """Received before."""
    recipient: str | None = None
    """A pattern with `*` and `?`, compared without regard to case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailRecipient:
    """One recipient, and what was said about him last."""

    address: str
    kind: str
    outcome: str
    code: int
    enhanced: str
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MailDelivery:
    """One delivery of a mail, with its recipients."""

    id: str
    state: str
    account: str
    version: int
    due: int
    tried: int
    uncertain: int
    recipients: tuple[MailRecipient, ...]


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


def list_mails(engine: Database, wanted: MailFilter, *, limit: int = 200) -> list[MailRow]:
    """List mails, the newest first."""
    condition, values = _where(wanted)
    with transaction(engine, write=False) as tx:
        found = tx.rows(f"SELECT m.id FROM message m WHERE {condition} ORDER BY m.id DESC LIMIT ?", *values, limit)  # noqa: S608 - constants
        return _read(tx, [row[0] for row in found])


def read_mails(engine: Database, ids: Sequence[str]) -> list[MailRow]:
    """Read these mails, the newest first."""
    with transaction(engine, write=False) as tx:
        return _read(tx, list(ids))


def count_mails(engine: Database, *, finished: bool) -> dict[str, int]:
    """Count the mails of which anything is waiting, active or held; `finished`: all that are kept, as `all`, too."""
    names = {str(delivery): str(state) for state, delivery in DELIVERY_STATES.items()}
    with transaction(engine, write=False) as tx:
        counts = {names[state]: count for state, count in tx.rows(_COUNT_OPEN)}
        if finished:
            counts["all"] = tx.rows(_COUNT_ALL)[0][0]
    return counts


def _where(wanted: MailFilter) -> tuple[str, list[Parameter]]:
    """Give the condition on `message m`, with its parameters."""
    conditions: list[str] = []
    values: list[Parameter] = []
    if len({*wanted.states}) < len(State):  # each mail is in one of them
        states = [_FINISHED[state] for state in wanted.states if not state.is_open]
        still_open: list[str] = [str(DELIVERY_STATES[state]) for state in wanted.states if state.is_open]
        if still_open:
            states.append(_IS_OPEN)
            values.append(still_open)
        conditions.append(f"({' OR '.join(states)})")
    facts: dict[str, Parameter] = {
        "user": wanted.user,
        "account": None if wanted.account is None else str(to_account(wanted.account)),
        "recipient": None if wanted.recipient is None else like(wanted.recipient),
        "first": None if wanted.since is None else _id_at(wanted.since - _CLOCKS),
        "since": wanted.since,
        "end": None if wanted.until is None else _id_at(wanted.until + _CLOCKS),
        "until": wanted.until,
    }
    for name, value in facts.items():
        if value is not None:
            conditions.append(_CONDITIONS[name])
            values.append(value)
    return " AND ".join(conditions) or "TRUE", values


def _id_at(milliseconds: int) -> str:
    return make_id(max(0, milliseconds), bytes(10))


def _read(tx: Transaction, ids: list[str]) -> list[MailRow]:
    people = _grouped(tx.records(_SELECT_RECIPIENTS, ids), "delivery_id")
    ways = _grouped(tx.records(_SELECT_DELIVERIES, ids), "message_id")
    rows = []
    for row in tx.records(_SELECT_MAILS, ids):
        deliveries = [
            MailDelivery(**way, recipients=tuple(MailRecipient(**one) for one in people.get(way["id"], ())))
            for way in ways.get(row["id"], ())
        ]
        rows.append(MailRow(**{**row, "notice": bool(row["notice"])}, deliveries=tuple(deliveries)))
    return rows


def _grouped(rows: Sequence[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """Group records that are sorted by a column, which they lose."""
    return {
        value: [{name: row[name] for name in row if name != key} for row in group]
        for value, group in groupby(rows, key=itemgetter(key))
    }
