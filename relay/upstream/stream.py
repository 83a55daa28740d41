"""A byte stream over a transport that somebody else has connected: replies in, commands and bodies out, all bounded.

What the streams of SMTP and POP3 share is here, too: why the connection ended, and who waits for what it brings.
"""

import asyncio
import functools
from collections import deque
from typing import cast

from relay.deadline import Deadline
from relay.model.reply import Reply
from relay.rules.replies import read_reply
from relay.upstream.secrecy import Veil

LONGEST_LINE = 8192
LONGEST_REPLY = 65536
MOST_LINES = 500
"""Lines of one reply; RFC 5321 has no limit, and no server has so much to say."""
MOST_UNASKED = 1
"""Replies that are kept though nothing was asked: a server that gives up says so, before it closes."""
_HIGH_WATER = 262_144
_LEAST_RATE = 1_000
"""Octets a second that a server must take, once it has made use of the time that it may make no progress at all."""
_COMMON = 100
"""Octets of a reply line that may come again word for word, such as `250 2.1.0 Ok`."""


class StreamLost(Exception):  # noqa: N818 - it says what happened
    """The connection is gone, or what came over it is not of its protocol."""


class AwaitedProtocol(asyncio.Protocol):
    """A connection with at most one waiter, which is woken by what comes, by the end, and when its time is over."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, functools.partial(self._wake, in_time=False))
        self._waiter: asyncio.Future[bool] | None = None
        """Its result is whether something happened in time."""
        self._lost: str | None = None
        """Why nothing more can come: the first reason that was noted."""

    def eof_received(self) -> bool:
        """Note the end; the transport closes itself."""
        self._fail("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the loss, wake whoever waits, and stop the timer."""
        self._fail("the connection was reset" if exc else "the connection was closed")
        self._deadline.cancel()

    def abort(self, why: str = "given up") -> None:
        """End the connection at once."""
        self._fail(why)
        self.transport.abort()

    def _fail(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        self._wake()

    def _wake(self, *, in_time: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(in_time)

    async def _wait(self, seconds: float) -> bool:
        """Wait until something happens; False: nothing did within `seconds`."""
        self._waiter = self._loop.create_future()
        self._deadline.set(seconds)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            self._deadline.clear()


class SmtpStream(AwaitedProtocol):
    """Parses replies as they come, veiled; gives back-pressure and progress for what goes out."""

    def __init__(self, connected: asyncio.BaseTransport, veil: Veil) -> None:
        """Take over a transport that is idle; what the server says from now on is veiled."""
        super().__init__()
        self.transport = transport = cast("asyncio.Transport", connected)
        self._veil = veil
        self._rest = b""
        self._lines: list[bytes] = []
        self._length = 0
        self._replies: deque[Reply] = deque()
        self._awaited = 0
        self._paused = False
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

    @property
    def unsent(self) -> bool:
        """Whether the end of what was to be flushed has never been handed to the network."""
        return self._paused

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if self._lost is not None:
                return
            self._take_line(line.rstrip(b"\r"))
        if len(self._rest) > LONGEST_LINE:
            self.abort("a reply line without an end")

    def _take_line(self, line: bytes) -> None:
        code, sep = line[:3], line[3:4]
        self._length += len(line)
        if not (len(code) == 3 and code.isdigit() and sep in (b"", b" ", b"-")) or len(line) > LONGEST_LINE:
            self.abort("an answer that is no SMTP reply")
            return
        if self._length > LONGEST_REPLY or len(self._lines) >= MOST_LINES:
            self.abort("a reply that is too long")
            return
        if sep == b"-":
            self._lines.append(line[4:])
            return
        if len(self._replies) >= self._awaited + MOST_UNASKED:
            self.abort("answers that nobody asked for")
            return
        if self._lines or len(line) > _COMMON or self._veil.hides(line[4:]):
            reply = read_reply(int(code), self._veil.cover([*self._lines, line[4:]]))
            self._lines = []
        else:
            reply = _read_common(line)
        self._length = 0
        self._replies.append(reply)
        self._wake()

    def pause_writing(self) -> None:
        """Hold the writer back."""
        self._paused = True

    def resume_writing(self) -> None:
        """Let the writer go on."""
        self._paused = False
        self._wake()

    async def reply(self, seconds: float) -> Reply:
        """Give the next reply. Raises StreamLost; a silence of `seconds` is one too."""
        while not self._replies:
            if self._lost is not None:
                raise StreamLost(self._lost)
            if not await self._wait(seconds):
                self.abort(f"no answer within {seconds:g} s")
        return self.take_reply()

    def take_reply(self) -> Reply:
        """Give a reply that is there."""
        self._awaited = max(0, self._awaited - 1)
        return self._replies.popleft()

    def check(self) -> None:
        """Raise StreamLost where nothing can be written any more."""
        if self._lost is not None or self.transport.is_closing():
            raise StreamLost(self._lost or "the connection is closed")

    def write(self, data: bytes, *, replies: int = 0) -> None:
        """Write all of it, or raise StreamLost before anything is written; so many `replies` are its answer."""
        self.check()
        self._awaited += replies
        self.transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Wait until the buffer has room, or a reply is there.

        Raises StreamLost; no progress for `seconds` is one, and so is progress that is slower than any line.
        """
        until = self._loop.time() + seconds + self.transport.get_write_buffer_size() / _LEAST_RATE
        while self._paused and self._lost is None and not self._replies:
            left = self.transport.get_write_buffer_size()
            if not await self._wait(seconds) and self.transport.get_write_buffer_size() >= left:
                self.abort(f"no progress within {seconds:g} s")
            elif self._loop.time() > until:
                self.abort("the server takes the mail too slowly")
        if self._lost is not None and not self._replies:
            raise StreamLost(self._lost)

    async def flush(self, seconds: float) -> None:
        """Wait until everything has been handed to the network, or a reply is there. Raises StreamLost."""
        if self.transport.get_write_buffer_size():
            await asyncio.sleep(0)  # uvloop writes at the end of each turn
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(high=0)
            await self.drain(seconds)
            self.transport.set_write_buffer_limits(high=_HIGH_WATER, low=_HIGH_WATER // 4)
        elif self._lost is not None and not self._replies:
            raise StreamLost(self._lost)


@functools.lru_cache(maxsize=128)
def _read_common(line: bytes) -> Reply:
    return read_reply(int(line[:3]), [line[4:]])
