"""A provider that is far away: a proxy on loopback that hands everything on late. Run in a process of its own.

The arguments are the port to pass on to and the round trip in milliseconds. It prints its own port.
"""

import asyncio
import contextlib
import sys
from typing import cast

try:
    import uvloop as _loops
except ImportError:
    import asyncio as _loops  # type: ignore[no-redef]


class _Late(asyncio.Protocol):
    """One side of a connection: what comes in goes out on the other side, half a round trip later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self.out: asyncio.Future[asyncio.Transport] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay, self._pass_on, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._loop.call_later(self._delay, self._close)

    def _pass_on(self, data: bytes) -> None:
        if not self.out.done():
            self.out.add_done_callback(lambda _: self._pass_on(data))
        elif not self.out.result().is_closing():
            self.out.result().write(data)

    def _close(self) -> None:
        if self.out.done():
            self.out.result().close()


async def _serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(client: _Late) -> None:
        await asyncio.sleep(3 * delay)  # what opening takes, until the server knows of it
        with contextlib.suppress(OSError):
            _, server = await loop.create_connection(lambda: _Late(delay), "127.0.0.1", port)
            server.out.set_result(client.transport)
            client.out.set_result(server.transport)
            return
        client.transport.close()

    def accept() -> _Late:
        client = _Late(delay)
        tasks.add(task := loop.create_task(connect(client)))
        task.add_done_callback(tasks.discard)
        return client

    server = await loop.create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _loops.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 2000))
