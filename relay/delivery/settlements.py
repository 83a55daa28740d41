"""What an attempt writes: the settlement, and what was decided. Nothing here writes or waits."""

from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from relay.model.account import Account
from relay.model.ids import new_id
from relay.model.mail import ClaimedDelivery, Created, DeliveryState, NewDelivery, Settlement
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Disposition
from relay.settings import Settings
from relay.transports.transport import Terms, TransportResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What there is to decide from."""

    account: Account | None
    """The account as it was when the attempt began; None where none sends it, as with a notice into an inbox."""
    terms: Terms
    delivery: ClaimedDelivery
    result: TransportResult
    at: int
    """When the attempt began, in milliseconds since 1970."""
    seconds: float
    paused: bool = False
    """Whether the account was paused for it."""
    again: bool = False
    """Whether the login was refused to the mail right after a probe had found that it works: this attempt counts."""

    @property
    def counts(self) -> bool:
        """Whether it is an attempt for the intervals."""
        return self.again or not self.result.learnt.login_refused


def without_rules(facts: Facts, *, due: int) -> Disposition:
    """Keep who got the mail, and let the others wait: no rule is asked."""
    delivery, result = facts.delivery, facts.result
    delivered = {n: one for n, one in result.outcomes.items() if one.verdict is Verdict.DELIVERED}
    later = Outcome(verdict=Verdict.DEFERRED, reply=result.reply)
    outcomes = tuple((r.n, delivered.get(r.n, later)) for r in delivery.recipients)
    state = DeliveryState.DONE if len(delivered) == len(outcomes) else DeliveryState.QUEUED
    return Disposition(outcomes=outcomes, state=state, due=due, uncertain=delivery.uncertain)


class _OfAttempt(TypedDict, total=False):
    seconds: float
    counts: bool
    creates: tuple[Created, ...]
    events: tuple[tuple[str, str], ...]


def settlement_of(
    delivery: ClaimedDelivery,
    disposition: Disposition,
    *,
    reply: Reply,
    at: int,
    settings: Settings,
    **of_attempt: Unpack[_OfAttempt],
) -> Settlement:
    """Return what is written of a delivery; `at` in milliseconds since 1970.

    `of_attempt`: what only an attempt has; without it this is none that counts.
    """
    return Settlement(
        delivery_id=delivery.id,
        token=delivery.token,
        key=new_id(at),
        at=at,
        reply=reply,
        outcomes=disposition.outcomes,
        state=disposition.state,
        due=disposition.due,
        uncertain=disposition.uncertain,
        keep_body=settings.limits.keep_delivered > 0,
        **of_attempt,
    )


def settlement_of_attempt(
    facts: Facts, disposition: Disposition, settings: Settings, **made: Unpack[_OfAttempt]
) -> Settlement:
    """Return what an attempt writes, with what it creates and what `relay trace` shows beside the attempt itself."""
    reply, at = facts.result.reply, facts.at
    made |= {"seconds": facts.seconds, "counts": facts.counts}
    return settlement_of(facts.delivery, disposition, reply=reply, at=at, settings=settings, **made)


def events_of(result: TransportResult, disposition: Disposition) -> tuple[tuple[str, str], ...]:
    """Return what `relay trace` shows beside the attempt itself."""
    found = (
        (result.doubtful, "possible_duplicate", f"no answer to the final dot: {result.reply}"),
        (disposition.leaving, "doubt_split", "those who surely have not got it go on by themselves"),
        (result.separate, "archive_split", f"the blind copy goes by itself: {result.reply}"),
    )
    return tuple((what, detail) for whom, what, detail in found if whom)


def wait_instead(disposition: Disposition, due: int) -> Disposition:
    """Keep what was delivered, and let those who failed wait: they fail again when the notice can be written."""
    outcomes = tuple(
        (n, replace(o, verdict=Verdict.DEFERRED) if o.verdict is Verdict.BOUNCED else o)
        for n, o in disposition.outcomes
    )
    disposition = replace(disposition, outcomes=outcomes, failures=(), archive_failures=())
    if disposition.state is DeliveryState.DONE and any(o.verdict is Verdict.DEFERRED for _, o in outcomes):
        return replace(disposition, state=DeliveryState.QUEUED, due=due)
    return disposition


def splits_of(
    delivery: ClaimedDelivery, result: TransportResult, disposition: Disposition, now: int
) -> tuple[NewDelivery, ...]:
    """Make deliveries of those who leave: who is deferred while others are in doubt, and the blind copy by itself.

    A copy that may have arrived already takes its doubt with it.
    """
    doubt = any(recipient.n in result.doubtful for recipient in result.separate)
    return tuple(
        NewDelivery(
            id=new_id(now),
            destination=delivery.destination,
            recipients=leaving,
            version=delivery.version,
            due=due,
            uncertain=uncertain,
        )
        for leaving, due, uncertain in (
            (disposition.leaving, disposition.leaving_due, delivery.uncertain),
            (result.separate, disposition.due if doubt else now, delivery.uncertain + doubt),
        )
        if leaving
    )
