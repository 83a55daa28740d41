"""The control socket in the storage folder: commands wake a running service through it.

Commands act on the database; the socket only says "look". One JSON object a line each way: `{"do": "look"}` ->
`{"ok": true}`. Only the service's own user and root can open it.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = "relay.sock"
_LONGEST_LINE = 4096
_PATIENCE = 5.0

Handler = Callable[[], dict[str, Any]]


@contextlib.contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """Give the socket's path; a folder too deep for the 108 bytes of an address is reached through a descriptor."""
    path = folder / NAME
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


class ControlServer:
    """Answers commands of the same machine."""

    def __init__(self, folder: Path, handlers: Mapping[str, Handler]) -> None:
        self._folder = folder
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; the lock on the folder makes sure that an old socket there is nobody's. Raises OSError."""
        with _short_path(self._folder) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - at once, and not for Path's sake in a thread
            mask = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=_LONGEST_LINE)
            finally:
                os.umask(mask)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = self._answer(await reader.readline())
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": "unknown request"}
        return {"ok": True, **handler()}


def ask(folder: Path, do: str) -> dict[str, Any] | None:
    """Ask the service of a storage folder; None where none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short_path(folder) as path:
        client.settimeout(_PATIENCE)
        try:
            client.connect(path)
            client.sendall(json.dumps({"do": do}).encode() + b"\n")
            with client.makefile("rb") as answers:
                answer = json.loads(answers.readline(_LONGEST_LINE))
        except (OSError, ValueError):
            return None
    return answer if isinstance(answer, dict) else None
