"""Notices: what the relay itself writes to people (RFC 3461 to 3464, 6522, 6533).

A failed mail is reported as `multipart/report`: plain words, the same for machines, and the mail itself, whose bytes
stay as they are. An alert is a plain text. Nothing that a provider said or a mail contained can add a field or a part.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from relay.model.account import Account, Directory, Notify, User
from relay.model.address import Address, ascii_domain
from relay.rules.notice_advice import FailureReason
from relay.rules.notice_mime import (
    TEXT_FIELDS,
    encode_text,
    find_message_id,
    join_parts,
    make_boundary,
    make_field,
    make_mailbox,
    make_subject,
    plain,
    replace_sender,
    replace_subject,
    safe_domain,
)
from relay.rules.notice_status import FailedRecipient, is_international, write_status
from relay.rules.notice_texts import TEXTS, Alert, Others, Report
from relay.rules.notice_wording import Facts, Story, others_of, word_alert, word_report

__all__ = [
    "Alert",
    "Facts",
    "FailedRecipient",
    "FailureReason",
    "Notice",
    "Others",
    "Report",
    "alert_notice",
    "change_sender",
    "has_inbox",
    "notice_reader",
    "notice_way",
    "others_of",
    "redirect",
    "report_notice",
]

_SUBJECT_OCTETS = 200
_EIGHT_BIT = b"Content-Transfer-Encoding: 8bit\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A mail of ours, ready to be queued."""

    header: bytes
    """Every field with CRLF, without the blank line."""
    body: bytes
    message_id: str
    """With its angle brackets."""
    subject: str
    """Decoded, for people."""


def report_notice(  # noqa: PLR0913 - each is one of the facts that the notice tells
    *,
    language: str,
    hostname: str,
    queue_id: str,
    notice_id: str,
    at: datetime,
    sender: Address,
    to: Address,
    to_name: str,
    failed: Sequence[FailedRecipient],
    original_header: bytes,
    original_body: bytes | None,
    original_subject: str,
    original_sent: datetime,
    envelope_id: str = "",
    report: Report = Report.FAILED,
    retry_until: datetime | None = None,
    doubtful: bool = False,
    others: Others = Others.NONE,
) -> Notice:
    """Write a DSN: that a mail failed for some recipients, still waits, or was handed over (RFC 3464).

    `language` is a key of `TEXTS`; `notice_id` must be new and hard to guess, since the boundary comes from it; `at` is
    the time of the notice; times are aware, and shown to people in their own zone. Without `original_body` only
    the header is attached. Where an address needs it, the parts have the types of RFC 6533. `envelope_id` is the
    client's ENVID, decoded; `retry_until` goes with `DELAYED`; `doubtful`: a failed mail may have arrived; `others`:
    what became of the recipients who are not named.
    """
    texts = TEXTS[language]
    international = is_international(failed)
    story = Story(
        subject=original_subject,
        sent=original_sent,
        queue_id=queue_id,
        hostname=hostname,
        whole=original_body is not None,
        others=others,
        retry_until=retry_until,
        doubtful=doubtful,
    )
    subject, text = word_report(language, report, failed, story)
    status = write_status(
        report,
        failed,
        hostname=hostname,
        queue_id=queue_id,
        envelope_id=envelope_id,
        sent=original_sent,
        retry_until=retry_until,
    )
    parts = (
        TEXT_FIELDS + b"\r\n" + encode_text(text),
        _part("message/global-delivery-status" if international else "message/delivery-status", status),
        _original_part(original_header, original_body, international=international),
    )
    boundary = make_boundary(notice_id, parts)
    body = join_parts(boundary, parts)
    message_id, fields = common_fields(
        hostname=hostname,
        notice_id=notice_id,
        at=at,
        sender_name=texts.sender_name,
        sender=sender,
        to=to,
        to_name=to_name,
    )
    original_id = find_message_id(original_header)
    if original_id is not None:
        fields += make_field("In-Reply-To", original_id) + make_field("References", original_id)
    fields += b"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
    fields += f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n'.encode()
    if not body.isascii():
        fields += _EIGHT_BIT
    return Notice(header=make_subject(subject) + fields, body=body, message_id=message_id, subject=subject)


def alert_notice(
    *,
    kind: Alert,
    language: str,
    notice_id: str,
    at: datetime,
    sender: Address,
    to: Address,
    to_name: str,
    facts: Facts,
) -> Notice:
    """Write an alert, or another notice that is no DSN, as plain text."""
    title, text = word_alert(language, kind, facts)
    message_id, fields = common_fields(
        hostname=facts.hostname,
        notice_id=notice_id,
        at=at,
        sender_name=TEXTS[language].sender_name,
        sender=sender,
        to=to,
        to_name=to_name,
    )
    header = make_subject(title) + fields + b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n" + TEXT_FIELDS
    return Notice(header=header, body=encode_text(text), message_id=message_id, subject=title)


def change_sender(header: bytes, *, language: str, sender: Address) -> bytes:
    """Write another sender into a notice that was written before: it leaves through another account."""
    return replace_sender(header, TEXTS[language].sender_name, sender)


def notice_reader(*, directory: Directory, submitter: str | None, account: Account | None) -> User:
    """Find who is told of a failure: the submitting user, else the account's owner, else the postmaster.

    Raises LookupError where there is no postmaster, which no valid configuration lets happen.
    """
    names = (submitter, None if account is None else account.owner, directory.postmaster)
    for name in names:
        user = directory.user(name)
        if user is not None:
            return user
    raise LookupError("the postmaster is no user")


def notice_way(*, directory: Directory, user: User) -> Notify:
    """Choose how a user is told: as he wants, else into his inbox if an account of his is collected, else by mail."""
    if user.notify is not None:
        return user.notify
    return Notify.INBOX if has_inbox(directory=directory, user=user) else Notify.MAIL


def has_inbox(*, directory: Directory, user: User) -> bool:
    """Tell whether a user reads his inbox, as far as is known: he wants notices there, or it gets collected mail."""
    return user.notify is Notify.INBOX or any(
        account.is_collected and account.owner == user.name for account in directory.accounts
    )


def redirect(header: bytes, *, language: str, subject: str, reader: str) -> bytes:
    """Say in the Subject for whom a notice was written that somebody else gets, since its reader can't be reached."""
    texts = TEXTS[language]
    return replace_subject(header, texts.for_another.format(reader=plain(reader, _SUBJECT_OCTETS), subject=subject))


def common_fields(
    *, hostname: str, notice_id: str, at: datetime, sender_name: str, sender: Address, to: Address, to_name: str
) -> tuple[str, bytes]:
    """Give the Message-ID and the fields that every notice has."""
    token = re.sub(r"[^A-Za-z0-9]", "", notice_id)[:64] or "notice"
    message_id = f"<{token}@{safe_domain(ascii_domain(sender.domain)).strip('[]')}>"
    fields = (
        make_mailbox("From", sender_name, sender),
        make_mailbox("To", to_name, to),
        make_field("Date", format_datetime(at)),
        make_field("Message-ID", message_id),
        make_field("Relay-Loop", safe_domain(ascii_domain(hostname))),
    )
    return message_id, b"".join(fields)


def _original_part(header: bytes, body: bytes | None, *, international: bool) -> bytes:
    # A header with raw UTF-8 stays message/rfc822 where the addresses are plain: few mail programs open message/global.
    if header and not header.endswith(b"\r\n"):
        header += b"\r\n"
    if body is None:
        return _part("message/global-headers" if international else "text/rfc822-headers", header)
    return _part("message/global" if international else "message/rfc822", header + b"\r\n" + body)


def _part(content_type: str, content: bytes) -> bytes:
    encoding = b"" if content.isascii() else _EIGHT_BIT
    return f"Content-Type: {content_type}\r\n".encode() + encoding + b"\r\n" + content
