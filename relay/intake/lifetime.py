"""The life of one client's connection: who is let in, when TLS comes, how long nothing may come, and the end.

aiosmtpd's SMTP class gives STARTTLS; its streams, its parser, its DATA and its constructor, which costs 0.2 ms of
reflection for each session, are replaced.

Guarantee: a client is looked at and counted before its first byte is read, with TLS too, and counted out once.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP

from relay.intake.budget import Ip
from relay.intake.deadline import Deadline
from relay.intake.desk import Desk
from relay.intake.feed import SessionEnd
from relay.intake.gate import client_ip
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, speak, write_lines

log = structlog.get_logger()

HANDSHAKE = 30.0
"""Seconds that a client gets for TLS, however its bytes come."""


class Lifetime(SMTP):
    """A connection from its first moment to its last; `ClientConnection` adds the bytes."""

    ip: Ip
    # What the part of aiosmtpd that is left looks at.
    transport: Any = None
    _original_transport: Any = None
    _tls_protocol: Any = None
    # Ours.
    busy = False
    """Whether a mail is being received or kept: then a shutdown waits for its reply."""
    over_tls = False
    """Whether the session is encrypted."""
    _entered = False
    _securing = False
    """Whether TLS is being agreed on: nothing can be said."""
    _ended = False

    def __init__(self, desk: Desk) -> None:
        # No constructor of a base class: what they make is not used.
        self.loop = asyncio.get_running_loop()
        self.desk = desk
        self.tls_context = desk.tls_context
        self._deadline = Deadline(self.loop, self._time_is_up)

    def __del__(self) -> None:
        """Do nothing: what the base class would look after does not exist."""

    # What the classes below give

    def begin(self) -> None:
        """Say the first word."""
        raise NotImplementedError

    def gone(self, why: str) -> None:
        """Note that the client breaks off, before anything is let go."""
        raise NotImplementedError

    @property
    def last_words(self) -> Reply:
        """What a client is told whose time is up."""
        return refuse(Refused.TOO_SLOW)

    def leave(self) -> None:
        """Let go of what is under way: the client is gone."""
        raise NotImplementedError

    def drop_input(self) -> None:
        """Throw away what came and was not looked at."""
        raise NotImplementedError

    def send(self, *lines: str) -> None:
        """Send reply lines."""
        raise NotImplementedError

    def say_last(self, reply: Reply | None) -> None:
        """Send a last reply, and close."""
        raise NotImplementedError

    # Beginning and end

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's transports share no useful type
        """Begin a session, or go on over TLS: what was said before is thrown away (RFC 3207 section 4.2)."""
        if self._ended:
            transport.abort()
            return
        if self.transport is not None:
            self.drop_input()
            self.over_tls, self._securing = True, False
            self.transport = transport
            if self.desk.tls_first:
                self.begin()
            return
        peer = transport.get_extra_info("peername")
        if not peer:  # gone already
            transport.close()
            return
        self.ip = client_ip(peer[0])
        refusal = self.desk.gate.enter(self.ip)
        if refusal is not None:
            self._turn_away(transport, refusal)
            return
        self._entered = True
        self.transport = transport
        self.desk.sessions.add(self)
        if self.desk.tls_first:
            self._wrap(transport)
        else:
            self.begin()

    def _turn_away(self, transport: Any, reply: Reply) -> None:  # noqa: ANN401 - see above
        log.warning("session_refused", client=str(self.ip), reason=reply.text, code=reply.code)
        if not self.desk.tls_first:  # in the clear it would be junk to a client that waits for TLS
            transport.write("".join([f"{line}\r\n" for line in write_lines(speak(reply, self.desk.language))]).encode())
        transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """End the session."""
        if not self._entered:
            return
        if not self._ended:
            self.gone("it left")
        self._entered = self._securing = False
        self._ended = True
        self._deadline.close()
        self.desk.gate.leave(self.ip)
        self.desk.sessions.discard(self)
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = self._original_transport = self._tls_protocol = None
        self.drop_input()
        self.leave()

    def abort(self) -> None:
        """End the session at once."""
        if self.transport is not None:
            self.transport.abort()
        self.connection_lost(None)

    # The clock

    def rewind(self, milliseconds: int) -> None:
        """Give the client so much time from now."""
        if not self._ended:
            self._deadline.set(milliseconds / 1000)

    def prolong(self, seconds: float, milliseconds: int) -> None:
        """Give the client so many seconds more, but no more than `milliseconds` from now."""
        if not self._ended:
            self._deadline.prolong(seconds, milliseconds / 1000)

    def hurry(self, seconds: float) -> None:
        """Give the client so many seconds at most, until `calm`."""
        if not self._ended:
            self._deadline.shorten(seconds)

    def calm(self) -> None:
        """Give it back the time that it had."""
        if not self._ended:
            self._deadline.restore()

    def stop_clock(self) -> None:
        """Give the client all the time: it is our turn."""
        if not self._ended:
            self._deadline.clear()

    def _time_is_up(self) -> None:
        if self._ended or self._securing:
            self.abort()
        else:
            self.gone("it was too slow")
            self.say_last(self.last_words)

    # TLS

    def _wrap(self, transport: Any) -> None:  # noqa: ANN401 - see above
        """Begin with TLS: what aiosmtpd does at STARTTLS, before a byte is read."""
        assert self.tls_context is not None
        self._begin_securing()
        waiter = self.loop.create_future()
        waiter.add_done_callback(self._end_where_it_failed)
        self._tls_protocol = SSLProtocol(self.loop, self, self.tls_context, waiter, server_side=True)
        self._original_transport = transport
        self.transport = self._tls_protocol._app_transport  # noqa: SLF001 - as aiosmtpd does it
        transport.set_protocol(self._tls_protocol)
        self._tls_protocol.connection_made(transport)

    def _end_where_it_failed(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.cancelled() and waiter.exception() is not None:
            self.abort()

    async def start_tls(self) -> None:
        """Begin TLS; the session begins anew. Raises what the handshake raises, SessionEnd if the client left in it."""
        self.drop_input()
        await super().smtp_STARTTLS("")
        if not self.over_tls:
            raise SessionEnd

    async def push(self, _status: Any) -> None:  # noqa: ANN401 - aiosmtpd's signature
        """Send the one reply that aiosmtpd still gives by itself."""
        self.send("220 2.0.0 Ready to start TLS")
        self._begin_securing()

    def _begin_securing(self) -> None:
        self._securing = True
        self._deadline.set(HANDSHAKE)
