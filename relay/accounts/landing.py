"""The page on this machine at which a browser ends that has signed in (RFC 8252 section 7.3): on loopback alone.

What comes is a stranger's: bounded in size and time, and nothing of it is shown.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Self

_PATIENCE: Final = 10.0
_LARGEST: Final = 32 * 1024
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
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LARGEST)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def code(self) -> str:
        """Wait for a browser that brings a code."""
        return await asyncio.shield(self._code)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        writer.close()

    def _find_code(self, line: bytes) -> str | None:
        """Read the code in the first line of a request; None where there is none."""
        method, _, rest = line.decode("latin-1").partition(" ")
        address = rest.rpartition(" ")[0]
        if method == "GET" and "?" in address:  # not what browsers ask for by themselves, such as /favicon.ico
            try:
                return self.read(address)
            except ValueError as error:
                self._complain(str(error))
        return None
