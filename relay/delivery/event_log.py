"""The events of attempts."""

from collections.abc import Iterable, Sequence
from typing import Any

from relay.emitting import emit
from relay.events.delivery import (
    ArchiveFailed,
    ClaimLost,
    DeliveryDeferred,
    DeliveryHeld,
    MessageBounced,
    MessageDelivered,
    PossibleDuplicate,
)
from relay.model.destination import DestinationKind
from relay.model.mail import MOST_UNCERTAIN, ClaimedDelivery, DeliveryState, RecipientKind
from relay.model.reply import Outcome, Reply, Verdict
from relay.rules.disposition import Disposition
from relay.rules.moments import utc_time
from relay.rules.replies import name_cause


def said_by(reply: Reply) -> dict[str, Any]:
    """Return the fields that the events of accounts have of a provider's answer."""
    return {"code": reply.code, "reply": str(reply), "cause": name_cause(reply)}


def log_disposition(
    delivery: ClaimedDelivery, disposition: Disposition, reply: Reply, *, seconds: float, uncertain: bool
) -> None:
    """Write what an attempt came to: a line for each kind of outcome and reply."""
    about = _about(delivery)
    next_attempt = disposition.due if disposition.state is DeliveryState.QUEUED else None
    recipients = {r.n: r for r in delivery.recipients}
    leaving = {recipient.address for recipient in disposition.leaving}
    grouped: dict[tuple[Verdict, Reply, bool], list[str]] = {}
    for n, outcome in disposition.outcomes:
        archive = recipients[n].kind is RecipientKind.ARCHIVE and outcome.verdict is Verdict.BOUNCED
        grouped.setdefault((outcome.verdict, outcome.reply, archive), []).append(recipients[n].address)
    for (verdict, answer, archive), addresses in grouped.items():
        if verdict is Verdict.DELIVERED:
            if delivery.destination.kind is not DestinationKind.INBOX:  # of that its transport has said so
                emit(MessageDelivered(**about, recipients=addresses, reply=str(answer), seconds=round(seconds, 3)))
            continue
        told = {"recipients": addresses, **said_by(answer)}
        if verdict is Verdict.DEFERRED:
            due = utc_time(disposition.leaving_due if leaving.issuperset(addresses) else next_attempt)
            emit(DeliveryDeferred(**about, **told, next_attempt=due))
        elif archive:
            emit(ArchiveFailed(**about, **told))
        else:
            emit(MessageBounced(**about, **told))
    if uncertain:
        reason = f"no answer to the final dot: {reply}"
        emit(PossibleDuplicate(**about, reason=reason, next_attempt=utc_time(next_attempt)))
    if disposition.state is DeliveryState.HELD:
        emit(DeliveryHeld(**about, reason="it may have been sent already"))


def log_lost(delivery: ClaimedDelivery, reason: str, *, outcomes: Iterable[tuple[int, Outcome]] = ()) -> None:
    """Say that another has a delivery whose attempt ended here; whom the provider took it for may get it twice."""
    about = _about(delivery)
    emit(ClaimLost(**about, reason=reason))
    addresses = {r.n: r.address for r in delivery.recipients}
    delivered = [(addresses[n], outcome) for n, outcome in outcomes if outcome.verdict is Verdict.DELIVERED]
    if delivered and not delivery.destination.is_idempotent:
        people, reply = [address for address, _ in delivered], str(delivered[0][1].reply)
        emit(MessageDelivered(**about, recipients=people, reply=reply, seconds=None))
        emit(PossibleDuplicate(**about, reason="taken under a claim that had run out", next_attempt=None))


def log_doubts(deliveries: Sequence[ClaimedDelivery], *, reason: str, now: int) -> int:
    """Say which mails may have been sent by an attempt that nobody ended; tells how many of them are held."""
    held = [d for d in deliveries if d.uncertain >= MOST_UNCERTAIN]
    for delivery in deliveries:
        next_attempt = None if delivery in held else utc_time(now)
        emit(PossibleDuplicate(**_about(delivery), reason=reason, next_attempt=next_attempt))
    for delivery in held:
        emit(DeliveryHeld(**_about(delivery), reason="it may have been sent twice already"))
    return len(held)


def _about(delivery: ClaimedDelivery) -> dict[str, Any]:
    return {"queue_id": delivery.message.id, "delivery_id": delivery.id, "account": delivery.account}
