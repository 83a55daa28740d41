"""Where clients connect: one listener of the configuration, its sockets, its certificate, and its orderly end."""

import asyncio
import contextlib
import errno
import socket
import ssl

from relay.intake.handler import Handler
from relay.intake.listener_context import ListenerContext
from relay.intake.replies import SHUTTING_DOWN
from relay.intake.session import SmtpSession
from relay.model.errors import RelayError
from relay.settings import Limits, Listener, ListenerTls

_BACKLOG = 512
_AT_ONCE = 8
"""Connections that asyncio accepts before those that came are looked at: each is an open file meanwhile."""


class ListenerServer:
    """Serves one `[[listener]]`."""

    def __init__(self, context: ListenerContext) -> None:
        self._context = context
        self._handler = Handler(self._context)
        self._servers: list[asyncio.Server] = []
        self.port = context.listener.port
        """The port that is listened on, once it is started."""

    async def start(self) -> None:
        """Listen. Raises RelayError where the address or the certificate is of no use."""
        self._context.tls_context = _load_certificate(self.listener)
        self._context.tls_first = self.listener.tls is ListenerTls.IMPLICIT
        loop = asyncio.get_running_loop()
        for bound in await asyncio.to_thread(_bind, self.listener):
            # The session begins implicit TLS itself, once its client is counted: asyncio would do so with anybody.
            server = await loop.create_server(self._make_session, sock=bound, backlog=_AT_ONCE)
            self._servers.append(server)
            bound.listen(_BACKLOG)
            self.port = bound.getsockname()[1]

    def _make_session(self) -> SmtpSession:
        return SmtpSession(self._context, self._handler)

    def change(self, listener: Listener, limits: Limits, hostname: str, language: str = "en") -> None:
        """Take other settings for the same address, its certificate read anew; new sessions follow them.

        Raises RelayError, and changes nothing, where the certificate is of no use.
        """
        self._context.tls_context = _load_certificate(listener)
        self._context.listener = listener
        self._context.limits, self._context.hostname, self._context.language = limits, hostname, language

    def renew_certificate(self) -> None:
        """Read the certificate anew, for new sessions. Raises RelayError where it is of no use: the old one stays."""
        self._context.tls_context = _load_certificate(self.listener)

    @property
    def listener(self) -> Listener:
        """What it was told to be."""
        return self._context.listener

    def stop_listening(self) -> None:
        """Close the sockets; sessions go on."""
        for server in self._servers:
            server.close()

    async def drain(self, seconds: float) -> None:
        """Take no new session, end the idle ones, give those that hand in a mail so long to end."""
        self.stop_listening()
        self._context.closing = True
        for session in list(self._context.sessions):
            if not session.busy:
                session.say_last(SHUTTING_DOWN)
        await self._wait_for_mails(seconds)

    async def close(self) -> None:
        """End whatever is left."""
        self.stop_listening()
        self._context.refusals.tell()
        for session in list(self._context.sessions):
            session.say_last(SHUTTING_DOWN)
            session.abort()
        await self._wait_for_mails(1)
        self._servers.clear()

    async def _wait_for_mails(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._context.quiet.wait()
                if self._context.tasks:
                    await asyncio.wait(self._context.tasks)


def _load_certificate(listener: Listener) -> ssl.SSLContext | None:
    if listener.tls is ListenerTls.NONE or listener.certificate is None or listener.private_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(listener.certificate, listener.private_key)
    except OSError as error:  # SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise RelayError(f"certificate {listener.certificate}: {reason}") from None
    return context


def _bind(listener: Listener) -> list[socket.socket]:
    """Open the sockets: `::` takes IPv4 as well, a name may have several addresses, which share one port."""
    bound: list[socket.socket] = []
    port = listener.port
    try:
        if listener.host == "::" and socket.has_dualstack_ipv6():
            return [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)]
        found = socket.getaddrinfo(listener.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            one = socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
            bound.append(one)
            port = one.getsockname()[1]
    except OSError as error:
        for one in bound:
            one.close()
        reason = (error.strerror or str(error)).partition(" (while attempting to bind")[0]
        if error.errno == errno.EADDRINUSE:
            reason += (
                f": another program has this port: `ss -ltnp | grep :{listener.port}` (as root) names it. Do not stop a"
                " program that you do not know: change port under [[listener]] instead, and in the mail programs and"
                " devices, too"
            )
        elif error.errno == errno.EADDRNOTAVAIL:
            reason += ": this machine has no such address (`ip address` shows those that it has)"
        elif error.errno == errno.EACCES:
            reason += ": ports below 1024 are for root and for the unit; choose another port, or start it by systemctl"
        raise RelayError(f"can't listen on {listener.host} port {listener.port}: {reason}") from None
    return bound
