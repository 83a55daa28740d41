"""The mail that the account doctor sends to itself, and what changed of it on its way."""

import datetime as dt
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime
from typing import Final

_BODY: Final = (
    "This is a test of the mail service: it went to the provider and is to be\r\n"
    "fetched back. It may be deleted.\r\n"
    "\r\n"
    ".a line that begins with a dot\r\n"
    "From the beginning of this line nothing may be changed\r\n"
    "a line that ends with blanks  \r\n"
)
"""With what is changed on a careless way (RFC 5321 section 4.5.2; the mbox format)."""
_KEPT: Final = ("From", "To", "Subject", "Date", "Message-ID")
_ADDED: Final = ("Sender", "Reply-To")
_LONGEST: Final = 200
"""Characters of a field that are shown."""


def compose_test(token: str, *, address: str, hostname: str, at: dt.datetime) -> tuple[bytes, bytes]:
    """Write the mail; returns its header and its body, without the empty line. `token` tells it from any other."""
    fields = (
        f"Date: {format_datetime(at)}",
        f"From: <{address}>",
        f"To: <{address}>",
        f"Subject: Test of the mail service ({token})",
        f"Message-ID: <{token}@{hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f"Content-Type: text/plain; charset={'us-ascii' if address.isascii() else 'utf-8'}",
    )
    return "\r\n".join((*fields, "")).encode(), _BODY.encode()


def is_test(token: str, raw: bytes) -> bool:
    """Return whether a message is the one with this token, whatever was changed of it."""
    header = raw.partition(b"\r\n\r\n")[0]
    return f"({token})".encode() in header or f"<{token}@".encode() in header


def tell_changes(sent: tuple[bytes, bytes], came: bytes) -> list[str]:
    """Say what changed between what was sent and what came, a sentence for each; empty where nothing did."""
    parser = BytesParser()
    before, after = parser.parsebytes(sent[0] + b"\r\n"), parser.parsebytes(came)
    changes = [
        f"{name} was {_field(before, name)!r} and is {_field(after, name)!r}."
        for name in _KEPT
        if _field(before, name) != _field(after, name)
    ]
    changes += [f"{name} was added: {_field(after, name)!r}." for name in _ADDED if after[name] is not None]
    if sent[1].rstrip(b"\r\n") != _body(came):
        changes.append("The text is another one, such as with lines that were added or folded.")
    return changes


def _field(message: Message, name: str) -> str:
    found = message.get_all(name)
    return "" if found is None else " ".join(" | ".join(map(str, found)).split())[:_LONGEST]


def _body(raw: bytes) -> bytes:
    """Return the text; empty lines at its end come and go with each program."""
    return raw.partition(b"\r\n\r\n")[2].rstrip(b"\r\n")
