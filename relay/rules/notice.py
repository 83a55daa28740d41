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
    replace_field,
    safe_domain,
)
from relay.rules.notice_status import Story, write_status
from relay.rules.notice_texts import TEXTS
from relay.rules.notice_wording import AlertFacts, close_text, word_alert, word_report

_SUBJECT_OCTETS = 200
_TITLE_OCTETS = 400
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterhead:
    """What the header of every notice is made of."""

    language: str
    """A key of `TEXTS`."""
    hostname: str
    notice_id: str
    """New and hard to guess: the boundary between the parts comes from it."""
    at: datetime
    """When it is written: aware, in the zone that people read."""
    sender: Address
    reader: User


def report_notice(head: Letterhead, story: Story) -> Notice:
    """Write a DSN: that a mail failed for some recipients, still waits, or was handed over (RFC 3464).

    Where an address needs it, the parts have the types of RFC 6533.
    """
    subject, text = word_report(head.language, head.hostname, story)
    status_type = "message/global-delivery-status" if story.is_international else "message/delivery-status"
    parts = (
        TEXT_FIELDS + b"\r\n" + encode_text(text),
        _part(status_type, write_status(story, head.hostname)),
        _original_part(story),
    )
    boundary = make_boundary(head.notice_id, parts)
    body = join_parts(boundary, parts)
    message_id, fields = _common_fields(head)
    original_id = find_message_id(story.header)
    if original_id is not None:
        fields += make_field("In-Reply-To", original_id) + make_field("References", original_id)
    fields += b"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
    fields += f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n'.encode()
    if not body.isascii():
        fields += _EIGHT_BIT
    return Notice(header=make_subject(subject) + fields, body=body, message_id=message_id, subject=subject)


def alert_notice(head: Letterhead, facts: AlertFacts, *, helped: bool = False) -> Notice:
    """Write an alert; `helped`: somebody else than its reader looks after the mail service."""
    return _text_notice(head, *word_alert(head.language, head.hostname, facts, helped=helped))


def plain_notice(head: Letterhead, title: str, paragraphs: Sequence[str]) -> Notice:
    """Write a notice: `title` becomes its subject, the paragraphs its text; empty ones are left out.

    What strangers said in the paragraphs must have been made `plain` by the caller.
    """
    return _text_notice(head, plain(title, _TITLE_OCTETS), close_text(head.language, paragraphs, head.hostname))


def _text_notice(head: Letterhead, subject: str, text: str) -> Notice:
    """Write a notice that is no DSN as plain text. It says that it was made automatically (RFC 3834)."""
    message_id, fields = _common_fields(head)
    header = make_subject(subject) + fields + b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n" + TEXT_FIELDS
    return Notice(header=header, body=encode_text(text), message_id=message_id, subject=subject)


def change_sender(header: bytes, *, language: str, sender: Address) -> bytes:
    """Replace the sender of a notice that was written before: it leaves through another account. Returns the header."""
    return replace_field(header, make_mailbox("From", TEXTS[language].sender_name, sender))


def notice_reader(*, directory: Directory, submitter: str | None, account: Account | None) -> User:
    """Return who is told of a failure: the submitting user, else the account's owner, else the postmaster.

    Raises LookupError where there is no postmaster, which no valid configuration lets happen.
    """
    names = (submitter, None if account is None else account.owner, directory.postmaster)
    user = next(filter(None, map(directory.user, names)), None)
    if user is None:
        raise LookupError("the postmaster is no user")
    return user


def notice_way(*, directory: Directory, user: User) -> Notify:
    """Choose how a user is told: as he wants, else into his inbox if an account of his is collected, else by mail."""
    if user.notify is not None:
        return user.notify
    return Notify.INBOX if has_inbox(directory=directory, user=user) else Notify.MAIL


def has_inbox(*, directory: Directory, user: User) -> bool:
    """Return whether a user reads his inbox, as far as is known: he wants notices there, or it gets collected mail."""
    return user.notify is Notify.INBOX or any(
        account.is_collected and account.owner == user.name for account in directory.accounts
    )


def redirect(header: bytes, *, language: str, subject: str, reader: str) -> bytes:
    """Name in the Subject the reader of a notice that somebody else gets, who can't be reached. Returns the header."""
    named = TEXTS[language].for_another.format(reader=plain(reader, _SUBJECT_OCTETS), subject=subject)
    return replace_field(header, make_subject(named))


def _common_fields(head: Letterhead) -> tuple[str, bytes]:
    """Return the Message-ID and the fields that every notice has, the loop field among them."""
    token = re.sub(r"[^A-Za-z0-9]", "", head.notice_id)[:64] or "notice"
    message_id = f"<{token}@{safe_domain(ascii_domain(head.sender.domain)).strip('[]')}>"
    fields = (
        make_mailbox("From", TEXTS[head.language].sender_name, head.sender),
        make_mailbox("To", head.reader.name, head.reader.address),
        make_field("Date", format_datetime(head.at)),
        make_field("Message-ID", message_id),
        make_field("Relay-Loop", safe_domain(ascii_domain(head.hostname))),
    )
    return message_id, b"".join(fields)


def _original_part(story: Story) -> bytes:
    # A header with raw UTF-8 stays message/rfc822 where the addresses are plain: few mail programs open message/global.
    header = story.header
    if header and not header.endswith(b"\r\n"):
        header += b"\r\n"
    if story.body is None:
        return _part("message/global-headers" if story.is_international else "text/rfc822-headers", header)
    return _part("message/global" if story.is_international else "message/rfc822", header + b"\r\n" + story.body)


def _part(content_type: str, content: bytes) -> bytes:
    encoding = b"" if content.isascii() else _EIGHT_BIT
    return f"Content-Type: {content_type}\r\n".encode() + encoding + b"\r\n" + content
