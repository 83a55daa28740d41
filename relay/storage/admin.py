"""What the commands read: short transactions of their own, beside a running service or alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from relay.model.destination import to_account
from relay.model.errors import NotFoundError, StateConflictError
from relay.model.ids import is_id
from relay.model.mail import DeliveryState, Pause
from relay.model.reply import Reply
from relay.storage import counting, pausing
from relay.storage.engine import Database, transaction
from relay.storage.rows import ACCOUNT
from relay.storage.selection import Selection as Selection  # noqa: PLC0414 - what is listed here is chosen by it
from relay.storage.statement import Parameter
from relay.storage.transaction import Transaction

SHORTEST_PREFIX: Final = 6
"""Characters of a queue id that a person must type at least."""
_MOST_MATCHES: Final = 100
_FOR_EVER: Final = 1 << 62

_SELECT_MESSAGE: Final = (
    'SELECT id, received_at, "user", account, rule, reverse_path, header_message_id, subject, size, client, why,'
    " notice, about FROM message WHERE id = ?"
)
_SELECT_DELIVERIES: Final = (
    f'SELECT d.id, d.message_id, d.state, {ACCOUNT} AS account, m."user", m.reverse_path AS sender, m.subject,'  # noqa: S608 - constants
    " m.size, m.received_at, d.version, d.due, d.attempts, d.uncertain"
    " FROM delivery d JOIN message m ON m.id = d.message_id "
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
_SELECT_PAUSES: Final = (
    "SELECT account, since, until, reason FROM pause"
    # Behind a slash stand all accounts: of every node, or of one whose clock jumped.
    " WHERE (account {any} OR (account >= '/' AND account < '0')) AND since <= ?"
    " AND (until IS NULL OR until > ?) ORDER BY since, account"
)
_SELECT_ACCOUNTS: Final = (
    f"SELECT DISTINCT {ACCOUNT} AS account FROM delivery d WHERE d.message_id {{any}} AND d.state = 'queued'"  # noqa: S608 - constants
    " ORDER BY account"
)
_SELECT_NEXT: Final = (
    "SELECT message_id, min(due) FROM delivery WHERE message_id {any} AND state = 'queued' AND destination = ?"
    " GROUP BY message_id ORDER BY message_id"
)
_COUNT_HELD: Final = (
    "SELECT count(DISTINCT message_id) FROM delivery WHERE message_id {any} AND state = 'held' AND destination = ?"
)
_SELECT_NOTICES: Final = "SELECT id FROM message WHERE about = ? AND about <> '' ORDER BY id"
_BY_HEADER_ID: Final = "SELECT id FROM message WHERE header_message_id = ? ORDER BY id LIMIT ?"
_BY_PREFIX: Final = "SELECT id FROM message WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_BY_DELIVERY: Final = "SELECT DISTINCT message_id FROM delivery WHERE id >= ? AND id < ? ORDER BY message_id LIMIT ?"
_SELECT_IDS: Final = "SELECT DISTINCT d.message_id FROM delivery d JOIN message m ON m.id = d.message_id "
_IS_KNOWN: Final = {
    "account": "SELECT 1 FROM delivery WHERE destination = ? LIMIT 1",
    "user": 'SELECT 1 FROM message WHERE "user" = ? LIMIT 1',
}
_COUNT_MAILS: Final = "SELECT count(DISTINCT message_id) FROM delivery WHERE message_id {any} AND state <> 'done'"
_COUNT: Final = (
    f"SELECT {ACCOUNT} AS account, d.state, count(DISTINCT d.message_id) FROM delivery d"  # noqa: S608 - constants
    " WHERE d.state <> 'done' GROUP BY 1, 2"
)


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
class PauseRow:
    """A time in which nothing of an account was sent (`/`: of none); it lasts where `until` is None."""

    account: str
    since: int
    until: int | None
    reason: str


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
    pauses: tuple[PauseRow, ...]
    """Of its accounts, as long as anything of it waited."""
    notices: tuple[str, ...]
    """The queue ids of the notices about it."""


def list_deliveries(engine: Database, selection: Selection, *, limit: int = 200) -> list[DeliveryRow]:
    """List deliveries, the oldest first."""
    where, wanted = selection.where()
    with transaction(engine, write=False) as tx:
        return _deliveries(tx, f"WHERE {where} ORDER BY d.id LIMIT ?", *wanted, limit)


def select_messages(engine: Database, selection: Selection) -> list[str]:
    """Give the ids of the mails of which a delivery is selected, the oldest first."""
    where, wanted = selection.where()
    with transaction(engine, write=False) as tx:
        rows = tx.rows(f"{_SELECT_IDS}WHERE {where} ORDER BY d.message_id", *wanted)
    return [row[0] for row in rows]


def find_messages(engine: Database, text: str) -> list[str]:
    """Find mails by queue id or delivery id, the beginning of one, or Message-ID, with or without its brackets.

    Raises NotFoundError, and StateConflictError if a beginning fits several.
    """
    wanted = text.strip()
    if not wanted:
        raise NotFoundError("an empty text is no id")
    bare = wanted.removeprefix("<").removesuffix(">")
    with transaction(engine, write=False) as tx:
        found = [row[0] for row in tx.rows(_BY_HEADER_ID, f"<{bare}>", _MOST_MATCHES)] if bare.isprintable() else []
        prefix = wanted.lower()
        if is_id(prefix.partition(".")[0]):  # the file of a notice in an inbox is named by its delivery
            prefix = prefix.partition(".")[0]
        if not found and prefix.isascii() and prefix.isalnum():
            if len(prefix) < SHORTEST_PREFIX:
                raise NotFoundError(
                    f"{text!r} is too short: give at least {SHORTEST_PREFIX} characters of the id, or all of it"
                )
            for query in (_BY_PREFIX, _BY_DELIVERY):
                found = found or [row[0] for row in tx.rows(query, prefix, f"{prefix}~", 2)]
            if len(found) > 1 and not is_id(prefix):
                raise StateConflictError(f"{text!r} is the beginning of several ids: give more of it")
    if not found:
        raise NotFoundError(
            f"no mail in the queue has the id {text!r}: `relay queue list --all` shows those that there are;"
            " one that was refused, or left at the provider, stands only in the log"
        )
    return found


def show_message(engine: Database, message_id: str) -> MessageDetail:
    """Show a mail whole. Raises NotFoundError."""
    with transaction(engine, write=False) as tx:
        found = tx.records(_SELECT_MESSAGE, message_id)
        if not found:
            raise NotFoundError(f"there is no mail {message_id!r}")
        deliveries = _deliveries(tx, "WHERE d.message_id = ? ORDER BY d.id", message_id)
        events = [EventRow(**row) for row in tx.records(_SELECT_EVENTS, message_id)]
        pauses = _pauses(tx, found[0], deliveries, events)
        notices = [row[0] for row in tx.rows(_SELECT_NOTICES, message_id)]
    return MessageDetail(
        **{**found[0], "notice": bool(found[0]["notice"])},
        deliveries=tuple(deliveries),
        events=tuple(events),
        pauses=tuple(pauses),
        notices=tuple(notices),
    )


def _pauses(
    tx: Transaction, message: dict[str, Any], deliveries: Sequence[DeliveryRow], events: Sequence[EventRow]
) -> list[PauseRow]:
    """Give the pauses that a mail has seen, from its acceptance to its end."""
    accounts = {message["account"], *(delivery.account for delivery in deliveries)} - {""}
    happened = [one.at for one in events] + [one.at for delivery in deliveries for one in delivery.tries]
    waits = any(delivery.state != DeliveryState.DONE for delivery in deliveries)
    end = _FOR_EVER if waits else max(happened, default=message["received_at"])
    found = tx.records(_SELECT_PAUSES, sorted(accounts), end, message["received_at"])
    return [PauseRow(**row) for row in found]


def _deliveries(tx: Transaction, where: str, *parameters: Parameter) -> list[DeliveryRow]:
    rows = tx.records(_SELECT_DELIVERIES + where, *parameters)
    if not rows:
        return []
    people = _grouped(tx.records(_SELECT_RECIPIENTS, list({row["message_id"] for row in rows})), RecipientRow)
    tries = _grouped(tx.records(_SELECT_ATTEMPTS, [row["id"] for row in rows]), AttemptRow)
    return [
        DeliveryRow(
            **row,
            last_reply=_last_reply(tries.get(row["id"], ())),
            recipients=people.get(row["id"], ()),
            tries=tries.get(row["id"], ()),
        )
        for row in rows
    ]


def _grouped(rows: Sequence[dict[str, Any]], kind: type) -> dict[str, tuple[Any, ...]]:
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {
        delivery_id: tuple(kind(**{name: row[name] for name in names}) for row in group)
        for delivery_id, group in groupby(rows, key=itemgetter("delivery_id"))
    }


def _last_reply(tries: Sequence[AttemptRow]) -> str:
    if not tries:
        return ""
    last = tries[-1]
    return str(Reply(code=last.code, enhanced=last.enhanced, text=last.reply))


def count_open(engine: Database) -> dict[str, dict[str, int]]:
    """Count the mails of which anything is open, for each account and state of a delivery."""
    counts: dict[str, dict[str, int]] = {}
    with transaction(engine, write=False) as tx:
        for account, state, count in tx.rows(_COUNT):
            counts.setdefault(account, {})[state] = count
    return counts


def count_waiting(engine: Database, ids: Sequence[str]) -> int:
    """Count those of these mails of which anything waits, held ones too."""
    with transaction(engine, write=False) as tx:
        return int(tx.rows(_COUNT_MAILS, list(ids))[0][0])


def next_attempts(engine: Database, ids: Sequence[str], account: str, *, now: int) -> list[tuple[str, int]]:
    """Give those of these mails that an account does not try before a later moment, with that moment."""
    with transaction(engine, write=False) as tx:
        return [(row[0], row[1]) for row in tx.rows(_SELECT_NEXT, list(ids), str(to_account(account))) if row[1] > now]


def count_held(engine: Database, ids: Sequence[str], account: str) -> int:
    """Give how many of these mails an account holds until a person releases them."""
    with transaction(engine, write=False) as tx:
        return int(tx.rows(_COUNT_HELD, list(ids), str(to_account(account)))[0][0])


def accounts_of(engine: Database, ids: Sequence[str]) -> list[str]:
    """Give the accounts by which these mails wait to leave."""
    with transaction(engine, write=False) as tx:
        return [row[0] for row in tx.rows(_SELECT_ACCOUNTS, list(ids))]


def count_of_day(engine: Database, day: str) -> dict[str, int]:
    """Give how many recipients each account has had on a day (`2026-05-28`)."""
    with transaction(engine, write=False) as tx:
        return counting.count_of_day(tx, day)


def is_known(engine: Database, what: str, name: str) -> bool:
    """Tell whether a mail is of this `account` or `user`, though the configuration may no longer have it."""
    with transaction(engine, write=False) as tx:
        return bool(tx.rows(_IS_KNOWN[what], str(to_account(name)) if what == "account" else name))


def list_pauses(engine: Database) -> list[Pause]:
    """Give the pauses that last."""
    with transaction(engine, write=False) as tx:
        return pausing.lasting_pauses(tx)


def pause_account(engine: Database, account: str, *, now: int) -> None:
    """Pause an account until a person resumes it."""
    with transaction(engine, write=True) as tx:
        pausing.pause(tx, [Pause(account=account, since=now, until=None, reason="by command", by_person=True)])


def resume_account(engine: Database, account: str, *, now: int) -> bool:
    """End the pause of an account, whoever began it; tells whether there was one."""
    with transaction(engine, write=True) as tx:
        return pausing.resume_by_person(tx, account, now)
