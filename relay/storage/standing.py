"""What the database says of how things stand: what waits for whom, since when, and what keeps it waiting.

One short reading transaction, beside a running service or alone. Times are milliseconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from relay.model.destination import to_account
from relay.model.ids import make_id
from relay.model.policy import RetryPolicy
from relay.model.reply import Reply
from relay.rules.hours import OpeningHours, day_of
from relay.rules.retry import counted_since, counted_time
from relay.rules.states import DELETED
from relay.storage import counting, pausing
from relay.storage.rows import ACCOUNT
from relay.storage.transaction import Transaction

WEEK: Final = 7 * 86_400_000
_LONGEST_WAIT: Final = 30 * 86_400_000
"""Milliseconds: how old a mail may be whose attempts are looked at."""
SILENT_AFTER: Final = 3_600_000
"""Milliseconds, open and unpaused, after which a provider that gives no answer is named."""
_OPEN: Final = (
    f"SELECT {ACCOUNT}, d.state, count(DISTINCT d.message_id), min(d.since),"  # noqa: S608 - constants
    " count(DISTINCT CASE WHEN d.uncertain > 0 THEN d.message_id END)"
    " FROM delivery d WHERE d.state <> 'done' GROUP BY 1, 2"
)
# Behind a slash stand all accounts: of every node, or of one whose clock jumped.
_PAUSES: Final = (
    "SELECT since, until FROM pause WHERE (account = ? OR (account >= '/' AND account < '0'))"
    " AND (until IS NULL OR until > ?)"
)
_OVERDUE: Final = (
    "SELECT count(DISTINCT d.message_id), min(d.since) FROM delivery d JOIN message m ON m.id = d.message_id"
    " WHERE d.state = 'queued' AND d.state <> 'done' AND d.destination = ? AND d.since <= ? AND NOT m.notice"
)
_SILENT: Final = (
    f"SELECT {ACCOUNT}, min(a.at) FROM delivery d JOIN attempt a ON a.delivery_id = d.id"  # noqa: S608 - constants
    " WHERE d.state = 'queued' AND d.state <> 'done' AND a.code = 0 GROUP BY 1"
)
_ANSWERED: Final = (
    "SELECT max(a.at) FROM attempt a JOIN delivery d ON d.id = a.delivery_id"
    " WHERE a.delivery_id >= ? AND a.at >= ? AND a.code <> 0 AND d.destination = ?"
)
_FROM_UNANSWERED: Final = (
    " FROM delivery d JOIN attempt a ON a.delivery_id = d.id"
    " WHERE d.state = 'queued' AND d.state <> 'done' AND a.code = 0 AND d.destination = ? AND a.at > ?"
)
_FIRST_UNANSWERED: Final = f"SELECT min(a.at) {_FROM_UNANSWERED}"
_LAST_UNANSWERED: Final = f"SELECT a.code, a.enhanced, a.reply {_FROM_UNANSWERED} ORDER BY a.at DESC LIMIT 1"
_ARCHIVE: Final = (
    "SELECT address, max(CASE WHEN outcome = 'bounced' THEN message_id END),"
    " max(CASE WHEN outcome = 'delivered' THEN message_id END),"
    " count(DISTINCT CASE WHEN outcome = 'bounced' THEN message_id END)"
    " FROM recipient WHERE message_id >= ? AND kind = 'archive' AND outcome <> 'pending'"
    " AND NOT (code = 0 AND reply = ?)"
    # What all recipients were refused alike is about the mail or its sender, and says nothing of the archive.
    " AND (outcome = 'delivered' OR EXISTS (SELECT 1 FROM recipient o WHERE o.message_id = recipient.message_id"
    " AND o.kind <> 'archive' AND NOT (o.outcome = 'bounced' AND o.code = recipient.code"
    " AND o.enhanced = recipient.enhanced AND o.reply = recipient.reply)))"
    " GROUP BY address"
)
_BOUNCED: Final = (
    "SELECT count(DISTINCT message_id), max(message_id) FROM recipient"
    # What was deleted by a person has not bounced, though it never arrives.
    " WHERE message_id >= ? AND kind = 'to' AND outcome = 'bounced' AND NOT (code = 0 AND reply = ?)"
)
_RECEIVED: Final = "SELECT received_at FROM message WHERE id = ?"
_MAILBOXES: Final = "SELECT account, last_ok, error FROM mailbox"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseState:
    """A pause that lasts."""

    since: int
    reason: str
    by_person: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveTrouble:
    """An archive's address whose last copy could not be delivered."""

    address: str
    since: int
    """When the mail was accepted whose copy failed last."""
    failed: int
    """Mails of the last week whose copy is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Polled:
    """How the last polls of a mailbox ended."""

    last_ok: int | None
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """All that the database says."""

    queues: Mapping[str, QueueState] = field(default_factory=dict)
    """By account; those of whom nothing waits are not in it. What goes into inboxes is under the empty name."""
    pauses: Mapping[str, PauseState] = field(default_factory=dict)
    mailboxes: Mapping[str, Polled] = field(default_factory=dict)
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
    for account, first in tx.rows(_SILENT):
        if account in queues and account and now - first >= SILENT_AFTER:
            queues[account] = _silent(tx, account, queues[account], first, hours=hours, now=now)
    week = make_id(max(0, now - WEEK), bytes(10))
    bounced, last = tx.rows(_BOUNCED, week, DELETED)[0]
    return Standing(
        queues=queues,
        pauses={
            pause.account: PauseState(since=pause.since, reason=pause.reason, by_person=pause.by_person)
            for pause in pausing.lasting_pauses(tx)
        },
        mailboxes={row[0]: Polled(last_ok=row[1], error=row[2]) for row in tx.rows(_MAILBOXES)},
        recipients_today=counting.count_of_day(tx, day_of(hours, now)),
        archive=tuple(
            ArchiveTrouble(address=address, since=_received(tx, failed), failed=count)
            for address, failed, good, count in tx.rows(_ARCHIVE, week, DELETED)
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
    count, since = tx.rows(_OVERDUE, str(to_account(account)), before)[0]
    return replace(queue, overdue=count, overdue_since=since)


def _silent(
    tx: Transaction, account: str, queue: QueueState, first: int, *, hours: OpeningHours, now: int
) -> QueueState:
    """Find out since when no attempt of an account got an answer: no reply of any kind, whatever it said.

    `first` is when what waits was tried in vain first; answers of before are not even looked up. Only time in which
    there may be attempts counts: one that fails when the office closes says nothing of the night.
    """
    oldest = make_id(max(0, now - _LONGEST_WAIT), bytes(10))
    answered = tx.rows(_ANSWERED, oldest, first, str(to_account(account)))[0][0]
    behind = -1 if answered is None else answered
    since = tx.rows(_FIRST_UNANSWERED, str(to_account(account)), behind)[0][0]
    if (
        since is None
        or counted_time(hours=hours, pauses=_pauses(tx, account, since, now), since=since, now=now) < SILENT_AFTER
    ):
        return queue
    code, enhanced, text = tx.rows(_LAST_UNANSWERED, str(to_account(account)), behind)[0]
    return replace(queue, silent_since=since, silence=str(Reply(code=code, enhanced=enhanced, text=text)))


def _pauses(tx: Transaction, account: str, since: int, now: int) -> list[tuple[int, int]]:
    return [(begin, now if end is None else end) for begin, end in tx.rows(_PAUSES, account, since)]


def _received(tx: Transaction, message_id: str) -> int:
    found = tx.rows(_RECEIVED, message_id)
    return int(found[0][0]) if found else 0
