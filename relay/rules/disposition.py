"""What follows for a delivery from the outcomes of an attempt: done, tried again and when, given up, or held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relay.model.account import OnUncertain, RetryPolicy
from relay.model.mail import AT_ONCE, MOST_UNCERTAIN, ClaimedDelivery, DeliveryState, Recipient, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.hours import OpeningHours
from relay.rules.retry import has_expired, next_attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """The settings that decide when a delivery is tried again, and when it is given up or held."""

    policy: RetryPolicy
    hours: OpeningHours
    on_uncertain: OnUncertain = OnUncertain.RETRY


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A recipient who does not get the mail: what a notice tells of him, too, where he waits or it was handed over."""

    recipient: Recipient
    reply: Reply
    """The last reply, or our own words where none came."""
    expired: bool = False
    """Given up after the time was over, not refused."""
    last_attempt: datetime | None = None
    """When he was tried last, for a notice; None where he never was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Disposition:
    """What a settlement writes, and who is to be told."""

    outcomes: tuple[tuple[int, Outcome], ...]
    state: DeliveryState
    due: int = AT_ONCE
    uncertain: int = 0
    failures: tuple[Failure, ...] = ()
    """Of real recipients: the user gets a notice."""
    archive_failures: tuple[Failure, ...] = ()
    """Of the blind copy: the postmaster is told."""
    doubtful: tuple[Recipient, ...] = ()
    """Who may have the mail already, after this attempt."""
    leaving: tuple[Recipient, ...] = ()
    """Deferred ones who surely have not got it: they go on as a delivery of their own, without the doubt."""
    leaving_due: int = AT_ONCE
    """When that delivery is due."""

    @property
    def only_the_archive_is_in_doubt(self) -> bool:
        """Whether nobody but the blind copy is in doubt: then this is the postmaster's affair, not the user's."""
        return bool(self.doubtful) and all(r.kind is RecipientKind.ARCHIVE for r in self.doubtful)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What an attempt was told about the recipients of a delivery."""

    outcomes: Mapping[int, Outcome]
    """By recipient number; recipients that leave the delivery in any case are not in it."""
    reply: Reply
    """What the attempt as a whole got."""
    doubtful: frozenset[int] = frozenset()
    """The numbers of those who may have the mail, though nobody said so. The others surely have not."""
    more_at_once: bool = False
    """Whether the deferred ones may go in another transaction at once: the provider wants fewer in one (452)."""
    sender_refused: bool = False
    """Whether it does not let the account send: the postmaster is told, beside the bounce."""
    setting: Reply | None = None
    """The refusal that says what must be switched on or changed at the provider: the postmaster is told of that."""


def decide_disposition(
    delivery: ClaimedDelivery, answered: Answered, schedule: Schedule, *, counted: int, now: int, jitter: float
) -> Disposition:
    """Decide what becomes of a delivery after an attempt.

    `counted` is the open, unpaused milliseconds since the first possible attempt, `jitter` a random number in [0, 1).
    A doubt about whether the mail went out never becomes a bounce: it is tried again late, or held. Who is deferred
    without a doubt beside others in doubt leaves, and is tried again by the schedule.
    """
    policy, hours = schedule.policy, schedule.hours
    doubts = delivery.uncertain + bool(answered.doubtful)
    late = has_expired(policy, counted) and not answered.more_at_once
    final: dict[int, Outcome] = {}
    failures: list[Failure] = []
    waiting: list[Recipient] = []
    in_doubt: list[Recipient] = []
    for recipient in delivery.recipients:
        outcome = answered.outcomes.get(recipient.n)
        if outcome is None:
            continue
        if outcome.verdict is Verdict.BOUNCED:
            failures.append(Failure(recipient=recipient, reply=outcome.reply))
        elif outcome.verdict is Verdict.DEFERRED and recipient.n in answered.doubtful:
            in_doubt.append(recipient)
        elif outcome.verdict is Verdict.DEFERRED and late:
            failures.append(Failure(recipient=recipient, reply=outcome.reply, expired=True))
            outcome = Outcome(verdict=Verdict.BOUNCED, reply=outcome.reply)
        elif outcome.verdict is Verdict.DEFERRED:
            waiting.append(recipient)
        final[recipient.n] = outcome
    state, due, usual = DeliveryState.DONE, AT_ONCE, AT_ONCE
    if waiting:
        usual = next_attempt(policy=policy, hours=hours, attempts=delivery.attempts + 1, now=now, jitter=jitter)
    if in_doubt:
        held = doubts >= MOST_UNCERTAIN or schedule.on_uncertain is OnUncertain.HOLD
        state = DeliveryState.HELD if held else DeliveryState.QUEUED
        due = next_attempt(policy=policy, hours=hours, attempts=len(policy.intervals), now=now, jitter=jitter)
    elif waiting:
        state, due = DeliveryState.QUEUED, now if answered.more_at_once else usual
    return Disposition(
        outcomes=tuple(final.items()),
        state=state,
        due=due,
        uncertain=doubts,
        failures=tuple(f for f in failures if f.recipient.kind is not RecipientKind.ARCHIVE),
        archive_failures=tuple(f for f in failures if f.recipient.kind is RecipientKind.ARCHIVE),
        doubtful=tuple(in_doubt),
        leaving=tuple(waiting) if in_doubt else (),
        leaving_due=usual if in_doubt else AT_ONCE,
    )
