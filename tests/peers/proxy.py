"""A TCP proxy that can stop forwarding, and that says what it forwards.

To both sides a proxy that is silent looks as if the other had fallen silent, not gone.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

Hear = Callable[[str, bytes], None]
"""Is told what passes on one connection: `C` and octets of the client, `S` and octets of the server; no octets at the
end of that side; `-` and no octets once the connection has ended."""


def _ignore(_number: int) -> Hear:
    return lambda _side, _octets: None


class Proxy:
    """Forwards connections to a UNIX socket or a port, until it is told to be silent.

    `listen` is asked at the beginning of each connection, by its number from 1 on, who is to be told what passes there.
    """

    def __init__(self, target: str | tuple[str, int], *, listen: Callable[[int], Hear] = _ignore) -> None:
        self._target = target
        self._listen = listen
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve_forever(self) -> None:
        """Go on until it is cancelled."""
        await self._server.serve_forever()

    def fall_silent(self) -> None:
        """Forward nothing any more; what comes is read, and acknowledged by the system."""
        self._flows.clear()

    def speak_again(self) -> None:
        """Forward again, also what came meanwhile."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        hear = self._listen(self.connections)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, asyncio.CancelledError):
            stack.callback(writer.close)
            if isinstance(self._target, str):
                server = await asyncio.open_unix_connection(self._target)
            else:
                server = await asyncio.open_connection(*self._target)
            stack.callback(server[1].close)
            await asyncio.gather(
                self._forward(reader, server[1], lambda octets: hear("C", octets)),
                self._forward(server[0], writer, lambda octets: hear("S", octets)),
            )
        self._tasks.discard(task)
        hear("-", b"")

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[bytes], None]
    ) -> None:
        while data := await reader.read(65_536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
            hear(data)
        hear(b"")
        if writer.can_write_eof():
            writer.write_eof()  # the other side may still have something to say
