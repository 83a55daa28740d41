"""What follows for a delivery from the outcomes of an attempt: done, tried again and when, given up, or held."""

from collections.abc import Mapping
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
) -> Conclusion:
    """Conclude an attempt.

    `outcomes` is by recipient number (recipients that a split takes away are not in it); `counted` the open, unpaused
    milliseconds since the first possible attempt; `jitter` in [0, 1). A doubt about whether the mail went out never
    becomes a bounce: it is tried again late, or held.
    """
    present = [r for r in delivery.recipients if r.n in outcomes]
    doubts = delivery.uncertain + uncertain
    expired = has_expired(policy, counted) and not uncertain and not more_at_once
    final: dict[int, Outcome] = {}
    failures: list[Failure] = []
    for recipient in present:
        outcome = outcomes[recipient.n]
        if outcome.verdict is Verdict.DEFERRED and expired:
            failures.append(Failure(recipient=recipient, reply=outcome.reply, expired=True))
            outcome = Outcome(verdict=Verdict.BOUNCED, reply=outcome.reply)
        elif outcome.verdict is Verdict.BOUNCED:
            failures.append(Failure(recipient=recipient, reply=outcome.reply, expired=False))
        final[recipient.n] = outcome
    state, due = DeliveryState.DONE, AT_ONCE
    if any(o.verdict is Verdict.DEFERRED for o in final.values()):
        state = DeliveryState.QUEUED
        if uncertain:
            if doubts >= MOST_UNCERTAIN or on_uncertain is OnUncertain.HOLD:
                state = DeliveryState.HELD
            due = next_attempt(policy=policy, hours=hours, attempts=len(policy.intervals), now=now, jitter=jitter)
        elif more_at_once:
            due = now
        else:
            due = next_attempt(policy=policy, hours=hours, attempts=delivery.attempts + 1, now=now, jitter=jitter)
    return Conclusion(
        outcomes=tuple(final.items()),
        state=state,
        due=due,
        uncertain=doubts,
        failures=tuple(f for f in failures if f.recipient.kind is not RecipientKind.ARCHIVE),
        archive_failures=tuple(f for f in failures if f.recipient.kind is RecipientKind.ARCHIVE),
    )
