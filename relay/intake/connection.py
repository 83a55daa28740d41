"""One client's connection: lines and bytes in, replies out, and a clock that ends what does not go on.

aiosmtpd's SMTP class gives the protocol, STARTTLS among it; its parser, its DATA and its constructor, which costs
0.2 ms of reflection for each session, are replaced.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP

from relay.intake.budget import ByteBudget
from relay.intake.gate import Gate, Ip, Throttle, client_ip
from relay.intake.hooks import Authenticator, Submission
from relay.model.reply import Reply
from relay.settings import Limits, Listener

log = structlog.get_logger()

READ = 262_144
"""Octets that are read at a time."""
LONGEST_COMMAND = 12_288
"""Octets of a command line: RFC 4954 section 4 wants as many for AUTH."""
LAST_WORDS = 5.0
"""Seconds that a client has to read the last reply."""


class SessionEnd(Exception):  # noqa: N818 - no error: the way out of the dialogue
    """The session is over; with a reply, that one is still sent."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__()
        self.reply = reply


class LineTooLongError(Exception):
    """A command line beyond LONGEST_COMMAND; it has been skipped."""


@dataclass(kw_only=True, eq=False)
class Desk:
    """What all sessions of one listener share."""

    listener: Listener
    limits: Limits
    hostname: str
    submission: Submission
    authenticator: Authenticator
    budget: ByteBudget
    gate: Gate
    throttle: Throttle
    room: Callable[[int], bool] = lambda _octets: True
    """Whether the disk has room for a mail of so many octets."""
    tls_context: SSLContext | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    sessions: set["ClientConnection"] = field(default_factory=set)
    work: set[asyncio.Task[Any]] = field(default_factory=set)
    """What must end even if its client leaves: commits, and what clears up after an abort."""
    closing: bool = False
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no mail is being received."""
    _receiving: int = 0

    def __post_init__(self) -> None:
        self.quiet.set()

    @contextlib.contextmanager
    def receiving(self, session: "ClientConnection") -> Iterator[None]:
        """Mark a session as busy: a shutdown waits for its reply."""
        self._receiving += 1
        session.busy = True
        self.quiet.clear()
        try:
            yield
        finally:
            session.busy = False
            self._receiving -= 1
            if not self._receiving:
                self.quiet.set()

    async def run_to_end(self, work: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever the work gives
        """Wait for work that goes on when the one who waits is cancelled."""
        task = asyncio.ensure_future(work)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
        return await asyncio.shield(task)


class ClientConnection(SMTP):
    """The bytes of one session; `SmtpSession` adds what they mean."""

    def __init__(self, desk: Desk) -> None:
        loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(
            self,
            asyncio.StreamReader(limit=READ // 2, loop=loop),
            client_connected_cb=self._cb_client_connected,
            loop=loop,
        )
        self.desk = desk
        self.ip: Ip
        # What the parts of aiosmtpd that are left look at.
        self.loop = loop
        self.transport: Any = None
        self.tls_context = desk.tls_context
        self.enable_SMTPUTF8 = True
        self._original_transport: Any = None
        self._tls_protocol: Any = None
        self._tls_handshake_okay = True
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._timeout_duration = desk.limits.session_idle / 1000
        self._handle_hooks: dict[str, Any] = {}
        self._handler_coroutine: asyncio.Task[None] | None = None
        # Ours.
        self._buffer = bytearray()
        self._entered = False
        self._over_tls = False
        self.busy = False
        """Whether a mail is being received or kept: then a shutdown waits for its reply."""

    # The life of the connection

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's transports share no useful type
        """Begin a session, or begin it anew over TLS: what was said before is thrown away (RFC 3207 section 4.2)."""
        self._buffer.clear()
        self._over_tls = transport.get_extra_info("sslcontext") is not None
        if self.transport is None:
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
            self.desk.sessions.add(self)
        super().connection_made(transport)

    def _turn_away(self, transport: Any, reply: Reply | None) -> None:  # noqa: ANN401 - see above
        if reply is not None:
            log.warning("session_refused", client=str(self.ip), reason=reply.text, code=reply.code)
            transport.write(f"{reply}\r\n".encode())
        transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End the session."""
        if not self._entered:
            return
        self._entered = False
        self.desk.gate.leave(self.ip)
        self.desk.sessions.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a client that was turned away are nobody's."""
        if self._entered:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """Read on to the end: who half-closes after the final dot still gets his reply."""
        if not self._entered:
            return False
        asyncio.StreamReaderProtocol.eof_received(self)
        return not self._over_tls

    @property
    def over_tls(self) -> bool:
        """Whether the session is encrypted."""
        return self._over_tls

    # The clock

    def rewind(self, milliseconds: int) -> None:
        """Give the client so much time from now."""
        self._timeout_duration = milliseconds / 1000
        self._reset_timeout()

    def stop_clock(self) -> None:
        """Give the client all the time: it is our turn."""
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    def _timeout_cb(self) -> None:
        self.say_last(Reply(code=421, enhanced="4.4.2", text="Too long without a word"))

    def say_last(self, reply: Reply) -> None:
        """Send a last reply from outside of the dialogue, and close."""
        if self.transport is None:
            return
        self.transport.write(f"{reply}\r\n".encode())
        self.transport.close()
        # A client that does not read must not keep the connection open.
        self.loop.call_later(LAST_WORDS, self.transport.abort)

    # Bytes in, replies out

    @property
    def has_line(self) -> bool:
        """Whether the next command is there already."""
        return b"\n" in self._buffer

    async def read_line(self) -> bytes:
        """Give the next line without its end. Raises SessionEnd at the end, LineTooLongError."""
        searched, skipped = 0, False
        while (end := self._buffer.find(b"\n", searched)) < 0:
            if len(self._buffer) > LONGEST_COMMAND:
                self._buffer.clear()
                skipped = True
            searched = len(self._buffer)
            data = await self._reader.read(READ)
            if not data:
                raise SessionEnd
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if skipped or len(line) > LONGEST_COMMAND:
            raise LineTooLongError
        return line.removesuffix(b"\r")

    async def read_some(self) -> bytes:
        """Give bytes as they come. Raises SessionEnd at the end."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        data = await self._reader.read(READ)
        if not data:
            raise SessionEnd
        return data

    def unread(self, data: bytes) -> None:
        """Put back what belongs to the next command."""
        self._buffer[:0] = data

    async def send(self, *lines: str) -> None:
        """Send reply lines; replies to pipelined commands leave together."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace"))
        if not self.has_line:
            await self._writer.drain()

    async def start_tls(self) -> None:
        """Begin TLS; the session begins anew. Raises what the handshake raises."""
        await super().smtp_STARTTLS("")

    async def push(self, _status: Any) -> None:  # noqa: ANN401 - aiosmtpd's signature
        """Send the one reply that aiosmtpd still gives by itself."""
        await self.send("220 2.0.0 Ready to start TLS")
