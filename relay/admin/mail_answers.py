"""Mails as programs read them: what `--json` prints of each, with the names of the log (decision 28)."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.admin.wire import Moment
from relay.rules.states import Situation, State


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """One recipient of a mail."""

    address: str
    kind: str
    state: State
    code: int
    enhanced: str
    reply: str
    delivery_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Delivery:
    delivery_id: str
    account: str
    state: State
    next_attempt: Moment | None
    uncertain: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedDelivery(_Delivery):
    """One delivery of a mail in a list."""

    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt, by an account that may have been another one than now (None: nothing tells)."""

    at: Moment
    seconds: float
    account: str | None
    code: int
    enhanced: str
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedDelivery(_Delivery):
    """One delivery with its history."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a mail beside its attempts."""

    at: Moment
    what: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """A pause that a mail has seen."""

    account: str
    since: Moment
    until: Moment | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mail:
    queue_id: str
    state: State
    situation: Situation
    blind_copy: State | None
    next_attempt: Moment | None
    cause: str | None
    received: Moment
    user: str | None
    account: str
    message_id: str
    subject: str
    size: int
    notice: bool
    recipients: tuple[Recipient, ...]
    sender: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedMail(_Mail):
    """One mail of a list."""

    deliveries: tuple[ListedDelivery, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedMail(_Mail):
    """One mail with its history."""

    rule: str
    client: str
    why: tuple[str, ...]
    about: str | None
    deliveries: tuple[TracedDelivery, ...]
    events: tuple[Event, ...]
    pauses: tuple[Pause, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A user's copy of a mail that came in."""

    queue_id: str
    user: str | None
    address: str | None
    why: tuple[str, ...]
    place: str
    holder: str | None
    file: str | None
    reason: str | None
    left_at: Moment | None
    left_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingMail:
    """A mail that came in, with a copy for each of its users."""

    direction: str
    queue_id: str
    message_id: str | None
    received: Moment
    sender: str
    subject: str
    size: int
    account: str | None
    uidl: str | None
    at_provider: str | None
    copies: tuple[Copy, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedMail:
    """What would become of a mail."""

    sent: bool
    user: str | None
    identity: str | None = None
    """How it is known who submits; None where the mail would not come so far."""
    rule: str | None = None
    account: str | None = None
    sender_before: str | None = None
    sender_after: str | None = None
    envelope_sender: str | None = None
    recipients: tuple[str, ...]
    refused_recipients: tuple[Mapping[str, str], ...]
    """Each with `recipient`, as it was written, and `reply`; the mail goes to the others."""
    blind_copy: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    reply: str | None
    """What the client reads if the mail is refused, code and text."""
    why: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedIncoming:
    """In whose inboxes a collected mail would stand."""

    account: str
    polled: bool
    users: tuple[Mapping[str, str], ...]
    """Each with `user` and `address`."""
    why: tuple[str, ...]
