"""The log lines of a mail that comes in."""

import structlog

from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.mail import Message
from relay.model.route import Refusal, RemoveFields, RoutePlan

log = structlog.get_logger()


def log_accepted(message: Message, *, plan: RoutePlan, envelope: Envelope, archive: tuple[Address, ...]) -> None:
    """Say that a mail is in the queue, and what was decided."""
    log.info(
        "message_accepted",
        queue_id=message.id,
        client=message.client,
        user=plan.user,
        identity=plan.identity,
        rule=plan.rule,
        account=plan.account,
        sender_before=plan.sender_before and str(plan.sender_before),
        sender_after=str(plan.sender_after),
        recipients=[str(address) for address in envelope.recipients],
        archive=[str(address) for address in archive],
        size=message.size,
        message_id=message.header_message_id,
    )
    signatures = sum(
        len(edit.positions or ())
        for edit in plan.edits
        if isinstance(edit, RemoveFields) and edit.name.lower() == "dkim-signature"
    )
    if signatures:
        log.info("signature_removed", queue_id=message.id, account=plan.account, count=signatures)


def log_stripped(queue_id: str, files: int) -> None:
    """Say that the archive gets its copy without so many TIFF files."""
    log.info("tiff_stripped", queue_id=queue_id, files=files)


def log_refused(refusal: Refusal, *, queue_id: str, client: Client) -> None:
    """Say why a mail was not taken."""
    log.warning(
        "message_rejected",
        queue_id=queue_id,
        client=str(client.ip),
        user=refusal.user,
        reason=refusal.reason,
        code=refusal.reply.code,
        reply=str(refusal.reply),
        account=refusal.account,
        sender_before=refusal.sender_before and str(refusal.sender_before),
    )
