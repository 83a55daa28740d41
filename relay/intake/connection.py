"""One client's connection: lines and bytes in, replies out, and a clock that ends what does not go on.

What is there is handled in the call that brings it: pipelined commands need no turn of the event loop, no task and no
timer each, and their replies leave in one write. aiosmtpd's SMTP class gives STARTTLS; its streams, its parser, its
DATA and its constructor, which costs 0.2 ms of reflection for each session, are replaced.

Guarantee: a session holds no more than about READ octets of what its client sends ahead, and sends no more than the
transport's high-water mark and one turn's replies to a client that does not read.
"""

import asyncio
from typing import Any, Final, Protocol

import structlog
from aiosmtpd.smtp import SMTP

from relay.intake.deadline import Deadline
from relay.intake.desk import Desk
from relay.intake.gate import Ip, client_ip
from relay.intake.lines import LineBuffer, LineTooLongError
from relay.model.reply import Reply

log = structlog.get_logger()

READ: Final = 262_144
"""Octets that are held, at most, before the client is no longer read."""
LAST_WORDS = 5.0
"""Seconds that a client has to read the last reply."""
_TURN: Final = 64
"""Commands that are handled before others get their turn."""
INTERNAL_FAULT: Final = Reply(code=451, enhanced="4.3.0", text="Something went wrong here, try again later")


class SessionEnd(Exception):  # noqa: N818 - no error: the way out of the dialogue
    """The session is over; with a reply, that one is still sent."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__()
        self.reply = reply


class Feed(Protocol):
    """Takes what comes in place of the dialogue: the bytes of a mail."""

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes; gives what stands behind the end, None before the end. Raises SessionEnd."""


class ClientConnection(SMTP):
    """The bytes of one session; `SmtpSession` adds what they mean."""

    ip: Ip
    # What the part of aiosmtpd that is left looks at.
    transport: Any = None
    _original_transport: Any = None
    _tls_protocol: Any = None
    # Ours.
    busy = False
    """Whether a mail is being received or kept: then a shutdown waits for its reply."""
    feed: Feed | None = None
    """Who takes the bytes now, if it is not the dialogue."""
    over_tls = False
    """Whether the session is encrypted."""
    _entered = False
    _ended = False
    _eof = False
    _at_work = False
    _deferred = False
    _writing_paused = False
    _reading_paused = False
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, desk: Desk) -> None:
        # No constructor of a base class: what they make is not used.
        self.loop = asyncio.get_running_loop()
        self.desk = desk
        self.tls_context = desk.tls_context
        self._buffer = LineBuffer()
        self._out: list[bytes] = []
        self._deadline = Deadline(self.loop, self._time_is_up)

    def __del__(self) -> None:
        """Do nothing: what the base class would look after does not exist."""

    # What SmtpSession gives

    def begin(self) -> None:
        """Say the first word."""
        raise NotImplementedError

    def handle_line(self, line: bytes) -> None:
        """Do a command. Raises SessionEnd, LineTooLongError."""
        raise NotImplementedError

    def handle_long_line(self, beginning: bytes) -> None:
        """Answer a command line that was too long; its first octets are given. Raises SessionEnd."""
        raise NotImplementedError

    @property
    def must_wait(self) -> bool:
        """Whether something is under way that must end before the next bytes can be looked at."""
        raise NotImplementedError

    def leave(self) -> None:
        """Let go of what is under way: the client is gone."""
        raise NotImplementedError

    # The life of the connection

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's transports share no useful type
        """Begin a session, or begin it anew over TLS: what was said before is thrown away (RFC 3207 section 4.2)."""
        self._buffer.clear()
        self.over_tls = transport.get_extra_info("sslcontext") is not None
        if self.transport is not None:
            self.transport = transport
            return
        peer = transport.get_extra_info("peername")
        if not peer:  # gone already
            self._turn_away(transport, None)
            return
        self.ip = client_ip(peer[0])
        refusal = self.desk.gate.enter(self.ip)
        if refusal is not None:
            self._turn_away(transport, refusal)
            return
        self._entered = True
        self.transport = transport
        self.desk.sessions.add(self)
        self.begin()

    def _turn_away(self, transport: Any, reply: Reply | None) -> None:  # noqa: ANN401 - see above
        if reply is not None:
            log.warning("session_refused", client=str(self.ip), reason=reply.text, code=reply.code)
            transport.write(f"{reply}\r\n".encode())
        transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """End the session."""
        if not self._entered:
            return
        self._entered = False
        self._ended = self._eof = True
        self._deadline.close()
        self.desk.gate.leave(self.ip)
        self.desk.sessions.discard(self)
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = self._original_transport = self._tls_protocol = None
        self._buffer.clear()
        self._out.clear()
        self._wake()
        self.leave()

    def abort(self) -> None:
        """End the session at once."""
        if self.transport is not None:
            self.transport.abort()
        self.connection_lost(None)

    # Bytes in

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a client that was turned away, or told good-bye, are nobody's."""
        if self._ended or not self._entered:
            return
        if self.feed is not None and not self._buffer and not self._at_work and not self.must_wait:
            self.proceed(data)
        else:
            self._buffer.add(data)
            self.proceed()

    def eof_received(self) -> bool | None:
        """Read on to the end: who half-closes after the final dot still gets his reply."""
        if not self._entered:
            return False
        self._eof = True
        self.proceed()
        return not self.over_tls

    def proceed(self, data: bytes = b"") -> None:
        """Handle what is there, until something has to be waited for; the replies leave in one write."""
        if self._at_work:
            return
        self._at_work = True
        try:
            self._handle(data)
        except SessionEnd as end:
            self.say_last(end.reply)
        except Exception as error:  # the one session ends, the others must not notice
            log.exception("session_failed", client=str(self.ip), error=repr(error))
            self.say_last(INTERNAL_FAULT)
        finally:
            self._at_work = False
            self._flush()
        self._wake()
        self._regulate()

    def _handle(self, data: bytes) -> None:
        turn = 0
        while not (self._ended or self._writing_paused or self.must_wait):
            if self.feed is not None:
                if not data:
                    if not self._buffer:
                        break
                    data = self._buffer.take_all()
                rest = self.feed.take(data)
                if rest is not None:
                    self.feed = None
                    self._buffer.put_back(rest)
                data = b""
                continue
            if turn == _TURN:
                self._defer()
                return
            turn += 1
            try:
                line = self._buffer.take_line()
            except LineTooLongError as error:
                self.handle_long_line(error.beginning)
                continue
            if line is None:
                break
            self.handle_line(line)
        if self._eof and not (self._ended or self._writing_paused or self.must_wait):
            raise SessionEnd

    def _defer(self) -> None:
        if not self._deferred:
            self._deferred = True
            self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._deferred = False
        self.proceed()

    async def read_line(self) -> bytes:
        """Wait for the next line, while `must_wait` keeps the dialogue from it. Raises SessionEnd, LineTooLongError."""
        while (line := self._buffer.take_line()) is None:
            if self._eof:
                raise SessionEnd
            self._waiter = self.loop.create_future()
            await self._waiter
        return line

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _regulate(self) -> None:
        """Read on, or no longer: memory must not grow with what a client sends ahead."""
        if self.transport is None or self.transport.is_closing():
            return
        full = len(self._buffer) >= READ or (self.feed is not None and self.must_wait)
        if full == self._reading_paused or self._eof:
            return
        self._reading_paused = full
        if full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    # Replies out

    def send(self, *lines: str) -> None:
        """Send reply lines; those to pipelined commands leave together."""
        self._out.append("".join([f"{line}\r\n" for line in lines]).encode("utf-8", "replace"))
        if not self._at_work:
            self._flush()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def pause_writing(self) -> None:
        """Handle no more commands: the client does not read its replies."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Handle commands again."""
        self._writing_paused = False
        self.proceed()

    def say_last(self, reply: Reply | None) -> None:
        """Send a last reply, and close."""
        if self._ended or self.transport is None:
            return
        self._ended = True
        self.feed = None
        if reply is not None:
            self._out.append(f"{reply}\r\n".encode("utf-8", "replace"))
        self._flush()
        # A client that does not read must not keep the connection open.
        self._deadline.set(LAST_WORDS)
        self._buffer.clear()
        self.transport.close()
        self.leave()

    # The clock

    def rewind(self, milliseconds: int) -> None:
        """Give the client so much time from now."""
        if not self._ended:
            self._deadline.set(milliseconds / 1000)

    def stop_clock(self) -> None:
        """Give the client all the time: it is our turn."""
        if not self._ended:
            self._deadline.clear()

    def _time_is_up(self) -> None:
        if self._ended:
            self.abort()
        else:
            self.say_last(Reply(code=421, enhanced="4.4.2", text="Too long without a word"))

    # TLS

    async def start_tls(self) -> None:
        """Begin TLS; the session begins anew. Raises what the handshake raises, SessionEnd if the client left in it."""
        self._buffer.clear()
        await super().smtp_STARTTLS("")
        if not self.over_tls:
            raise SessionEnd

    async def push(self, _status: Any) -> None:  # noqa: ANN401 - aiosmtpd's signature
        """Send the one reply that aiosmtpd still gives by itself."""
        self.send("220 2.0.0 Ready to start TLS")
