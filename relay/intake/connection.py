"""One client's connection: lines and bytes in, replies out.

What is there is handled in the call that brings it: pipelined commands need no turn of the event loop, no task and no
timer each, and their replies leave in one write.

Guarantee: a session holds no more than about READ octets of what its client sends ahead, and sends no more than the
transport's high-water mark and one turn's replies to a client that does not read.
"""

import asyncio
from typing import Final

import structlog

from relay.intake.desk import Desk
from relay.intake.feed import Feed, SessionEnd
from relay.intake.lifetime import Lifetime
from relay.intake.lines import LineBuffer, LineTooLongError
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, speak, write_lines

log = structlog.get_logger()

READ: Final = 262_144
"""Octets that are held, or came in one turn of the loop, at most, before the client is no longer read."""
LAST_WORDS = 5.0
"""Seconds that a client has to read the last reply."""
_TURN: Final = 64
"""Commands that are handled before others get their turn."""
_PIECE: Final = 32
"""Commands that a piece of a mail is worth: it may be all line ends."""
INTERNAL_FAULT: Final = refuse(Refused.INTERNAL_FAULT)


class ClientConnection(Lifetime):
    """The bytes of one session; `SmtpSession` adds what they mean."""

    feed: Feed | None = None
    """Who takes the bytes now, if it is not the dialogue."""
    _eof = False
    _at_work = False
    _deferred = False
    _read = 0
    """Octets that came since others had their turn."""
    _writing_paused = False
    _reading_paused = False
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._buffer = LineBuffer()
        self._out: list[bytes] = []

    # What SmtpSession gives

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

    # Bytes in

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a client that was turned away, or told good-bye, are nobody's."""
        if self._ended or not self._entered:
            return
        self._read += len(data)
        if self._read >= READ:
            self._defer()  # the loop would read on from this client as long as there is something, and from nobody else
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
            if turn >= _TURN:
                self._defer()
                return
            if self.feed is not None:
                if not data:
                    if not self._buffer:
                        break
                    data = self._buffer.take(self.feed.wants)
                turn += _PIECE
                rest = self.feed.take(data)
                if rest is not None:
                    self.feed = None
                    self._buffer.put_back(rest)
                data = b""
                continue
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
            self.gone("it left")
            raise SessionEnd

    def _defer(self) -> None:
        if not self._deferred:
            self._deferred = True
            self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._deferred = False
        self._read = 0
        self.proceed()

    async def read_line(self) -> bytes:
        """Wait for the next line, while `must_wait` keeps the dialogue from it. Raises SessionEnd, LineTooLongError."""
        while (line := self._buffer.take_line()) is None:
            if self._eof or self._ended:
                raise SessionEnd
            self._waiter = self.loop.create_future()
            await self._waiter
        return line

    def drop_input(self) -> None:
        """Throw away what came and was not looked at."""
        self._buffer.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _regulate(self) -> None:
        """Read on, or no longer: memory must not grow with what a client sends ahead."""
        if self.transport is None or self.transport.is_closing():
            return
        full = len(self._buffer) >= READ or (self.feed is not None and self.must_wait) or self._read >= READ
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

    def send_reply(self, reply: Reply) -> None:
        """Send a reply; a refusal in the office's language, each line with its codes."""
        if reply.code >= 400:
            reply = speak(reply, self.desk.language)
        self.send(*write_lines(reply))

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
        if self._securing:  # there is no way to say it
            self.abort()
            return
        self._ended = True
        self.feed = None
        if reply is not None:
            self.send_reply(reply)
        self._flush()
        # A client that does not read must not keep the connection open.
        self._deadline.set(LAST_WORDS)
        self._buffer.clear()
        self.transport.close()
        self.leave()
