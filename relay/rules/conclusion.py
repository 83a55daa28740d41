"""What follows for a delivery from the outcomes of an attempt: done, tried again and when, given up, or held."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from relay.model.account import OnUncertain
from relay.model.mail import AT_ONCE, MOST_UNCERTAIN, ClaimedDelivery, DeliveryState, Recipient, RecipientKind
from relay.model.outcome import Outcome, Verdict
from relay.model.policy import RetryPolicy
from relay.model.reply import Reply
from relay.rules.hours import OpeningHours
from relay.rules.retry import has_expired, next_attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A recipient who does not get the mail."""

    recipient: Recipient
    reply: Reply
    expired: bool
    """Given up after the time was over, not refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
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


def conclude(
    delivery: ClaimedDelivery,
    *,
    outcomes: Mapping[int, Outcome],
    uncertain: bool,
    more_at_once: bool,
    on_uncertain: OnUncertain,
    policy: RetryPolicy,
    hours: OpeningHours,
    counted: int,
    now: int,
    jitter: float,
    doubtful: Collection[int] | None = None,
) -> Conclusion:
    """Conclude an attempt.

    `outcomes` is by recipient number (recipients that a split takes away are not in it); `counted` the open, unpaused
    milliseconds since the first possible attempt; `jitter` in [0, 1). A doubt about whether the mail went out never
    becomes a bounce: it is tried again late, or held. `doubtful` names whom an `uncertain` attempt leaves in doubt (by
    number; None: all that it deferred); who is deferred without a doubt leaves, and is tried again by the schedule.
    """
    present = [r for r in delivery.recipients if r.n in outcomes]
    doubts = delivery.uncertain + uncertain
    late = has_expired(policy, counted) and not more_at_once
    final: dict[int, Outcome] = {}
    failures: list[Failure] = []
    waiting: list[Recipient] = []
    in_doubt: list[Recipient] = []
    for recipient in present:
        outcome = outcomes[recipient.n]
        doubt = uncertain and (doubtful is None or recipient.n in doubtful)
        if outcome.verdict is Verdict.BOUNCED:
            failures.append(Failure(recipient=recipient, reply=outcome.reply, expired=False))
        elif outcome.verdict is Verdict.DEFERRED and doubt:
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
        held = doubts >= MOST_UNCERTAIN or on_uncertain is OnUncertain.HOLD
        state = DeliveryState.HELD if held else DeliveryState.QUEUED
        due = next_attempt(policy=policy, hours=hours, attempts=len(policy.intervals), now=now, jitter=jitter)
    elif waiting:
        state, due = DeliveryState.QUEUED, now if more_at_once else usual
    return Conclusion(
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
