"""How a mail stands: the states that options, JSON and the log name; the words for people are in `state_words`.

A state is taken from the real recipients alone: what the provider said of the blind copy never makes a mail delivered
or failed. To people nothing is ever "delivered": a 250 means that the provider has it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from relay.model.mail import DeliveryState, RecipientKind, RecipientState
from relay.model.reply import Reply
from relay.model.state import State

DELETED: Final = "deleted by command"
"""The reply, without a code, of recipients whose mail was deleted: nobody bounced it, and nobody was told."""


class Grade(StrEnum):
    """How much a person should care."""

    FINE = "fine"
    WATCH = "watch"
    NEEDS_YOU = "needs you"


class Situation(StrEnum):
    """How a mail, or its blind copy, stands, as precisely as people are told; `state_words` has the words of each."""

    TURN = "turn"
    """Nothing keeps it but the others before it."""
    LATER = "later"
    """It was never tried, and is not to be before a moment."""
    RETRY = "retry"
    """It was tried in vain, and is tried again."""
    REFUSED_LOGIN = "refused_login"
    PAUSED = "paused"
    """Its account is paused by a person."""
    DAY_FULL = "day_full"
    """Its account has had its recipients of the day."""
    CLOSED = "closed"
    """The office is closed."""
    ACTIVE = "active"
    HELD = "held"
    IN_DOUBT = "in_doubt"
    NO_ACCOUNT = "no_account"
    DELIVERED = "delivered"
    IN_INBOX = "in_inbox"
    FAILED = "failed"
    PARTLY = "partly"
    DELETED = "deleted"
    PARTLY_DELETED = "partly_deleted"


_GRADES: Final = {
    Situation.REFUSED_LOGIN: Grade.NEEDS_YOU,
    Situation.PAUSED: Grade.WATCH,
    Situation.HELD: Grade.NEEDS_YOU,
    Situation.IN_DOUBT: Grade.NEEDS_YOU,
    Situation.NO_ACCOUNT: Grade.NEEDS_YOU,
    Situation.FAILED: Grade.WATCH,
    Situation.PARTLY: Grade.WATCH,
}
"""Of what is not fine."""

OPEN_STATES: Final = {
    DeliveryState.HELD: State.HELD,
    DeliveryState.ACTIVE: State.ACTIVE,
    DeliveryState.QUEUED: State.WAITING,
}
"""Of what is open, the most pressing first: it names the whole mail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailRecipient:
    """One recipient, and what was said about him last; the texts are those of the enums in `relay.model.mail`."""

    n: int
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
    attempts: int
    """Those that count for the retry intervals."""
    tried: int
    """All."""
    uncertain: int
    recipients: tuple[MailRecipient, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standstill:
    """What keeps mail from being sent, whatever the mail. Times in milliseconds."""

    refused: Collection[str] = ()
    """The accounts that are paused since their login was refused."""
    paused: Collection[str] = ()
    """Those that a person has paused."""
    full: Mapping[str, int] = field(default_factory=dict)
    """Those that have had their recipients of the day, and when they go on."""
    closed_until: int | None = None
    """When the office opens; None: it is open."""
    sends: Collection[str] | None = None
    """The accounts that send; None: all do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a mail stands."""

    state: State
    situation: Situation
    when: int | None = None
    """When it goes on, in milliseconds; None where nobody knows, or nothing is left to do."""
    cause: Reply | None = None
    """What was said to the first of those who have not got it."""
    reached: int = 0
    """Real recipients who have it."""
    lost: int = 0
    """Real recipients who never get it."""
    left: int = 0
    """Real recipients who still wait."""
    copy: Situation | None = None
    """How the blind copy stands; None where there is none."""
    copy_state: State | None = None

    @property
    def grade(self) -> Grade:
        """How much a person should care; what waits for longer than `warn_after` is for the caller to add."""
        found = {_GRADES.get(self.situation, Grade.FINE), _GRADES.get(self.copy or self.situation, Grade.FINE)}
        return next(grade for grade in (Grade.NEEDS_YOU, Grade.WATCH, Grade.FINE) if grade in found)


def state_of(legs: Iterable[MailDelivery]) -> State:
    """Give the state of a mail from all of its deliveries."""
    pairs = [(leg, one) for leg in legs for one in leg.recipients]
    return _state(_real(pairs) or pairs)


def find_standing(legs: Sequence[MailDelivery], *, now: int, standstill: Standstill | None = None) -> Standing:
    """Tell how a mail stands from all of its deliveries; `now` in milliseconds."""
    pairs = [(leg, one) for leg in legs for one in leg.recipients]
    real = _real(pairs) or pairs
    around = standstill or Standstill()
    state = _state(real)
    situation, when = _situation(real, state, now, around)
    copies = [pair for pair in pairs if pair not in real]
    copy_state = _state(copies) if copies else None
    copy = None if copy_state is None else _situation(copies, copy_state, now, around)[0]
    outcomes = [one.outcome for _, one in real]
    return Standing(
        state=state,
        situation=situation,
        when=when,
        cause=_cause(real),
        reached=outcomes.count(RecipientState.DELIVERED),
        lost=outcomes.count(RecipientState.BOUNCED),
        left=outcomes.count(RecipientState.PENDING),
        copy=copy,
        copy_state=copy_state,
    )


def state_of_recipient(leg: MailDelivery, recipient: MailRecipient) -> State:
    """Give the state of one recipient."""
    return _state([(leg, recipient)])


_Pairs = Sequence[tuple[MailDelivery, MailRecipient]]


def _real(pairs: _Pairs) -> list[tuple[MailDelivery, MailRecipient]]:
    return [(leg, one) for leg, one in pairs if one.kind != RecipientKind.ARCHIVE]


def _state(pairs: _Pairs) -> State:
    left = {leg.state for leg, one in pairs if one.outcome == RecipientState.PENDING}
    for found, state in OPEN_STATES.items():
        if found in left:
            return state
    outcomes = {one.outcome for _, one in pairs}
    if outcomes == {RecipientState.DELIVERED}:
        return State.DELIVERED
    return State.PARTLY if RecipientState.DELIVERED in outcomes else State.FAILED


def _situation(pairs: _Pairs, state: State, now: int, around: Standstill) -> tuple[Situation, int | None]:
    waiting = [(leg, one) for leg, one in pairs if one.outcome == RecipientState.PENDING]
    if state is State.WAITING:
        queued = [_wait(leg, one, now, around) for leg, one in waiting if leg.state == DeliveryState.QUEUED]
        return min(queued, key=lambda found: now if found[1] is None else found[1])
    if state is State.HELD:
        return _held([leg for leg, _ in waiting if leg.state == DeliveryState.HELD], around), None
    lost = [one for _, one in pairs if one.outcome == RecipientState.BOUNCED]
    deleted = bool(lost) and all(one.code == 0 and one.reply == DELETED for one in lost)
    if state is State.DELIVERED:
        inbox = all(one.kind == RecipientKind.INBOX for _, one in pairs)
        return Situation.IN_INBOX if inbox else Situation.DELIVERED, None
    if state is State.FAILED:
        return Situation.DELETED if deleted else Situation.FAILED, None
    if state is State.PARTLY:
        return Situation.PARTLY_DELETED if deleted else Situation.PARTLY, None
    return Situation.ACTIVE, None


def _wait(leg: MailDelivery, one: MailRecipient, now: int, around: Standstill) -> tuple[Situation, int | None]:
    if leg.account in around.refused:
        return Situation.REFUSED_LOGIN, None
    if leg.account in around.paused:
        return Situation.PAUSED, None
    if leg.account and leg.account in around.full:
        return Situation.DAY_FULL, around.full[leg.account]
    # What is due at once goes at any hour.
    if around.closed_until is not None and leg.due > 0 and leg.account:
        return Situation.CLOSED, max(around.closed_until, leg.due)
    if leg.due <= now:
        return Situation.TURN, None
    return Situation.RETRY if _reply(one) else Situation.LATER, leg.due


def _held(legs: Sequence[MailDelivery], around: Standstill) -> Situation:
    if any(leg.uncertain for leg in legs):
        return Situation.IN_DOUBT
    if around.sends is not None and any(leg.account not in ("", *around.sends) for leg in legs):
        return Situation.NO_ACCOUNT
    return Situation.HELD


def _cause(pairs: _Pairs) -> Reply | None:
    """Give what was said to the first who has not got it: of those who never get it, else of those who wait."""
    for outcome in (RecipientState.BOUNCED, RecipientState.PENDING):
        said = [_reply(one) for _, one in pairs if one.outcome == outcome and one.reply != DELETED]
        found = next(filter(None, said), None)
        if found is not None:
            return found
    return None


def _reply(one: MailRecipient) -> Reply | None:
    return Reply(code=one.code, enhanced=one.enhanced, text=one.reply) if one.code or one.reply else None
