"""The part of a DSN that is for machines: `message/delivery-status` (RFC 3464 section 2, RFC 6533 section 3)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from relay.model.address import ascii_domain
from relay.rules.disposition import Failure
from relay.rules.dsn import decode_xtext
from relay.rules.notice_mime import ascii_only, make_field, plain, safe_domain
from relay.rules.notice_texts import Others, Report

_STATUS = re.compile(r"[245](\.[0-9]{1,3}\.[0-9]{1,3})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What a DSN tells of a mail and of some of its recipients."""

    report: Report
    recipients: Sequence[Failure]
    queue_id: str
    header: bytes
    body: bytes | None
    """None: the header alone is attached."""
    subject: str
    sent: datetime
    """When it came to us: aware, in the zone that people read."""
    envelope_id: str = ""
    """The client's ENVID, decoded."""
    others: Others = Others.NONE
    """What became of the recipients who are not named."""
    retry_until: datetime | None = None
    """With `DELAYED`: when it is given up."""
    doubtful: bool = False
    """Whether a failed mail may have arrived."""
    account: str = ""
    """The account's name, where the reader looks after the mail service: he reads what mends it, with its commands."""

    @property
    def is_international(self) -> bool:
        """Whether an address can't be written in ASCII, so that the types of RFC 6533 are needed."""
        return not all(_wire(one.recipient.address).isascii() for one in self.recipients)


def write_status(story: Story, hostname: str) -> bytes:
    """Write the fields about the message (RFC 3464 section 2.2), then each recipient's, with blank lines between."""
    fields = make_field("Reporting-MTA", f"dns; {safe_domain(ascii_domain(hostname))}")
    if story.envelope_id:
        fields = make_field("Original-Envelope-Id", ascii_only(plain(story.envelope_id))) + fields
    fields += make_field("X-Relay-Queue-ID", ascii_only(plain(story.queue_id)))
    fields += make_field("Arrival-Date", format_datetime(story.sent))
    written = str if story.is_international else ascii_only
    return b"\r\n".join([fields, *(_recipient_status(one, story, written) for one in story.recipients)])


def _wire(address: str) -> str:
    """Return an address as RFC 3464 wants it: in ASCII where the domain's A-labels are enough for that."""
    address = plain(address)
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{ascii_domain(domain)}" if local.isascii() and not domain.isascii() else address


def _recipient_status(one: Failure, story: Story, written: Callable[[str], str]) -> bytes:
    """Write the fields about a recipient (RFC 3464 section 2.3; the address type is that of RFC 6533 section 3)."""
    reply, address, tried, until = one.reply, _wire(one.recipient.address), one.last_attempt, story.retry_until
    kind, _, original = one.recipient.orcpt.partition(";")
    original = written(plain(decode_xtext(original)))
    said = written(plain(str(reply))) or "no reply"
    fields = (
        ("Original-Recipient", original and f"{kind}; {original}"),
        ("Final-Recipient", f"{'rfc822' if address.isascii() else 'utf-8'}; {address}"),
        ("Action", story.report),
        ("Status", _status_of(one, story.report)),
        ("Diagnostic-Code", f"{'smtp' if reply.code else 'x-relay'}; {said}"),
        ("Last-Attempt-Date", tried and format_datetime(tried)),
        ("Will-Retry-Until", until and format_datetime(until)),
    )
    return b"".join(make_field(name, value) for name, value in fields if value)


def _status_of(one: Failure, report: Report) -> str:
    """Choose the status code; its class is that of the report (RFC 3463 section 3.1), whatever the provider wrote."""
    if report is Report.RELAYED:
        return "2.1.9"  # RFC 3886: relayed to a mail system that confirms nothing
    match = _STATUS.fullmatch(one.reply.enhanced)
    if report is Report.DELAYED:
        return f"4{match[1]}" if match else "4.4.7"
    if one.expired:
        return "4.4.7"
    return f"5{match[1]}" if match else "5.0.0"
