"""A byte stream over a transport that somebody else has connected: replies in, commands and bodies out, all bounded."""

import asyncio
from collections import deque
from typing import cast

from relay.model.reply import Reply
from relay.rules.replies import read_reply

LONGEST_LINE = 8192
LONGEST_REPLY = 65536
_HIGH_WATER = 262_144


class StreamLost(Exception):  # noqa: N818 - it says what happened
    """The connection is gone, or what came over it is no SMTP."""


class SmtpStream(asyncio.Protocol):
    """Parses replies as they come; gives back-pressure and progress for what goes out."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport = transport
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._length = 0
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self._lost: str | None = None
        transport.set_write_buffer_limits(high=_HIGH_WATER, low=_HIGH_WATER // 4)
        transport.set_protocol(self)

    @property
    def lost(self) -> str | None:
        """Why the stream is at its end, if it is."""
        if self._lost is None and self.transport.is_closing():
            return "the connection is closed"
        return self._lost

    @property
    def has_reply(self) -> bool:
        """Whether a reply is there that nobody has read."""
        return bool(self._replies)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._take_line(line)
            if self._lost:
                return
        if len(self._buffer) > LONGEST_LINE:
            self._fail("a reply line without an end")

    def _take_line(self, line: bytes) -> None:
        code, sep, text = line[:3], line[3:4], line[4:]
        self._length += len(line)
        if not (len(code) == 3 and code.isdigit() and sep in (b"", b" ", b"-")) or self._length > LONGEST_REPLY:
            self._fail("an answer that is no SMTP reply")
            return
        self._lines.append(text)
        if sep != b"-":
            self._replies.append(read_reply(int(code), self._lines))
            self._lines, self._length = [], 0
            self._wake()

    def eof_received(self) -> bool:
        """Note the end; the transport closes itself."""
        self._fail("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the loss, and wake whoever waits."""
        self._fail("the connection was reset" if exc else "the connection was closed")
        self._drained.set()

    def pause_writing(self) -> None:
        """Hold the writer back."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """Let the writer go on."""
        self._drained.set()

    def _fail(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        self._drained.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def reply(self, seconds: float) -> Reply:
        """Give the next reply. Raises StreamLost; a silence of `seconds` is one too."""
        try:
            async with asyncio.timeout(seconds):
                while not self._replies:
                    if self._lost is not None:
                        raise StreamLost(self._lost)
                    self._waiter = self._loop.create_future()
                    try:
                        await self._waiter
                    finally:
                        self._waiter = None
        except TimeoutError:
            self.abort(f"no answer within {seconds:g} s")
            raise StreamLost(self._lost) from None
        return self._replies.popleft()

    def check(self) -> None:
        """Raise StreamLost where nothing can be written any more."""
        if self._lost is not None or self.transport.is_closing():
            raise StreamLost(self._lost or "the connection is closed")

    def write(self, data: bytes) -> None:
        """Write all of it, or raise StreamLost before anything is written."""
        self.check()
        self.transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Wait until the buffer has room. No progress for `seconds` is a loss. Raises StreamLost."""
        while not self._drained.is_set():
            left = self.transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(seconds):
                    await self._drained.wait()
            except TimeoutError:
                if self.transport.get_write_buffer_size() >= left:
                    self.abort(f"no progress within {seconds:g} s")
        if self._lost is not None:
            raise StreamLost(self._lost)

    async def flush(self, seconds: float) -> None:
        """Wait until everything has been handed to the network. Raises StreamLost."""
        self.transport.set_write_buffer_limits(high=0)
        await self.drain(seconds)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER, low=_HIGH_WATER // 4)

    def abort(self, why: str) -> None:
        """End the connection at once."""
        self._fail(why)
        self.transport.abort()


def take_over(transport: asyncio.BaseTransport) -> SmtpStream:
    """Make a stream of a transport that is connected and idle."""
    return SmtpStream(cast("asyncio.Transport", transport))
