"""One client's connection from its first moment to its last: who is let in, TLS, the time limits, the last reply.

aiosmtpd's `SMTP` keeps the connection; each method here overrides one of its methods, or asyncio's, and says why.

Guarantee: a client is checked and counted before its first octet is read, with TLS too, and counted out once. What a
client has sent behind its last reply is not executed. It gets time for each command and for each part of a mail, never
without end.
"""

import asyncio
import sys
from asyncio.sslproto import SSLProtocol
from collections import defaultdict
from collections.abc import Awaitable
from typing import Any, Final, NoReturn, TypeVar

import aiosmtpd.smtp
from aiosmtpd.smtp import SMTP

from relay.deadline import Deadline
from relay.intake.budget import Ip
from relay.intake.connection_limits import client_ip
from relay.intake.listener_context import ListenerContext
from relay.intake.replies import HTTP_VERBS, TOO_MANY_COMMANDS, encode
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

# aiosmtpd looks each line over, twice, for what its log must not show, and its log is off: `relay.logs` turns it off.
aiosmtpd.smtp.sanitized_log = lambda *_: None
# aiosmtpd ends a session at five unknown commands; `errors_per_session` of the configuration counts all errors.
aiosmtpd.smtp.BOGUS_LIMIT = sys.maxsize
# Octets of the buffer that asyncio makes for each connection before the handshake, in place of 256 KiB: two records.
SSLProtocol.max_size = 32_768

LONGEST_COMMAND: Final = 12_288
"""Octets of a command line: RFC 4954 section 4 requires as many for AUTH."""
READ_AHEAD: Final = 131_072
"""Octets of a client that asyncio's reader keeps before it stops reading; at most twice as many and one read."""
HANDSHAKE = 30.0
"""Seconds that a client has for TLS, however its octets come."""
LAST_WORDS = 5.0
"""Seconds that a client has to read the last reply."""
WITHOUT_MAIL = 1800.0
"""Seconds that a session lasts, whatever is said in it, unless a mail is taken."""

_BROWSER: Final = dict.fromkeys(HTTP_VERBS, READ_AHEAD)
"""Long lines that are nevertheless looked at, so that the session ends at them."""


_Result = TypeVar("_Result")


class SessionEnd(asyncio.CancelledError):
    """Ends the session's task: behind a cancellation, and nothing else, aiosmtpd's loop runs no further command."""


class Connection(SMTP):
    """A connection; `SmtpSession` adds the dialogue."""

    command_size_limit = LONGEST_COMMAND
    line_length_limit = READ_AHEAD
    # aiosmtpd has None here before the connection is made.
    transport: Any
    session: Any
    envelope: Any
    _original_transport: Any
    ip: Ip
    busy = False
    """Whether a mail is being received or kept: then a shutdown waits for its reply."""
    end_reason = "it left"
    """Why the session ends, for the log; empty where it is we who end it."""
    _entered = False
    _securing = False
    """Whether TLS is being negotiated: nothing can be said."""
    _ended = False
    _at_work = False
    """Whether the session's task does what nobody interrupts."""
    _ends_without_mail = 0.0
    """When, on the loop's clock, the session ends unless a mail was taken."""
    _commands = -1  # aiosmtpd starts its timer once before the first

    def __init__(self, context: ListenerContext, handler: object) -> None:
        loop = asyncio.get_running_loop()
        self.context = context
        self.deadline = Deadline(loop, self._timeout_cb)
        # For each session: aiosmtpd's default is one dictionary for the whole class, which each EHLO changes.
        self.command_size_limits = defaultdict(_longest_command)
        super().__init__(
            handler,
            enable_SMTPUTF8=True,
            hostname=context.hostname,
            ident="ESMTP",
            tls_context=context.tls_context,
            auth_require_tls=False,  # who may log in is decided by handle_AUTH: aiosmtpd forgets implicit TLS
            loop=loop,
        )
        self.command_size_limits.update(_BROWSER)
        self._timeout_handle: Any = self.deadline

    # Beginning

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio's transports share no useful type
        """Check and count the client first, and begin TLS where it comes before the greeting; aiosmtpd knows neither.

        It is called again when the client is connected over TLS.
        """
        if self._tls_protocol is not None:
            self._securing = False
            if self._ended:
                transport.abort()
            else:
                super().connection_made(transport)
            return
        peer = transport.get_extra_info("peername")
        if not peer:  # it has left already
            transport.set_protocol(asyncio.Protocol())
            transport.close()
            return
        self.ip = client_ip(peer[0])
        context = self.context
        refusal = context.connection_limits.enter(self.ip, context.listener.networks, context.limits)
        if refusal is not None:
            self._turn_away(transport, refusal)
            return
        self._entered = True
        self.context.sessions.add(self)
        self.allow_next_mail()
        if self.context.tls_first:
            self._begin_tls(transport)
        else:
            super().connection_made(transport)

    def _turn_away(self, transport: Any, reply: Reply) -> None:  # noqa: ANN401 - see above
        self.context.refusals.note(self.ip, reply.text, reply.code)
        transport.set_protocol(asyncio.Protocol())  # what the client sends goes nowhere
        if not self.context.tls_first:  # in the clear it would be junk to a client that waits for TLS
            transport.write(encode(reply, self.context.language))
        transport.close()

    def _begin_tls(self, transport: Any) -> None:  # noqa: ANN401 - see above
        """Begin implicit TLS as aiosmtpd does STARTTLS; asyncio's server would do so before the client is counted."""
        assert self.tls_context is not None
        self.begin_handshake()
        waiter = self.loop.create_future()
        waiter.add_done_callback(self._end_failed_handshake)
        self._tls_protocol = SSLProtocol(self.loop, self, self.tls_context, waiter, server_side=True)
        self._original_transport = transport
        transport.set_protocol(self._tls_protocol)
        self._tls_protocol.connection_made(transport)

    def begin_handshake(self) -> None:
        """Give the client its time for TLS, in which nothing can be said."""
        self._securing = True
        self.deadline.set(HANDSHAKE)

    def _end_failed_handshake(self, waiter: "asyncio.Future[None]") -> None:
        if not waiter.cancelled() and waiter.exception() is not None:
            self.abort()

    @property
    def over_tls(self) -> bool:
        """Whether the session is encrypted."""
        return self._tls_protocol is not None

    # End

    def eof_received(self) -> bool:
        """Read on to the end of what came: who half-closes behind the final dot still gets the reply.

        aiosmtpd cancels the session instead. Over TLS there is no half-closed connection.
        """
        asyncio.StreamReaderProtocol.eof_received(self)
        return not self.over_tls

    def connection_lost(self, _error: Exception | None) -> None:
        """Count the client out, once: aiosmtpd and a failed handshake call this more than once."""
        if not self._entered:
            return
        self._entered = self._securing = False
        self._ended = True
        self.context.connection_limits.leave(self.ip)
        self.context.sessions.discard(self)
        self.deadline.cancel()
        if self._handler_coroutine is not None and not self._at_work:
            super().connection_lost(None)  # nobody reads the error from the stream, and asyncio would log that
        else:  # it left before the dialogue began; or aiosmtpd would cancel what must come to its end
            if self._original_transport is not None:
                self._original_transport.close()
            if self._at_work:
                asyncio.StreamReaderProtocol.connection_lost(self, None)
                self.transport = None
        if self.envelope is not None:
            self.envelope.release()
        self._original_transport = self._tls_protocol = None

    def abort(self) -> None:
        """End the session at once, without a word."""
        transport = self._original_transport or self.transport
        if transport is not None:
            transport.abort()
        self.connection_lost(None)

    def end(self, reply: Reply | None) -> NoReturn:
        """Send the last reply, if any, and close; called by the session's task. Raises SessionEnd."""
        if reply is not None:
            self.end_reason = ""
        self._close(reply)
        raise SessionEnd

    def say_last(self, reply: Reply, reason: str = "") -> None:
        """Send the last reply and close, whatever the session's task is doing."""
        if self._ended:
            return
        self.end_reason = reason
        self._close(reply)
        if self._handler_coroutine is not None and not self._at_work:
            self._handler_coroutine.cancel()

    async def complete(self, work: Awaitable[_Result]) -> _Result:
        """Await work that comes to its end whatever becomes of the client. Raises SessionEnd behind it if that is gone.

        Where the work failed as well: nothing more is read of such a client. The session's task does it by itself: a
        task for each, and a shield, would cost more than most work.
        """
        self._at_work = True
        try:
            return await work
        finally:
            self._at_work = False
            if self._ended:
                raise SessionEnd

    def _close(self, reply: Reply | None) -> None:
        if self._securing:
            self.abort()
        elif not self._ended:
            self._ended = True
            if reply is not None:
                self._writer.write(encode(reply, self.context.language))
            self.deadline.set(LAST_WORDS)  # a client that does not read must not keep the connection
            self.transport.close()

    # Time

    def _reset_timeout(self, duration: float | None = None) -> None:  # noqa: ARG002 - aiosmtpd's signature
        """Count a command, and give time anew. Raises SessionEnd at one too many.

        aiosmtpd calls this before each command that it knows. It counts each verb by itself, and makes a timer each
        time, which costs as much as the command.
        """
        self._commands += 1
        if self._commands > self.context.limits.commands_per_session:
            self.end(TOO_MANY_COMMANDS)
        self.restart_clock()

    def restart_clock(self) -> None:
        """Give the client the time for its next command, but not for ever without a mail."""
        if not self._ended:
            self.deadline.set(self.context.limits.session_idle / 1000, latest=self._ends_without_mail)

    def allow_next_mail(self) -> None:
        """Give the client time for its next mail."""
        self._ends_without_mail = self.loop.time() + WITHOUT_MAIL

    def _timeout_cb(self) -> None:
        """Say why the session ends: aiosmtpd closes without a word."""
        if self._ended or self._securing:
            self.abort()
        else:
            self.say_last(self.timeout_reply, "it was too slow")

    @property
    def timeout_reply(self) -> Reply:
        """What a client is told whose time is up."""
        return refuse(Refused.TOO_SLOW)


def _longest_command() -> int:
    return LONGEST_COMMAND
