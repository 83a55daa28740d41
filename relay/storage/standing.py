"""What the database says of how things stand: what waits for whom, since when, and what keeps it waiting.

One short reading transaction, beside a running service or alone. Times are milliseconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, or_, select

from relay.model.account import RetryPolicy
from relay.model.destination import to_account
from relay.model.ids import first_id
from relay.model.mail import Pause
from relay.model.maildrop import Mailbox
from relay.model.reply import Reply
from relay.rules.answers.about import DEFERRED_CONFIGURATION, About, Stage
from relay.rules.answers.reading import find_row
from relay.rules.hours import OpeningHours, day_of
from relay.rules.retry import counted_since, counted_time
from relay.rules.states import DELETED
from relay.storage import pausing, quota
from relay.storage.mailboxes import read_mailboxes
from relay.storage.rows import ACCOUNT, IN_LANE, IS_OPEN, IS_QUEUED, MAILS, TO_LANE, is_recent
from relay.storage.statement import Statement, highest, lowest
from relay.storage.tables import attempt, delivery, message, recipient
from relay.storage.transaction import Transaction

WEEK: Final = 7 * 86_400_000
_LONGEST_WAIT: Final = 30 * 86_400_000
"""Milliseconds: how old a mail may be whose attempts are looked at."""
SILENT_AFTER: Final = 3_600_000
"""Milliseconds, open and unpaused, after which a provider is named that gives no answer, or lacks a setting."""
_OPEN: Final = Statement(
    select(
        ACCOUNT,
        delivery.c.state,
        MAILS,
        func.min(delivery.c.since),
        func.count(case((delivery.c.uncertain > 0, delivery.c.message_id)).distinct()),
    )
    .where(IS_OPEN)
    .group_by(ACCOUNT, delivery.c.state)
)
_OVERDUE: Final = Statement(
    select(MAILS, lowest(delivery.c.since))
    .join_from(delivery, message, message.c.id == delivery.c.message_id)
    .where(IN_LANE, delivery.c.since <= bindparam("before"), ~message.c.notice)
)
_WITH_ATTEMPTS: Final = delivery.join(attempt, attempt.c.delivery_id == delivery.c.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lasting:
    """A trouble of an account, as its attempts say: which are in vain, and which show that it is over."""

    all_first: Statement[str, int]
    """For each account, when what waits was tried in vain first."""
    over: Statement[int | None]
    first: Statement[int | None]
    last: Statement[int, str, str]


def _lasting(in_vain: ColumnElement[bool], over: ColumnElement[bool]) -> _Lasting:
    waits = and_(IS_QUEUED, in_vain)
    since = (waits, TO_LANE, attempt.c.at > bindparam("behind"))
    return _Lasting(
        all_first=Statement(
            select(ACCOUNT, func.min(attempt.c.at)).select_from(_WITH_ATTEMPTS).where(waits).group_by(ACCOUNT)
        ),
        over=Statement(
            select(highest(attempt.c.at))
            .select_from(_WITH_ATTEMPTS)
            .where(is_recent(attempt.c.delivery_id), attempt.c.at >= bindparam("first"), over, TO_LANE)
        ),
        first=Statement(select(lowest(attempt.c.at)).select_from(_WITH_ATTEMPTS).where(*since)),
        last=Statement(
            select(attempt.c.code, attempt.c.enhanced, attempt.c.reply)
            .select_from(_WITH_ATTEMPTS)
            .where(*since)
            .order_by(attempt.c.at.desc())
            .limit(1)
        ),
    )


_SILENCE: Final = _lasting(attempt.c.code == 0, attempt.c.code != 0)
_SETTING: Final = _lasting(
    or_(*(attempt.c.code == code for code in sorted(DEFERRED_CONFIGURATION))), attempt.c.code.between(200, 299)
)
"""The provider asks to come again, though something must be switched on there first."""
# What was deleted by a person has not bounced, though it never arrives.
_IS_RECENT: Final = and_(is_recent(recipient.c.message_id), ~and_(recipient.c.code == 0, recipient.c.reply == DELETED))
_FAILED: Final = case((recipient.c.outcome == "bounced", recipient.c.message_id))
_other: Final = recipient.alias("other")
# What all recipients were refused alike is about the mail or its sender, and says nothing of the archive.
_OTHER_FATE: Final = exists().where(
    _other.c.message_id == recipient.c.message_id,
    _other.c.kind != "archive",
    or_(
        _other.c.outcome != "bounced",
        *(_other.c[name] != recipient.c[name] for name in ("code", "enhanced", "reply")),
    ),
)
_ARCHIVE: Final = Statement(
    select(
        recipient.c.address,
        highest(_FAILED),
        highest(case((recipient.c.outcome == "delivered", recipient.c.message_id))),
        func.count(_FAILED.distinct()),
    )
    .where(
        _IS_RECENT,
        recipient.c.kind == "archive",
        recipient.c.outcome != "pending",
        or_(recipient.c.outcome == "delivered", _OTHER_FATE),
    )
    .group_by(recipient.c.address)
)
_BOUNCED: Final = Statement(
    select(func.count(recipient.c.message_id.distinct()), highest(recipient.c.message_id)).where(
        _IS_RECENT, recipient.c.kind == "to", recipient.c.outcome == "bounced"
    )
)
_RECEIVED: Final = Statement(select(message.c.received_at).where(message.c.id == bindparam("mail")))


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueState:
    """What waits for one account."""

    waiting: int = 0
    """Mails."""
    active: int = 0
    held: int = 0
    doubtful: int = 0
    """Of those that are held: how many may have been sent already."""
    held_since: int | None = None
    oldest: int | None = None
    """Since when the oldest of what waits does so."""
    overdue: int = 0
    """Mails that have waited for longer than `warn_after`, by open, unpaused time."""
    overdue_since: int | None = None
    silent_since: int | None = None
    """Since when its provider has given no answer to any attempt; None where it has."""
    silence: str = ""
    """What was seen in place of the last answer."""
    setting_since: int | None = None
    """Since when its provider takes nothing until something is switched on there; None where it does."""
    setting: str = ""
    """What it said last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveTrouble:
    """An archive's address whose last copy could not be delivered."""

    address: str
    since: int
    """When the mail was accepted whose copy failed last."""
    failed: int
    """Mails of the last week whose copy is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """All that the database says."""

    queues: Mapping[str, QueueState] = field(default_factory=dict)
    """By account; those of whom nothing waits are not in it. What goes into inboxes is under the empty name."""
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    mailboxes: Mapping[str, Mailbox] = field(default_factory=dict)
    recipients_today: Mapping[str, int] = field(default_factory=dict)
    archive: tuple[ArchiveTrouble, ...] = ()
    bounced: int = 0
    bounced_last: int | None = None


def read_standing(tx: Transaction, *, hours: OpeningHours, retry: RetryPolicy, now: int) -> Standing:
    """Read how things stand."""
    queues = _queues(tx)
    for account, queue in queues.items():
        if account and queue.oldest is not None:
            queues[account] = _overdue(tx, account, queue, hours=hours, retry=retry, now=now)
    for account, first in tx.rows(_SILENCE.all_first):
        found = _find(tx, _SILENCE, account, first, hours=hours, now=now) if account in queues else None
        if found is not None:
            queues[account] = replace(queues[account], silent_since=found[0], silence=str(found[1]))
    for account, first in tx.rows(_SETTING.all_first):
        found = _find(tx, _SETTING, account, first, hours=hours, now=now) if account in queues else None
        if found is not None and find_row(found[1], Stage.SEND).about is About.CONFIGURATION:
            queues[account] = replace(queues[account], setting_since=found[0], setting=str(found[1]))
    week = first_id(now - WEEK)
    bounced, last = tx.rows(_BOUNCED, oldest=week)[0]
    return Standing(
        queues=queues,
        pauses={pause.account: pause for pause in pausing.lasting_pauses(tx)},
        mailboxes=read_mailboxes(tx),
        recipients_today=quota.count_of_day(tx, day_of(hours, now)),
        archive=tuple(
            ArchiveTrouble(address=address, since=_received(tx, failed), failed=count)
            for address, failed, good, count in tx.rows(_ARCHIVE, oldest=week)
            if failed is not None and (good is None or good < failed)
        ),
        bounced=bounced,
        bounced_last=None if last is None else _received(tx, last),
    )


def _queues(tx: Transaction) -> dict[str, QueueState]:
    queues: dict[str, QueueState] = {}
    for account, state, count, since, doubtful in tx.rows(_OPEN):
        queue = queues.get(account, QueueState())
        if state == "queued":
            queue = replace(queue, waiting=count, oldest=since)
        elif state == "active":
            queue = replace(queue, active=count)
        else:
            queue = replace(queue, held=count, held_since=since, doubtful=doubtful)
        queues[account] = queue
    return queues


def _overdue(
    tx: Transaction, account: str, queue: QueueState, *, hours: OpeningHours, retry: RetryPolicy, now: int
) -> QueueState:
    oldest = queue.oldest
    if oldest is None or now - oldest < retry.warn_after:
        return queue
    pauses = _pauses(tx, account, oldest, now)
    before = counted_since(hours=hours, pauses=pauses, span=retry.warn_after, oldest=oldest, now=now)
    if before is None:
        return queue
    count, since = tx.rows(_OVERDUE, lane=str(to_account(account)), before=before)[0]
    return replace(queue, overdue=count, overdue_since=since)


def _find(
    tx: Transaction, trouble: _Lasting, account: str, first: int, *, hours: OpeningHours, now: int
) -> tuple[int, Reply] | None:
    """Find out since when an account has had a trouble, if for long enough, and what was seen or said last.

    `first`: when what waits was tried in vain first. Only time in which there may be attempts counts: one that fails
    when the office closes says nothing of the night.
    """
    if not account or now - first < SILENT_AFTER:
        return None
    lane = str(to_account(account))
    over = tx.rows(trouble.over, oldest=first_id(now - _LONGEST_WAIT), first=first, lane=lane)[0][0]
    behind = -1 if over is None else over
    since = tx.rows(trouble.first, lane=lane, behind=behind)[0][0]
    if (
        since is None
        or counted_time(hours=hours, pauses=_pauses(tx, account, since, now), since=since, now=now) < SILENT_AFTER
    ):
        return None
    code, enhanced, text = tx.rows(trouble.last, lane=lane, behind=behind)[0]
    return since, Reply(code=code, enhanced=enhanced, text=text)


def _pauses(tx: Transaction, account: str, since: int, now: int) -> list[tuple[int, int]]:
    found = pausing.pauses_of(tx, [account], begin=since, end=now)
    return [(one.since, now if one.until is None else one.until) for one in found]


def _received(tx: Transaction, message_id: str) -> int:
    found = tx.rows(_RECEIVED, mail=message_id)
    return found[0][0] if found else 0
