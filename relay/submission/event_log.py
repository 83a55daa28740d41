"""What is logged of a mail that comes in: that it was accepted and what was decided, or why it was refused."""

from relay.emitting import emit
from relay.events.submission import MessageAccepted, MessageRejected, SignatureRemoved, TiffStripped
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.mail import Message
from relay.model.route import Refusal, RemoveFields, RoutePlan


def log_accepted(
    message: Message, *, plan: RoutePlan, envelope: Envelope, archive: tuple[Address, ...], tiffs: int
) -> None:
    """Log that a mail is in the queue, what was decided, and what was removed: signatures, TIFFs of the archive."""
    emit(
        MessageAccepted(
            queue_id=message.id,
            client=message.client,
            user=plan.user,
            identity=plan.identity,
            rule=plan.rule,
            account=plan.account,
            sender_before=_written(plan.sender_before),
            sender_after=str(plan.sender_after),
            recipients=[str(address) for address in envelope.recipients],
            archive=[str(address) for address in archive],
            size=message.size,
            message_id=message.header_message_id,
        )
    )
    signatures = sum(
        len(edit.positions or ())
        for edit in plan.edits
        if isinstance(edit, RemoveFields) and edit.name.lower() == "dkim-signature"
    )
    if signatures:
        emit(SignatureRemoved(queue_id=message.id, account=plan.account, count=signatures))
    if tiffs:
        emit(TiffStripped(queue_id=message.id, files=tiffs))


def log_refused(refusal: Refusal, *, queue_id: str, client: Client) -> None:
    """Log why a mail was not accepted."""
    emit(
        MessageRejected(
            queue_id=queue_id,
            client=str(client.ip),
            user=refusal.user,
            reason=refusal.reason,
            code=refusal.reply.code,
            reply=str(refusal.reply),
            account=refusal.account,
            sender_before=_written(refusal.sender_before),
        )
    )


def _written(address: Address | None) -> str | None:
    return None if address is None else str(address)
