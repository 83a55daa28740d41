"""The part of a DSN that is for machines: `message/delivery-status` (RFC 3464 section 2, RFC 6533 section 3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from relay.model.address import ascii_domain
from relay.model.reply import Reply
from relay.rules.dsn import decode_xtext
from relay.rules.notice_advice import FailureReason
from relay.rules.notice_mime import ascii_only, make_field, plain, safe_domain
from relay.rules.notice_texts import Report

_STATUS = re.compile(r"[245](\.[0-9]{1,3}\.[0-9]{1,3})")


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedRecipient:
    """A recipient who does not get a mail."""

    address: str
    """The addr-spec as the envelope had it."""
    reply: Reply
    """The last reply, or our own words where none came."""
    reason: FailureReason
    orcpt: str = ""
    """ORCPT of RFC 3461, as `type;xtext`."""
    last_attempt: datetime | None = None
    """When he was tried last; None where he never was."""


def is_international(recipients: Sequence[FailedRecipient]) -> bool:
    """Return whether an address can't be written in ASCII, so that the types of RFC 6533 are needed."""
    return not all(_wire(recipient.address).isascii() for recipient in recipients)


def write_status(
    report: Report,
    recipients: Sequence[FailedRecipient],
    *,
    hostname: str,
    queue_id: str,
    envelope_id: str,
    sent: datetime,
    retry_until: datetime | None,
) -> bytes:
    """Write the fields about the message, then those about each recipient, with blank lines between them."""
    international = is_international(recipients)
    blocks = [_message_status(hostname, queue_id, envelope_id, sent)]
    blocks += [_recipient_status(r, _wire(r.address), report, retry_until, international=international)
               for r in recipients]  # fmt: skip
    return b"\r\n".join(blocks)


def _wire(address: str) -> str:
    """Return an address as RFC 3464 wants it: in ASCII where the domain's A-labels are enough for that."""
    address = plain(address)
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{ascii_domain(domain)}" if local.isascii() and not domain.isascii() else address


def _message_status(hostname: str, queue_id: str, envelope_id: str, sent: datetime) -> bytes:
    """Write the fields about the message (RFC 3464 section 2.2)."""
    fields = make_field("Reporting-MTA", f"dns; {safe_domain(ascii_domain(hostname))}")
    if envelope_id:
        fields = make_field("Original-Envelope-Id", ascii_only(plain(envelope_id))) + fields
    fields += make_field("X-Relay-Queue-ID", ascii_only(plain(queue_id)))
    return fields + make_field("Arrival-Date", format_datetime(sent))


def _recipient_status(
    recipient: FailedRecipient,
    address: str,
    report: Report,
    retry_until: datetime | None,
    *,
    international: bool,
) -> bytes:
    """Write the fields about a recipient (RFC 3464 section 2.3; the address type is that of RFC 6533 section 3)."""
    reply, tried = recipient.reply, recipient.last_attempt
    said = plain(str(reply)) if international else ascii_only(plain(str(reply)))
    kind, _, original = recipient.orcpt.partition(";")
    original = plain(decode_xtext(original))
    first = make_field("Original-Recipient", f"{kind}; {original if international else ascii_only(original)}")
    last = b"" if retry_until is None else make_field("Will-Retry-Until", format_datetime(retry_until))
    return (
        (first if original else b"")
        + make_field("Final-Recipient", f"{'rfc822' if address.isascii() else 'utf-8'}; {address}")
        + make_field("Action", report)
        + make_field("Status", _status_of(recipient, report))
        + make_field("Diagnostic-Code", f"{'smtp' if reply.code else 'x-relay'}; {said or 'no reply'}")
        + (b"" if tried is None else make_field("Last-Attempt-Date", format_datetime(tried)))
        + last
    )


def _status_of(recipient: FailedRecipient, report: Report) -> str:
    """Choose the status code; its class is that of the report (RFC 3463 section 3.1), whatever the provider wrote."""
    if report is Report.RELAYED:
        return "2.1.9"  # RFC 3886: relayed to a mail system that confirms nothing
    match = _STATUS.fullmatch(recipient.reply.enhanced)
    if report is Report.DELAYED:
        return f"4{match[1]}" if match else "4.4.7"
    if recipient.reason is FailureReason.EXPIRED:
        return "4.4.7"
    return f"5{match[1]}" if match else "5.0.0"
