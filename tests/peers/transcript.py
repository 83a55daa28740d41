"""Writes down what both sides of a connection say: a proxy to be put between a client and a server.

    python -m tests.peers.transcript 127.0.0.1:2525

prints a port of its own, then each line: `C:` from whoever connects there, `S:` from the server behind it, each with
the number of the connection and the seconds since it began. TLS makes it unreadable; switch it off for the look.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from typing import Self

_LONGEST = 200
"""Octets of a line that are shown."""


class Transcript:
    """A running proxy on a free loopback port, as an asynchronous context manager. `say` is given each line."""

    def __init__(self, host: str, port: int, say: Callable[[str], None]) -> None:
        self._target = (host, port)
        self._say = say
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number, began = self._connections, time.monotonic()

        def note(side: str, line: bytes) -> None:
            shown = line.rstrip(b"\r\n")
            more = f" ... ({len(shown):,} octets)" if len(shown) > _LONGEST else ""
            text = shown[:_LONGEST].decode("utf-8", "backslashreplace")
            self._say(f"{number} {time.monotonic() - began:7.3f} {side}: {text}{more}")

        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, asyncio.CancelledError):
            stack.callback(writer.close)
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            stack.callback(server_writer.close)
            await asyncio.gather(
                self._pass_on(reader, server_writer, lambda line: note("C", line)),
                self._pass_on(server_reader, writer, lambda line: note("S", line)),
            )
        self._tasks.discard(task)
        note("-", b"closed")

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]
    ) -> None:
        rest = b""
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                note(line)
        if rest:
            note(rest)
        if writer.can_write_eof():
            writer.write_eof()


async def _main(host: str, port: int) -> None:
    async with Transcript(host, port, lambda line: print(line, flush=True)) as transcript:
        print(f"connect to 127.0.0.1:{transcript.port}", file=sys.stderr, flush=True)
        await transcript.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="host:port")
    server_host, _, server_port = parser.parse_args().server.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(server_host, int(server_port)))
