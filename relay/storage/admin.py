"""What the commands read and change: short transactions of their own, beside a running service or alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Engine

from relay.model.errors import NotFoundError, StateConflictError
from relay.model.ids import is_id
from relay.model.mail import AT_ONCE, DeliveryState, Pause
from relay.model.reply import Reply
from relay.storage import pausing, settling
from relay.storage.engine import AnyRow, Parameter, Transaction, transaction

SHORTEST_PREFIX: Final = 6
"""Characters of a queue id that a person must type at least."""
_MOST_MATCHES: Final = 100

_SELECT_MESSAGE: Final = (
    'SELECT id, received_at, "user", account, rule, reverse_path, header_message_id, subject, size, client, why,'
    " notice, about FROM message WHERE id = ?"
)
_SELECT_DELIVERIES: Final = (
    'SELECT d.id, d.message_id, d.state, d.account, m."user", m.reverse_path AS sender, m.subject, m.size,'
    " m.received_at, d.version, d.due, d.attempts, d.uncertain FROM delivery d JOIN message m ON m.id = d.message_id "
)
_SELECT_RECIPIENTS: Final = (
    "SELECT delivery_id, n, address, kind, outcome, code, enhanced, reply FROM recipient"
    " WHERE message_id {any} ORDER BY delivery_id, n"
)
_SELECT_ATTEMPTS: Final = (
    "SELECT delivery_id, n, at, seconds, code, enhanced, reply FROM attempt WHERE delivery_id {any}"
    " ORDER BY delivery_id, n"
)
_SELECT_EVENTS: Final = "SELECT at, what, detail FROM event WHERE message_id = ? ORDER BY at, what"
_SELECT_NOTICES: Final = "SELECT id FROM message WHERE about = ? AND about <> '' ORDER BY id"
_SELECT_STATES: Final = "SELECT d.message_id, d.state FROM delivery d WHERE d.message_id {any} {lock}"
_BY_HEADER_ID: Final = "SELECT id FROM message WHERE header_message_id = ? ORDER BY id LIMIT ?"
_BY_PREFIX: Final = "SELECT id FROM message WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_HOLD: Final = "UPDATE delivery SET state = 'held' WHERE message_id {any} AND state = 'queued'"
_RELEASE: Final = (
    "UPDATE delivery SET state = 'queued', due = ?, since = ?, uncertain = 0, attempts = 0"
    " WHERE message_id {any} AND state = 'held'"
)
_RETRY: Final = "UPDATE delivery SET due = ? WHERE message_id {any} AND state = 'queued'"
_RUN: Final = "UPDATE delivery SET due = ? WHERE state = 'queued' AND state <> 'done'"
_COUNT: Final = "SELECT account, state, count(*) FROM delivery WHERE state <> 'done' GROUP BY account, state"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipientRow:
    """One recipient, and what became of him."""

    n: int
    address: str
    kind: str
    outcome: str
    code: int
    enhanced: str
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One attempt; `at` in milliseconds, its duration in seconds."""

    n: int
    at: int
    seconds: float
    code: int
    enhanced: str
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """Something that happened to a mail beside its attempts."""

    at: int
    what: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRow:
    """One delivery, with what people want to know of its message."""

    message_id: str
    id: str
    state: str
    account: str
    user: str | None
    sender: str
    subject: str
    size: int
    received_at: int
    version: int
    due: int
    attempts: int
    uncertain: int
    last_reply: str
    recipients: tuple[RecipientRow, ...]
    tries: tuple[AttemptRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageDetail:
    """A message with its deliveries."""

    id: str
    received_at: int
    user: str | None
    account: str
    rule: str
    reverse_path: str
    header_message_id: str
    subject: str
    size: int
    client: str
    why: str
    notice: bool
    about: str
    """Of a notice: the mail that it tells about."""
    deliveries: tuple[DeliveryRow, ...]
    events: tuple[EventRow, ...]
    notices: tuple[str, ...]
    """The queue ids of the notices about it."""


def list_deliveries(
    engine: Engine, *, states: Sequence[str], account: str | None = None, user: str | None = None, limit: int = 200
) -> list[DeliveryRow]:
    """List deliveries in these states, the oldest first."""
    where, parameters = "d.state {any}", [list(states)]
    wanted: list[Parameter] = [*parameters]
    if DeliveryState.DONE not in states:
        where += " AND d.state <> 'done'"  # lets SQLite use the index of what is open
    if account is not None:
        where += " AND d.account = ?"
        wanted.append(account)
    if user is not None:
        where += ' AND m."user" = ?'
        wanted.append(user)
    with transaction(engine, write=False) as tx:
        return _deliveries(tx, f"WHERE {where} ORDER BY d.id LIMIT ?", *wanted, limit)


def find_messages(engine: Engine, text: str) -> list[str]:
    """Find mails by queue id, the beginning of one, or Message-ID. Raises NotFoundError, StateConflictError if a
    beginning fits several."""  # noqa: D205, D209
    wanted = text.strip()
    with transaction(engine, write=False) as tx:
        if "@" in wanted or wanted.startswith("<"):
            bare = wanted.removeprefix("<").removesuffix(">")
            found = [row[0] for row in tx.rows(_BY_HEADER_ID, f"<{bare}>", _MOST_MATCHES)]
        else:
            prefix = wanted.lower()
            if len(prefix) < SHORTEST_PREFIX or not prefix.isascii() or not prefix.isalnum():
                raise NotFoundError(f"{text!r} is no queue id, no beginning of one, and no Message-ID")
            found = [row[0] for row in tx.rows(_BY_PREFIX, prefix, f"{prefix}~", 2)]
            if len(found) > 1 and not is_id(prefix):
                raise StateConflictError(f"{text!r} is the beginning of several queue ids: give more of it")
    if not found:
        raise NotFoundError(f"there is no mail {text!r}")
    return found


def show_message(engine: Engine, message_id: str) -> MessageDetail:
    """Show a mail whole. Raises NotFoundError."""
    with transaction(engine, write=False) as tx:
        rows = tx.rows(_SELECT_MESSAGE, message_id)
        if not rows:
            raise NotFoundError(f"there is no mail {message_id!r}")
        deliveries = _deliveries(tx, "WHERE d.message_id = ? ORDER BY d.id", message_id)
        events = [EventRow(at=row.at, what=row.what, detail=row.detail) for row in tx.rows(_SELECT_EVENTS, message_id)]
        notices = [row[0] for row in tx.rows(_SELECT_NOTICES, message_id)]
    fields: dict[str, Any] = {**rows[0]._mapping}  # noqa: SLF001 - SQLAlchemy's public name for it
    return MessageDetail(
        **{**fields, "notice": bool(fields["notice"])},
        deliveries=tuple(deliveries),
        events=tuple(events),
        notices=tuple(notices),
    )


def _deliveries(tx: Transaction, where: str, *parameters: Parameter) -> list[DeliveryRow]:
    rows = tx.rows(_SELECT_DELIVERIES + where, *parameters)
    if not rows:
        return []
    people = _grouped(tx.rows(_SELECT_RECIPIENTS, list({row.message_id for row in rows})), RecipientRow)
    tries = _grouped(tx.rows(_SELECT_ATTEMPTS, [row.id for row in rows]), AttemptRow)
    return [
        DeliveryRow(
            **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
            last_reply=_last_reply(tries.get(row.id, ())),
            recipients=people.get(row.id, ()),
            tries=tries.get(row.id, ()),
        )
        for row in rows
    ]


def _grouped(rows: Sequence[AnyRow], kind: type) -> dict[str, tuple[Any, ...]]:
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {
        delivery_id: tuple(kind(**{name: getattr(row, name) for name in names}) for row in group)
        for delivery_id, group in groupby(rows, key=attrgetter("delivery_id"))
    }


def _last_reply(tries: Sequence[AttemptRow]) -> str:
    if not tries:
        return ""
    last = tries[-1]
    return str(Reply(code=last.code, enhanced=last.enhanced, text=last.reply))


def count_open(engine: Engine) -> dict[str, dict[str, int]]:
    """Count what waits, for each account and state."""
    counts: dict[str, dict[str, int]] = {}
    with transaction(engine, write=False) as tx:
        for account, state, count in tx.rows(_COUNT):
            counts.setdefault(account, {})[state] = count
    return counts


def hold(engine: Engine, ids: Sequence[str]) -> int:
    """Hold what is queued of these mails; gives the number of deliveries. Raises StateConflictError if none can be."""
    with transaction(engine, write=True) as tx:
        count = tx.change(_HOLD, list(ids))
        if not count:
            _check_not_active(tx, ids, "held")
        return count


def release(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew."""
    with transaction(engine, write=True) as tx:
        return tx.change(_RELEASE, AT_ONCE, now, list(ids))


def retry(engine: Engine, ids: Sequence[str]) -> int:
    """Make what is queued of these mails due at once."""
    with transaction(engine, write=True) as tx:
        return tx.change(_RETRY, AT_ONCE, list(ids))


def run_queue(engine: Engine) -> int:
    """Make everything that is queued due at once."""
    with transaction(engine, write=True) as tx:
        return tx.change(_RUN, AT_ONCE)


def delete(engine: Engine, ids: Sequence[str]) -> int:
    """Delete mails for good; gives how many. Raises StateConflictError where one is being delivered: none is then."""
    with transaction(engine, write=True) as tx:
        _check_not_active(tx, ids, "deleted")
        return settling.delete_messages(tx, list(ids))


def _check_not_active(tx: Transaction, ids: Sequence[str], what: str) -> None:
    active = sorted({row[0] for row in tx.rows(_SELECT_STATES, list(ids)) if row[1] == DeliveryState.ACTIVE})
    if active:
        raise StateConflictError(f"{', '.join(active)}: is being delivered now and can't be {what}")


def list_pauses(engine: Engine) -> list[Pause]:
    """Give the pauses that last."""
    with transaction(engine, write=False) as tx:
        return pausing.lasting_pauses(tx)


def pause_account(engine: Engine, account: str, *, now: int) -> None:
    """Pause an account until a person resumes it."""
    with transaction(engine, write=True) as tx:
        pausing.pause(tx, [Pause(account=account, since=now, until=None, reason="by command", by_person=True)])


def resume_account(engine: Engine, account: str, *, now: int) -> bool:
    """End the pause of an account, whoever began it; tells whether there was one."""
    with transaction(engine, write=True) as tx:
        return pausing.resume_by_person(tx, account, now)
