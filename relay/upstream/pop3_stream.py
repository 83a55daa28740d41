"""The bytes of a POP3 connection: lines and multi-line answers in, commands out, TLS put on; all of it bounded.

Time is bounded by a credit of seconds: each command renews it, waiting uses it up, and octets that arrive add to it.
So a server that sends very slowly is given up nearly as soon as one that is silent.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import cast

from relay.rules.dot_stuffing import DotReader
from relay.rules.replies import read_text
from relay.upstream.dialing import dial
from relay.upstream.secrecy import Veil
from relay.upstream.stream import AwaitedProtocol, StreamLost

LONGEST_LINE = 8192
"""Octets of a status line or of a line of a listing; RFC 2449 allows 512."""
LEAST_RATE = 1_000
"""Octets a second that a server must send while it is waited for."""
_HIGH_WATER = 524_288
_PIECE = 65_536
"""Octets of a message that are looked at in one go."""
_END = b"\r\n.\r\n"
_TURN = 500
"""Lines that are read before other work gets its turn."""


class Pop3Stream(AwaitedProtocol):
    """One connection. No progress for `seconds` is a loss, and so is hardly any. Status lines come veiled."""

    def __init__(self, seconds: float, veil: Veil) -> None:
        super().__init__()
        self._seconds = self._credit = seconds
        self.veil = veil
        self._buffer = bytearray()
        self._paused = False

    @classmethod
    async def open(
        cls, host: str, port: int, *, context: ssl.SSLContext | None, seconds: float, veil: Veil
    ) -> "Pop3Stream":
        """Connect, with TLS from the beginning if a context is given. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        connected = await dial(host, port, seconds=seconds)
        async with asyncio.timeout(seconds):
            _, stream = await loop.create_connection(
                lambda: cls(seconds, veil), sock=connected, ssl=context, server_hostname=host if context else None
            )
        return stream

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Put TLS on. What was buffered in the clear is dropped (RFC 2595 section 4). Raises OSError, StreamLost."""
        self._buffer.clear()
        secured = await self._loop.start_tls(
            self.transport, self, context, server_hostname=host, ssl_handshake_timeout=self._seconds
        )
        if secured is None:
            raise StreamLost("the connection was lost")
        self.transport = secured
        self._buffer.clear()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Buffer what has come; a server that sends faster than we write has to wait."""
        self._buffer += data
        if len(self._buffer) > _HIGH_WATER and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    # What the session calls

    def write(self, data: bytes) -> None:
        """Send commands. Raises StreamLost."""
        if self._lost is not None or self.transport.is_closing():
            raise StreamLost(self._lost or "the connection was closed")
        self._credit = self._seconds
        self.transport.write(data)

    async def read_status(self) -> tuple[bool, str]:
        """Read +OK or -ERR with its text, veiled and made harmless. Raises StreamLost for anything else."""
        return self.status_of(await self.read_line())

    async def read_refusal(self) -> str | None:
        """Read the text of -ERR; None for +OK, the words of which are not looked at. Raises StreamLost as above."""
        line = await self.read_line()
        if line == b"+OK" or line.startswith(b"+OK "):
            return None
        good, text = self.status_of(line)
        return None if good else text

    def status_of(self, line: bytes) -> tuple[bool, str]:
        """Return what a status line means: whether it is +OK, and its text. Raises StreamLost for anything else."""
        word, _, text = line.partition(b" ")
        if word.upper() not in (b"+OK", b"-ERR"):
            raise StreamLost("an answer that is no POP3")
        return word.upper() == b"+OK", read_text(self.veil.cover([text])[0])

    async def read_lines(self, most: int) -> AsyncIterator[bytes]:
        """Yield the lines of a multi-line answer, `most` of them at most. Raises StreamLost."""
        count = 0
        while (line := await self.read_line()) != b".":
            count += 1
            if count > most:
                raise StreamLost("an answer without an end")
            if count % _TURN == 0:
                await asyncio.sleep(0)
            yield line.removeprefix(b".")

    async def read_line(self) -> bytes:
        """Return the next line without its end. Raises StreamLost."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE:
                raise StreamLost("a line without an end")
            await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if len(line) > LONGEST_LINE:
            raise StreamLost("a line that is too long")
        return line.removesuffix(b"\r")

    async def read_data(self) -> AsyncIterator[bytes]:
        """Yield the body of a multi-line answer in pieces: dots unstuffed, line ends CRLF, lines of any length.

        Raises StreamLost if it is cut off.
        """
        dots = DotReader()
        while not dots.ended:
            if not self._buffer:
                await self._more()
            # A short message is mostly there as a whole, with others behind it: those are not copied to and fro.
            end = self._buffer.find(_END, 0, _PIECE)
            size = _PIECE if end < 0 else end + len(_END)
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._resume()
            content = dots.feed(data)
            if content:
                yield content
        if dots.rest:
            self._buffer[:0] = dots.rest

    async def _more(self) -> None:
        """Wait for more bytes."""
        before, began, credit = len(self._buffer), self._loop.time(), self._credit
        self._resume()
        while len(self._buffer) == before:
            if self._lost is not None:
                raise StreamLost(self._lost)
            if credit <= 0 or not await self._wait(credit):
                self.abort()
                slow = credit < self._seconds
                raise StreamLost("answers that drip" if slow else f"no answer within {self._seconds:g} s")
        earned = (len(self._buffer) - before) / LEAST_RATE
        self._credit = min(self._seconds, credit - (self._loop.time() - began) + earned)

    def _resume(self) -> None:
        if self._paused and len(self._buffer) <= _HIGH_WATER // 2:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()
