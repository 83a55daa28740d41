"""Inspects a server that could not be used: whether its port begins with TLS, its greeting and its certificate.

No certificate is verified here, so nothing secret is sent and nobody logs in.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from relay.rules.certificates import Certificate, read_certificate
from relay.rules.replies import read_text
from relay.upstream.dialing import dial, tls_context
from relay.upstream.secrecy import Veil

PATIENCE: Final = 5.0
"""Seconds for each inspection."""
_LONGEST_LINE = 4096
_MOST_LINES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Speech:
    """How a session of one of the two protocols begins."""

    name: str
    greeting: bytes
    """What the server's first line begins with."""
    ask: bytes
    """The command that lists what the server offers."""
    encrypt: bytes
    """The keyword by which it offers TLS, which is also the command that starts it."""
    tls_port: int
    plain_port: int
    """The usual port for TLS that is started by a command."""

    def is_last(self, line: bytes) -> bool:
        """Return whether a line ends the list of what the server offers."""
        return line[3:4] != b"-" if self is SMTP else line.startswith((b"-ERR", b"."))


SMTP: Final = Speech(
    name="SMTP", greeting=b"220", ask=b"EHLO [127.0.0.1]", encrypt=b"STARTTLS", tls_port=465, plain_port=587
)
POP3: Final = Speech(name="POP3", greeting=b"+OK", ask=b"CAPA", encrypt=b"STLS", tls_port=995, plain_port=110)


async def begins_with_tls(host: str, port: int) -> bool:
    """Return whether a port speaks TLS from the first octet on, whatever its certificate is."""
    try:
        async with _connected(host, port, tls=True):
            return True
    except OSError:
        return False


async def hear_greeting(host: str, port: int, veil: Veil, *, tls: bool = False) -> str | None:
    """Return the first line that a server sends, veiled; None if it sends none or can't be reached this way."""
    try:
        async with _connected(host, port, tls=tls) as (reader, _):
            return read_text(veil.cover([(await _line(reader)).rstrip()])[0])
    except (OSError, EOFError):
        return None


async def hear_web_server(host: str, port: int, veil: Veil, *, tls: bool) -> str | None:
    """Return the first line of a server that answers a request of HTTP, veiled; None if it is none of these.

    Only for one that says nothing by itself: a server of mail greets first.
    """
    try:
        async with _connected(host, port, tls=tls) as (reader, writer):
            writer.write(b"HEAD / HTTP/1.0\r\n\r\n")
            line = (await _line(reader)).rstrip()
    except (OSError, EOFError):
        return None
    return read_text(veil.cover([line])[0]) if line.startswith(b"HTTP/") else None


async def offers_encryption(host: str, port: int, speech: Speech) -> bool:
    """Return whether a server that greets without TLS offers STARTTLS or STLS."""
    try:
        async with _connected(host, port, tls=False) as (reader, writer):
            return await _ask(reader, writer, speech)
    except (OSError, EOFError):
        return False


async def fetch_certificate(host: str, port: int, speech: Speech, *, at_once: bool) -> Certificate | None:
    """Fetch a server's certificate; None if there is none. `at_once`: its port begins with TLS, without a command."""
    try:
        async with _connected(host, port, tls=at_once) as (reader, writer):
            if not at_once:
                await _ask(reader, writer, speech)
                writer.write(speech.encrypt + b"\r\n")
                await _line(reader)
                await writer.start_tls(tls_context(None, verify=False), server_hostname=host)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    except (OSError, EOFError):
        return None
    return None if der is None else read_certificate(der)


@contextlib.asynccontextmanager
async def _connected(
    host: str, port: int, *, tls: bool
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect without verifying a certificate. Raises OSError; TimeoutError, which is one, if it takes too long."""
    async with asyncio.timeout(PATIENCE):
        connected = await dial(host, port, seconds=PATIENCE)
        context, name = (tls_context(None, verify=False), host) if tls else (None, None)
        reader, writer = await asyncio.open_connection(
            sock=connected, limit=_LONGEST_LINE, ssl=context, server_hostname=name
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speech: Speech) -> bool:
    """Read the greeting and what the server offers; return whether encryption is offered."""
    await _line(reader)
    writer.write(speech.ask + b"\r\n")
    found = False
    for _ in range(_MOST_LINES):
        line = await _line(reader)
        found = found or speech.encrypt in line.upper()
        if speech.is_last(line):
            break
    return found


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise OSError("a line without an end") from None
