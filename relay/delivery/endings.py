"""What an attempt comes to, as it is written: the settlement, and what was concluded. Nothing here writes or waits."""

import os
from dataclasses import dataclass, replace

from relay.delivery.exchange import Exchange, Progress
from relay.model.account import Account
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, DeliveryState, NewDelivery, Settlement
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.disposition import Disposition
from relay.rules.interpret_transaction import SmtpReplies, interpret_transaction
from relay.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What there is to decide_disposition from."""

    account: Account
    delivery: ClaimedDelivery
    exchange: Exchange
    at: int
    seconds: float
    paused: bool
    again: bool = False
    """Whether the login was refused to the mail right after a probe had found that it works: this attempt counts."""

    @property
    def counts(self) -> bool:
        """Whether it is an attempt for the intervals."""
        return self.again or not self.exchange.login_refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What is written, and why."""

    settlement: Settlement
    disposition: Disposition
    is_over: bool = False
    """Whether the time to give up has come."""
    bounced_notice: bool = False
    """Whether it is a notice that was refused: it goes into an inbox, since of notices there are no notices."""


def plain_ending(about: About, *, now: int, settings: Settings) -> Ending:
    """Keep whom the provider took the mail for, and let the others wait: no rule is asked."""
    delivery, exchange = about.delivery, about.exchange
    delivered = {n: one for n, one in exchange.outcomes.items() if one.verdict is Verdict.DELIVERED}
    later = Outcome(verdict=Verdict.DEFERRED, reply=exchange.reply)
    outcomes = tuple((r.n, delivered.get(r.n, later)) for r in delivery.recipients)
    disposition = Disposition(
        outcomes=outcomes,
        state=DeliveryState.DONE if len(delivered) == len(outcomes) else DeliveryState.QUEUED,
        due=now + settings.retry.intervals[-1],
        uncertain=delivery.uncertain,
    )
    return Ending(settlement=settlement_of(about, disposition, settings=settings), disposition=disposition)


def settlement_of(about: About, disposition: Disposition, *, settings: Settings) -> Settlement:
    """Give what an attempt writes, without what goes beside the delivery itself."""
    return Settlement(
        delivery_id=about.delivery.id,
        token=about.delivery.token,
        key=make_id(about.at, os.urandom(10)),
        at=about.at,
        seconds=about.seconds,
        reply=about.exchange.reply,
        outcomes=disposition.outcomes,
        state=disposition.state,
        due=disposition.due,
        uncertain=disposition.uncertain,
        counts=about.counts,
        keep_body=settings.limits.keep_delivered > 0,
    )


def events_of(exchange: Exchange, disposition: Disposition) -> tuple[tuple[str, str], ...]:
    """Name what `relay trace` shows beside the attempt itself."""
    found = []
    if exchange.uncertain:
        found.append(("possible_duplicate", f"no answer to the final dot: {exchange.reply}"))
    if disposition.leaving:
        found.append(("doubt_split", "those who surely have not got it go on by themselves"))
    if exchange.leaving:
        found.append(("archive_split", f"the blind copy goes by itself: {exchange.reply}"))
    return tuple(found)


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
    delivery: ClaimedDelivery, exchange: Exchange, disposition: Disposition, now: int
) -> tuple[NewDelivery, ...]:
    """Make deliveries of those who leave: who is deferred while others are in doubt, and the blind copy by itself.

    A copy that may have arrived already takes its doubt with it.
    """
    doubt = exchange.uncertain and any(recipient.n in exchange.doubtful for recipient in exchange.leaving)
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
            (exchange.leaving, disposition.due if doubt else now, delivery.uncertain + doubt),
        )
        if leaving
    )


def failed_exchange(delivery: ClaimedDelivery, progress: Progress) -> Exchange:
    """Make of a fault of ours what a lost connection would be."""
    taken = Reply(code=250) if progress.dot else None
    answers = SmtpReplies(
        mail=taken,
        recipients=tuple(taken for _ in delivery.recipients),
        data=None,
        final=None,
        lost=True,
        uncertain=progress.dot,
        error="a fault inside of the relay; its log says more",
    )
    judgement = interpret_transaction(delivery.recipients, answers)
    return Exchange(outcomes=judgement.outcomes, reply=judgement.reply, judgement=judgement)
