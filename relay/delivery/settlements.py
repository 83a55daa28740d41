"""What an attempt writes: the settlement, and what was decided. Nothing here writes or waits."""

import os
from dataclasses import dataclass, replace

from relay.events.event import Event
from relay.model.account import Account
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, Created, DeliveryState, NewDelivery, Settlement
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What is written, and why."""

    settlement: Settlement
    disposition: Disposition
    expired: bool = False
    """Whether the time to give up has come."""
    events: tuple[Event, ...] = ()
    """What its notices mean, to be emitted once it is stored."""
    bounced_notice: bool = False
    """Whether it is a notice that was refused: it goes into an inbox, since of notices there are no notices."""


def plain_decision(facts: Facts, *, now: int, settings: Settings) -> Decision:
    """Keep who got the mail, and let the others wait for the longest interval: no rule is asked."""
    delivery, result = facts.delivery, facts.result
    delivered = {n: one for n, one in result.outcomes.items() if one.verdict is Verdict.DELIVERED}
    later = Outcome(verdict=Verdict.DEFERRED, reply=result.reply)
    outcomes = tuple((r.n, delivered.get(r.n, later)) for r in delivery.recipients)
    disposition = Disposition(
        outcomes=outcomes,
        state=DeliveryState.DONE if len(delivered) == len(outcomes) else DeliveryState.QUEUED,
        due=now + settings.retry.intervals[-1],
        uncertain=delivery.uncertain,
    )
    return Decision(settlement=settlement_of_attempt(facts, disposition, settings=settings), disposition=disposition)


def settlement_of_attempt(
    facts: Facts,
    disposition: Disposition,
    *,
    settings: Settings,
    creates: tuple[Created, ...] = (),
    events: tuple[tuple[str, str], ...] = (),
) -> Settlement:
    """Return what an attempt writes, with what it creates and what `relay trace` shows beside the attempt itself."""
    settlement = settlement_of(facts.delivery, disposition, reply=facts.result.reply, at=facts.at, settings=settings)
    return replace(settlement, seconds=facts.seconds, counts=facts.counts, creates=creates, events=events)


def settlement_of(
    delivery: ClaimedDelivery, disposition: Disposition, *, reply: Reply, at: int, settings: Settings
) -> Settlement:
    """Return what is written of a delivery without an attempt that counts; `at` in milliseconds since 1970."""
    return Settlement(
        delivery_id=delivery.id,
        token=delivery.token,
        key=make_id(at, os.urandom(10)),
        at=at,
        seconds=0.0,
        reply=reply,
        outcomes=disposition.outcomes,
        state=disposition.state,
        due=disposition.due,
        uncertain=disposition.uncertain,
        counts=False,
        keep_body=settings.limits.keep_delivered > 0,
    )


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
            id=make_id(now, os.urandom(10)),
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
