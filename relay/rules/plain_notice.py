"""A notice of plain paragraphs: what the mail service says of itself, in words that its caller has chosen."""

from collections.abc import Sequence
from datetime import datetime

from relay.model.address import Address, ascii_domain
from relay.rules.notice import Notice, common_fields
from relay.rules.notice_mime import TEXT_FIELDS, encode_text, make_subject, plain, safe_domain
from relay.rules.notice_texts import TEXTS

_TITLE_OCTETS = 400


def plain_notice(
    *,
    language: str,
    hostname: str,
    notice_id: str,
    at: datetime,
    sender: Address,
    to: Address,
    to_name: str,
    title: str,
    paragraphs: Sequence[str],
) -> Notice:
    """Write a notice: `title` becomes its subject, the paragraphs its text; empty ones are left out.

    It says that it was made automatically (RFC 3834), and has our loop field. `notice_id` must be new; what strangers
    said in the paragraphs was made `plain` by whoever wrote them.
    """
    texts = TEXTS[language]
    message_id, fields = common_fields(
        hostname=hostname,
        notice_id=notice_id,
        at=at,
        sender_name=texts.sender_name,
        sender=sender,
        to=to,
        to_name=to_name,
    )
    subject = plain(title, _TITLE_OCTETS)
    closing = texts.closing.format(hostname=safe_domain(ascii_domain(hostname)))
    text = "\n\n".join(paragraph for paragraph in (*paragraphs, closing) if paragraph) + "\n"
    header = make_subject(subject) + fields + b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n" + TEXT_FIELDS
    return Notice(header=header, body=encode_text(text), message_id=message_id, subject=subject)
