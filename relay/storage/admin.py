"""What the commands read: short transactions of their own, beside a running service or alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Text, bindparam, case, func, select

from relay.model.destination import Destination
from relay.model.errors import NotFoundError, StateConflictError
from relay.model.ids import first_id, is_id
from relay.model.mail import DeliveryState, Pause
from relay.model.reply import Reply
from relay.rules.states import MailDelivery
from relay.storage import pausing, quota
from relay.storage.engine import Database, transaction
from relay.storage.listing import MAIL, MailRow, delivery_records, grouped
from relay.storage.rows import TO_LANE, is_recent
from relay.storage.statement import LIMIT, Statement, is_in
from relay.storage.tables import attempt, delivery, event, message
from relay.storage.transaction import Transaction

SHORTEST_PREFIX: Final = 6
"""Characters of a queue id that a person must type at least."""
_MOST_MATCHES: Final = 100
_FOR_EVER: Final = 1 << 62

_MESSAGE: Final = bindparam("message", type_=Text())
_SELECT_MESSAGE: Final = Statement(
    select(*MAIL, *message.c["rule", "client", "why", "about"]).where(message.c.id == _MESSAGE)
)
_SELECT_ATTEMPTS: Final = Statement(
    select(*attempt.c["delivery_id", "n", "at", "seconds", "code", "enhanced", "reply"])
    .where(is_in(attempt.c.delivery_id, "ids"))
    .order_by(attempt.c.delivery_id, attempt.c.n)
)
_SELECT_EVENTS: Final = Statement(
    select(*event.c["at", "what", "detail"]).where(event.c.message_id == _MESSAGE).order_by(event.c.at, event.c.what)
)
_SELECT_NOTICES: Final = Statement(
    select(message.c.id).where(message.c.about == _MESSAGE, message.c.about != "").order_by(message.c.id)
)
_BY_HEADER_ID: Final = Statement(
    select(message.c.id).where(message.c.header_message_id == bindparam("wanted")).order_by(message.c.id).limit(LIMIT)
)
_BY_PREFIX: Final = Statement(
    select(message.c.id)
    .where(message.c.id >= bindparam("first"), message.c.id < bindparam("end"))
    .order_by(message.c.id)
    .limit(LIMIT)
)
_BY_DELIVERY: Final = Statement(
    select(delivery.c.message_id)
    .distinct()
    .where(delivery.c.id >= bindparam("first"), delivery.c.id < bindparam("end"))
    .order_by(delivery.c.message_id)
    .limit(LIMIT)
)
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
class DeliveryRow(MailDelivery):
    """One delivery with its attempts."""

    tries: tuple[AttemptRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageDetail(MailRow):
    """A message with its deliveries."""

    rule: str
    client: str
    why: str
    about: str
    """Of a notice: the mail that it tells about."""
    deliveries: tuple[DeliveryRow, ...]
    events: tuple[EventRow, ...]
    pauses: tuple[Pause, ...]
    """Of its accounts, as long as anything of it waited."""
    notices: tuple[str, ...]
    """The queue ids of the notices about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountNews:
    """What is known of one account's attempts. Times: milliseconds since 1970."""

    last_sent: int | None = None
    """When its provider last took a mail; None: not within `LOOKED_BACK`."""
    last_error: Reply | None = None
    """The last answer, where the last attempt failed; without a code where there was none."""
    failed_at: int | None = None
    failing_since: int | None = None
    """When the first of the attempts was that failed since `last_sent`."""


def find_messages(engine: Database, text: str) -> list[str]:
    """Find mails by queue id or delivery id, the beginning of one, or Message-ID, with or without its brackets.

    Raises NotFoundError, and StateConflictError if a beginning fits several.
    """
    wanted = text.strip()
    if not wanted:
        raise NotFoundError("an empty text is no id")
    bare = wanted.removeprefix("<").removesuffix(">")
    with transaction(engine, write=False) as tx:
        named = tx.rows(_BY_HEADER_ID, wanted=f"<{bare}>", limit=_MOST_MATCHES) if bare.isprintable() else []
        found = [row[0] for row in named]
        prefix = wanted.lower()
        if is_id(prefix.partition(".")[0]):  # the file of a notice in an inbox is named by its delivery
            prefix = prefix.partition(".")[0]
        if not found and prefix.isascii() and prefix.isalnum():
            if len(prefix) < SHORTEST_PREFIX:
                raise NotFoundError(
                    f"{text!r} is too short: give at least {SHORTEST_PREFIX} characters of the id, or all of it"
                )
            for query in (_BY_PREFIX, _BY_DELIVERY):
                found = found or [row[0] for row in tx.rows(query, first=prefix, end=f"{prefix}~", limit=2)]
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
        found = tx.records(_SELECT_MESSAGE, message=message_id)
        if not found:
            raise NotFoundError(f"there is no mail {message_id!r}")
        deliveries = _deliveries(tx, message_id)
        events = [EventRow(**row) for row in tx.records(_SELECT_EVENTS, message=message_id)]
        pauses = _pauses(tx, found[0], deliveries, events)
        notices = [row[0] for row in tx.rows(_SELECT_NOTICES, message=message_id)]
    return MessageDetail(
        **found[0],
        deliveries=tuple(deliveries),
        events=tuple(events),
        pauses=tuple(pauses),
        notices=tuple(notices),
    )


def _pauses(
    tx: Transaction, message: dict[str, Any], deliveries: Sequence[DeliveryRow], events: Sequence[EventRow]
) -> list[Pause]:
    """Return the pauses that a mail has seen, from its acceptance to its end."""
    accounts = {message["account"], *(delivery.account for delivery in deliveries)} - {""}
    happened = [one.at for one in events] + [one.at for delivery in deliveries for one in delivery.tries]
    waits = any(delivery.state != DeliveryState.DONE for delivery in deliveries)
    end = _FOR_EVER if waits else max(happened, default=message["received_at"])
    return pausing.pauses_of(tx, sorted(accounts), begin=message["received_at"], end=end)


def _deliveries(tx: Transaction, message_id: str) -> list[DeliveryRow]:
    ways = delivery_records(tx, [message_id]).get(message_id, [])
    tries = grouped(tx.records(_SELECT_ATTEMPTS, ids=[way["id"] for way in ways]), "delivery_id")
    return [DeliveryRow(**way, tries=tuple(AttemptRow(**one) for one in tries.get(way["id"], ()))) for way in ways]


def count_of_day(engine: Database, day: str) -> dict[str, int]:
    """Return how many recipients each account has had on a day (`2026-05-28`)."""
    with transaction(engine, write=False) as tx:
        return quota.count_of_day(tx, day)


def list_pauses(engine: Database) -> list[Pause]:
    """Return the pauses that last."""
    with transaction(engine, write=False) as tx:
        return pausing.lasting_pauses(tx)


def pause_account(engine: Database, account: str, *, now: int) -> None:
    """Pause an account until a person resumes it."""
    with transaction(engine, write=True) as tx:
        pausing.pause(tx, Pause(account=account, since=now, until=None, reason="by command", by_person=True))


def resume_account(engine: Database, account: str, *, now: int) -> bool:
    """End the pause of an account, whoever began it; return whether there was one."""
    with transaction(engine, write=True) as tx:
        return pausing.resume_by_person(tx, account, now=now)


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
