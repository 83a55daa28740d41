"""What people are answered: mails, with the words for people beside each, what was done, how the accounts stand.

The words are written where the office's time zone and the configuration are known.
"""

from dataclasses import dataclass

from relay.admin.mail_answers import ExplainedIncoming, ExplainedMail, IncomingMail, ListedMail, TracedMail
from relay.admin.wire import Moment
from relay.model.maildrop import PollResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """What people read: names with values, of which empty ones are left out, and lines below them."""

    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MailPage:
    """Some mails of a list, each with the words for how it stands."""

    now: int
    mails: tuple[ListedMail, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListEnd:
    """What is said below a list."""

    nothing: str
    """Where no mail matches: that it is so, and how many there are without the filter."""
    notes: tuple[str, ...]
    """What keeps accounts from sending."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldMail:
    """One mail, with its history."""

    mail: TracedMail | None
    incoming: IncomingMail | None
    """In place of `mail`: one that came in."""
    sheet: Sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What the person is asked before anything is changed."""

    text: str
    """`Hold these 3 mails`."""
    unasked: str
    """What is said where nobody is there to answer; empty: the usual."""
    page: MailPage | None = None
    """The first of the mails."""
    sheets: tuple[Sheet, ...] = ()
    """In place of a page: each of the mails."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far long work is."""

    what: str
    done: int
    """Units since the last one."""
    total: int | None = None
    """None: nobody knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A line for people."""

    text: str
    is_fault: bool = False
    """Whether it is something that was not done, or is to be looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """What was done."""

    count: int
    """Mails."""
    good: bool
    """Whether that is what was wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountView:
    """What is known of one account."""

    name: str
    address: str
    owner: str | None
    server: str
    state: str
    waiting: int
    active: int
    held: int
    paused_since: Moment | None
    paused_by: str | None
    reason: str
    next_probe: Moment | None
    last_sent: Moment | None
    last_error: str
    failing_since: Moment | None
    collected: bool
    last_poll: Moment | None
    poll_error: str
    quarantined: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountList:
    """The accounts in the order of the rules."""

    configuration: str
    """The file."""
    accounts: tuple[AccountView, ...]
    rows: tuple[tuple[str, ...], ...]
    """Name, whether it sends, whether it collects, what waits, what is held, address, owner, server: for people."""
    troubles: tuple[str, ...]
    """What is wrong with an account, and what helps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """What became of a reload; with a mistake nothing was changed."""

    mistakes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PollNews:
    """How far the poll of a mailbox is; at its end the result, or why there is none."""

    account: str
    fetched: int = 0
    total: int = 0
    result: PollResult | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedMail:
    """One mail in the quarantine."""

    queue_id: str
    received: Moment
    user: str | None
    address: str | None
    account: str | None
    uidl: str | None
    message_id: str | None
    sender: str
    subject: str
    size: int
    file: str | None
    reason: str | None
    note: str | None
    inbox_trouble: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """All that is in the quarantine, the oldest first."""

    mails: tuple[QuarantinedMail, ...]
    rows: tuple[tuple[str, ...], ...]
    """Id, when it came, for whom, from whom, subject: for people."""
    notes: tuple[str, ...]
    """What is to be done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldQuarantined:
    """One mail of the quarantine."""

    mail: QuarantinedMail
    sheet: Sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountStatus:
    """How an account stands."""

    name: str
    waiting: int
    active: int
    held: int
    oldest: Moment | None
    paused_since: Moment | None
    last_poll: Moment | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusFinding:
    """What needs a person, or is to be watched."""

    kind: str
    subject: str
    grade: str
    since: Moment | None
    mails: int
    detail: str
    title: str
    what: str
    action: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """How things stand."""

    grade: str
    at: Moment
    running: str
    waiting: int
    active: int
    held: int
    oldest: Moment | None
    quarantined: int
    disk_free: int | None
    backup: Moment | None
    accounts: tuple[AccountStatus, ...]
    findings: tuple[StatusFinding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldStatus:
    """How things stand, and the words for people and for monitoring."""

    status: Status
    line: str
    """Of all, with figures behind a bar."""
    more: tuple[str, ...]
    """Lines about each finding."""
    exit_status: int
    """0 fine, 1 watch, 2 needs you."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What would become of a mail, and why."""

    mail: ExplainedMail | None = None
    incoming: ExplainedIncoming | None = None
    """In place of `mail`: of one that comes in."""
    sheet: Sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedStep:
    """One step of a login that was tried, and its result."""

    server: str
    step: str
    good: bool
    text: str
    advice: str
    """What it means and what to do, in whole sentences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedServer:
    """The steps of one server."""

    steps: tuple[TriedStep, ...]
