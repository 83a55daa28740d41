"""The fields that a relay adds and removes: Received, the loop field, Message-ID, Date, Bcc (RFC 5321 section 4.4)."""

import re
from datetime import datetime
from email.utils import format_datetime

from relay.model.address import ascii_domain
from relay.model.envelope import Client, Envelope
from relay.rules.headers import find_values, split_fields

LOOP_FIELD = "Relay-Loop"
MAX_RECEIVED = 100
MAX_LOOPS = 3
"""A mail that is redirected may rightly pass us again."""
_REMOVED = frozenset({"bcc", "resent-bcc", "return-path"})
_HELO = re.compile(r"[^A-Za-z0-9.:\[\]_-]")


def received_field(
    *, client: Client, envelope: Envelope, hostname: str, queue_id: str, show_client: bool, at: datetime
) -> bytes:
    """Write our Received field; the client's address and name only if `show_client`."""
    origin = "localhost (client not shown)"
    if show_client:
        literal = f"IPv6:{client.ip}" if client.ip.version == 6 else str(client.ip)
        origin = f"{_HELO.sub('', client.helo)[:200] or 'unknown'} ([{literal}])"
    lines = [f"Received: from {origin}", f" by {hostname} with {_protocol(client, envelope)} id {queue_id}"]
    if len(envelope.recipients) == 1:
        lines.append(f" for <{envelope.recipients[0].wire}>")
    return ("\r\n".join(lines) + f";\r\n {format_datetime(at)}\r\n").encode()


def _protocol(client: Client, envelope: Envelope) -> str:
    if not client.esmtp and not envelope.smtputf8:
        return "SMTP"
    return ("UTF8SMTP" if envelope.smtputf8 else "ESMTP") + "S" * client.tls + "A" * (client.login is not None)


def stamp_header(
    block: bytes, *, received: bytes, hostname: str, queue_id: str, message_id_domain: str, at: datetime
) -> bytes:
    """Add our fields, and Message-ID and Date where they are missing; remove what must not leave."""
    fields = split_fields(block)
    keys = {field.key for field in fields}
    kept = b"".join(field.raw for field in fields if field.key not in _REMOVED)
    if kept and not kept.endswith(b"\r\n"):
        kept += b"\r\n"
    added = received + f"{LOOP_FIELD}: {hostname}\r\n".encode()
    if "message-id" not in keys:
        kept += f"Message-ID: <{queue_id}@{ascii_domain(message_id_domain).strip('[]')}>\r\n".encode()
    if "date" not in keys:
        kept += f"Date: {format_datetime(at)}\r\n".encode()
    return added + kept


def received_count(block: bytes) -> int:
    """Count the Received fields."""
    return sum(field.key == "received" for field in split_fields(block))


def loop_count(block: bytes, hostname: str) -> int:
    """Count how often this host has relayed the mail already."""
    wanted = hostname.lower().encode()
    return sum(value.lower() == wanted for value in find_values(block, LOOP_FIELD))
