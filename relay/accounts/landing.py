"""The page on this machine at which a browser ends that has signed in (RFC 8252 section 7.3): on loopback alone.

What comes is a stranger's, since any user and any page of this machine may ask: bounded in size and time, nothing of it
is shown, and each complaint about it once.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final, Self

_PATIENCE: Final = 10.0
_LARGEST: Final = 32 * 1024
_MOST_COMPLAINTS: Final = 5
_MOST_PORTS: Final = 10
"""Ports that are tried until one is free of both kinds."""
_DONE: Final = "Done. You can close this window. / Fertig. Sie können dieses Fenster schließen."
_WRONG: Final = (
    "This is not the answer that is waited for. Look at the terminal. /"
    " Das ist nicht die erwartete Antwort. Sehen Sie im Terminal nach."
)


class Landing:
    """Waits for a browser, while it is entered."""

    def __init__(self, read: Callable[[str], str], complain: Callable[[str], None]) -> None:
        """`read` returns the code in an address, or raises ValueError; `complain` is told why there is none."""
        self.read: Final = read
        self._complain = complain
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._complained: set[str] = set()
        self._servers: list[asyncio.Server] = []
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port, of IPv6 as well where there is one: `localhost` may mean either."""
        for one in _bind():
            self.port = one.getsockname()[1]
            self._servers.append(await asyncio.start_server(self._serve, sock=one, limit=_LARGEST))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, and end what is still open."""
        for server in self._servers:
            server.close()
        for writer in self._open:
            writer.transport.abort()  # a handler that was cancelled would be reported as a fault
        await asyncio.gather(*(task for task in self._open.values() if task is not None))
        for server in self._servers:
            await server.wait_closed()

    async def code(self) -> str:
        """Wait for a browser that brings a code."""
        return await asyncio.shield(self._code)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            await self._answer(reader, writer)
        finally:
            del self._open[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                code = self._find_code(head.partition(b"\r\n")[0])
                status, text = ("200 OK", _DONE) if code else ("400 Bad Request", _WRONG)
                body = f"<!DOCTYPE html><meta charset=utf-8><title>relay</title><p>{text}</p>\n".encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
                    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
                if code and not self._code.done():
                    self._code.set_result(code)

    def _find_code(self, line: bytes) -> str | None:
        """Read the code in the first line of a request; None where there is none."""
        method, _, rest = line.decode("latin-1").partition(" ")
        address = rest.rpartition(" ")[0]
        if method == "GET" and "?" in address:  # not what browsers ask for by themselves, such as /favicon.ico
            try:
                return self.read(address)
            except ValueError as error:
                why = str(error)
                if why not in self._complained and len(self._complained) < _MOST_COMPLAINTS:
                    self._complained.add(why)
                    self._complain(why)
        return None


def _bind() -> list[socket.socket]:
    """Bind 127.0.0.1 and ::1 at the same free port; 127.0.0.1 alone where there is no IPv6. Raises OSError."""
    for _ in range(_MOST_PORTS):
        first = socket.create_server(("127.0.0.1", 0))
        try:
            return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]
        first.close()
    raise OSError(errno.EADDRINUSE, "no port of 127.0.0.1 is free of ::1, too")
