"""A server that holds a written dialogue, line by line, and does on demand what no real server does.

A script has a line for each step:

    S: 220 hello          send this line
    S> 220 hel            send this, without a line end (\\xNN for odd bytes)
    D: 220 hello          send this line one octet at a time
    C: EHLO .*            read a line, which must match
    C. hello              read up to the final dot; what came must contain this
    ! close               close the connection      ! reset    cut it off
    ! silence             say nothing for ever      ! tls      put TLS on
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import Sequence
from typing import Self


class Dialogue:
    """A server whose first connection follows the first script, its second one the second, and so on."""

    def __init__(
        self,
        *scripts: str,
        context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        buffer: int = 1 << 24,
    ) -> None:
        self._buffer = buffer
        self._scripts = [[line.strip() for line in script.strip().splitlines() if line.strip()] for script in scripts]
        self._context = context
        self._implicit = implicit_tls
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard: list[str] = []
        """Every line that clients sent."""
        self.data: list[bytes] = []
        """What came before each final dot."""
        self.faults: list[str] = []
        """Where a client did not follow the script."""
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        context = self._context if self._implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context, limit=self._buffer)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._server.close()
        self._released.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert kind is not None or not self.faults, self.faults

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        script = self._scripts[number] if number < len(self._scripts) else ["! close"]
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._follow(script, reader, writer)
        writer.close()
        self._tasks.discard(task)

    async def _follow(self, script: Sequence[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for step in script:
            kind, text = step[:2], step[3:]
            if kind == "S:":
                writer.write(_bytes(text) + b"\r\n")
                await writer.drain()
            elif kind == "S>":
                writer.write(_bytes(text))
                await writer.drain()
            elif kind == "D:":
                for octet in _bytes(text) + b"\r\n":
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0.001)
            elif kind == "C:":
                line = (await reader.readuntil(b"\n")).decode("utf-8", "surrogateescape").rstrip("\r\n")
                self.heard.append(line)
                if not re.fullmatch(text, line):
                    self.faults.append(f"expected {text!r}, got {line!r}")
                    return
            elif kind == "C.":
                data = await reader.readuntil(b"\r\n.\r\n")
                self.data.append(data[:-3])
                if _bytes(text) not in data:
                    self.faults.append(f"{text!r} is not in the data")
            else:
                await self._do(step.removeprefix("! "), writer)

    async def _do(self, what: str, writer: asyncio.StreamWriter) -> None:
        if what == "silence":
            await self._released.wait()
        elif what == "tls":
            assert self._context is not None
            await writer.start_tls(self._context)
        elif what == "reset":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif what == "close":
            writer.close()
        else:
            raise ValueError(what)


def _bytes(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
