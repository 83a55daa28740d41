"""The log lines of attempts and notices."""

from collections.abc import Iterable, Sequence

import structlog

from relay.model.mail import (
    MOST_UNCERTAIN,
    ClaimedDelivery,
    DeliveryState,
    NewMessage,
    Recipient,
    RecipientKind,
)
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.disposition import Disposition
from relay.rules.moments import utc_time

log = structlog.get_logger()


def log_disposition(
    delivery: ClaimedDelivery, disposition: Disposition, reply: Reply, *, seconds: float, uncertain: bool
) -> None:
    """Write what an attempt came to: a line for each kind of outcome and reply."""
    message = delivery.message
    about = {"queue_id": message.id, "delivery_id": delivery.id, "account": delivery.account}
    next_attempt = disposition.due if disposition.state is DeliveryState.QUEUED else None
    kinds = {r.n: r.kind for r in delivery.recipients}
    leaving = {recipient.address for recipient in disposition.leaving}
    for (verdict, answer, archive), addresses in _by_outcome(delivery.recipients, disposition.outcomes, kinds).items():
        facts = {**about, "recipients": addresses, "code": answer.code, "reply": str(answer)}
        if verdict is Verdict.DELIVERED:
            log.info("message_delivered", **about, recipients=addresses, reply=str(answer), seconds=round(seconds, 3))
        elif verdict is Verdict.DEFERRED:
            due = disposition.leaving_due if leaving.issuperset(addresses) else next_attempt
            log.warning("delivery_deferred", **facts, next_attempt=utc_time(due))
        elif archive:
            log.error("archive_failed", **facts)
        else:
            log.error("message_bounced", **facts)
    if uncertain:
        log.warning("possible_duplicate", **about, reason=f"no answer to the final dot: {reply}",
                    next_attempt=utc_time(next_attempt))  # fmt: skip
    if disposition.state is DeliveryState.HELD:
        log.error("delivery_held", **about, reason="it may have been sent already")


def log_lost(delivery: ClaimedDelivery, reason: str, *, outcomes: Iterable[tuple[int, Outcome]] = ()) -> None:
    """Say that another has a delivery whose attempt ended here; whom the provider took it for may get it twice."""
    about = {"queue_id": delivery.message.id, "delivery_id": delivery.id, "account": delivery.account}
    log.warning("claim_lost", **about, reason=reason)
    addresses = {r.n: r.address for r in delivery.recipients}
    delivered = [(addresses[n], outcome) for n, outcome in outcomes if outcome.verdict is Verdict.DELIVERED]
    if delivered:
        log.info("message_delivered", **about, recipients=[address for address, _ in delivered],
                 reply=str(delivered[0][1].reply), seconds=None)  # fmt: skip
        log.warning("possible_duplicate", **about, reason="taken under a claim that had run out",
                    next_attempt=None)  # fmt: skip


def log_doubts(deliveries: Sequence[ClaimedDelivery], *, reason: str, now: int) -> int:
    """Say which mails may have been sent by an attempt that nobody ended; tells how many of them are held."""
    held = [d for d in deliveries if d.uncertain >= MOST_UNCERTAIN]
    for delivery in deliveries:
        log.warning(
            "possible_duplicate",
            queue_id=delivery.message.id,
            delivery_id=delivery.id,
            account=delivery.account,
            reason=reason,
            next_attempt=None if delivery in held else utc_time(now),
        )
    for delivery in held:
        log.error("delivery_held", queue_id=delivery.message.id, delivery_id=delivery.id, account=delivery.account,
                  reason="it may have been sent twice already")  # fmt: skip
    return len(held)


def log_notices(notices: Iterable[NewMessage]) -> None:
    """Write for whom notices were queued."""
    for notice in notices:
        (delivery,) = notice.deliveries
        way = "mail" if delivery.destination.is_account else "inbox"
        log.info("notice_queued", queue_id=notice.message.id, about=notice.message.about,
                 to=delivery.recipients[0].address, way=way, kind=notice.message.rule)  # fmt: skip


def _by_outcome(
    recipients: Sequence[Recipient], outcomes: Iterable[tuple[int, Outcome]], kinds: dict[int, RecipientKind]
) -> dict[tuple[Verdict, Reply, bool], list[str]]:
    addresses = {r.n: r.address for r in recipients}
    grouped: dict[tuple[Verdict, Reply, bool], list[str]] = {}
    for n, outcome in outcomes:
        archive = kinds[n] is RecipientKind.ARCHIVE and outcome.verdict is Verdict.BOUNCED
        grouped.setdefault((outcome.verdict, outcome.reply, archive), []).append(addresses[n])
    return grouped
