"""Begins a transaction without finishing it, to find out whether the provider accepts an address as the sender."""

from dataclasses import dataclass

from relay.model.address import Address
from relay.model.reply import Reply
from relay.upstream.stream import SmtpStream
from relay.upstream.transaction import NO_SMTPUTF8


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """The server's replies."""

    mail: Reply
    """To MAIL FROM the address."""
    recipient: Reply | None
    """To RCPT TO the same address; None if MAIL was refused."""


async def rehearse(stream: SmtpStream, address: Address, *, smtputf8: bool, seconds: float) -> Rehearsal:
    """Send MAIL and RCPT with one address, then RSET, so that no mail is sent. Raises StreamLost.

    Both are needed: some servers refuse a sender only at RCPT, as Postfix does (`smtpd_delay_reject`).
    """
    if not address.wire.isascii() and not smtputf8:
        return Rehearsal(mail=NO_SMTPUTF8, recipient=None)
    option = "" if address.wire.isascii() else " SMTPUTF8"
    mail = await _say(stream, f"MAIL FROM:<{address.wire}>{option}", seconds)
    recipient = await _say(stream, f"RCPT TO:<{address.wire}>", seconds) if mail.is_positive else None
    await _say(stream, "RSET", seconds)
    return Rehearsal(mail=mail, recipient=recipient)


async def _say(stream: SmtpStream, command: str, seconds: float) -> Reply:
    stream.write(f"{command}\r\n".encode(), replies=1)
    return await stream.reply(seconds)
