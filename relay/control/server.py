"""Answers commands of the same machine: the service's end of the control socket.

Only the service's own user and root can open the socket, and the kernel is asked who it is: a file system may not keep
modes. At most 16 requests are answered at a time, some more are told so; a request must come in within 5 s.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.control.client import LONGEST_REQUEST, NAME, Answer, read, short_path, write
from relay.emitting import emit
from relay.events.service import ActivityFailed
from relay.model.errors import RelayError

_MOST_REQUESTS: Final = 16
"""That are answered at a time: each may be one whose progress somebody follows."""
_MOST_CONNECTIONS: Final = 64
"""That are read from at a time, if only to be told that there are too many."""
_PATIENCE: Final = 5.0
"""Seconds for a request to come in."""
_LONGEST_THOUGHT: Final = 1800.0
"""Seconds for a person to read what was sent, or to answer a question."""
_ALIVE: Final = 1.0
"""Seconds after which whoever waits for an answer is told that it is being worked on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whoever has asked."""

    uid: int
    reply: Callable[[], Awaitable[Answer]]
    """Reads what is said to a question in the answer. Raises OSError, ValueError or TimeoutError."""


Handler = Callable[[Answer, Caller], Answer | AsyncGenerator[Answer]]
"""Takes the request; returns the answer, or yields several lines of it."""


class BadRequestError(RelayError):
    """A request that can't be understood."""


class ControlServer:
    """Answers commands of the same machine."""

    def __init__(self, folder: Path, handlers: Mapping[str, Handler]) -> None:
        self._folder = folder
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; the lock on the folder makes sure that an old socket there is nobody's.

        Raises OSError, also where something else than a socket has its name.
        """
        with short_path(self._folder) as path:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    raise FileExistsError(errno.EEXIST, "is there and no socket: remove it", path)
                os.unlink(path)  # noqa: PTH108 - at once, and not for Path's sake in a thread
            mask = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST_REQUEST)
            finally:
                os.umask(mask)

    async def close(self) -> None:
        """Stop listening and remove the socket; what else has its name, so that nothing listens, stays."""
        if self._server is None:
            return
        self._server.close()
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. What was begun for a caller who has gone is waited for when his place is free again."""
        async with contextlib.AsyncExitStack() as begun:
            self._open += 1
            try:
                uid = _peer(writer.get_extra_info("socket"))
                refusal = "too many requests at a time" if self._open > _MOST_REQUESTS else ""
                if uid not in (0, os.geteuid()):
                    refusal = "only root and the service's own user may ask"
                request: Answer = {}
                if self._open <= _MOST_CONNECTIONS:
                    # Whatever is left unread makes the kernel drop the answer, a refusal too.
                    with contextlib.suppress(ValueError, RecursionError):
                        request = await _read(reader, _PATIENCE)
                if refusal:
                    await _write(writer, {"ok": False, "error": refusal})
                    return
                caller = Caller(uid=uid, reply=lambda: _read(reader, _LONGEST_THOUGHT))
                answers = await begun.enter_async_context(contextlib.aclosing(self._answer(request, caller)))
                async for answer in answers:
                    await _write(writer, answer)
            except (OSError, ValueError, TimeoutError):
                pass
            finally:
                self._open -= 1
                writer.close()

    async def _answer(self, request: Answer, caller: Caller) -> AsyncGenerator[Answer]:
        handler = self._handlers.get(str(request.get("do")))
        if handler is None:
            yield {"ok": False, "error": "unknown request"}
            return
        try:
            answer = handler(request, caller)
            if isinstance(answer, dict):
                yield {"ok": True, **answer}
                return
            async with contextlib.aclosing(_keep_alive(answer)) as lines:
                async for line in lines:
                    yield line if "alive" in line else {"ok": True, **line}
        except RelayError as error:
            yield {"ok": False, "error": str(error), "kind": getattr(error, "kind", "")}
        except Exception as error:  # noqa: BLE001 - whoever asks must learn that it was not done
            emit(ActivityFailed(activity=f"request {request['do']}", error=repr(error), exception=error))
            yield {"ok": False, "error": "a fault inside of the service; its log says more"}


async def _keep_alive(answers: AsyncGenerator[Answer]) -> AsyncGenerator[Answer]:
    """Yield the answers, and a sign of life whenever the next one takes long."""
    step: asyncio.Future[Answer | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(anext(answers, None))
            while not (await asyncio.wait({step}, timeout=_ALIVE))[0]:
                yield {"alive": True}
            answer = step.result()
            if answer is None:
                return
            yield answer
    finally:
        if step is not None and not step.done():
            step.cancel()
            await asyncio.wait({step})
        await answers.aclose()


async def _read(reader: asyncio.StreamReader, patience: float) -> Answer:
    """Read one object. Raises ValueError where it is none or too long, TimeoutError."""
    async with asyncio.timeout(patience):
        return read(await reader.readline())


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(write(answer))
    async with asyncio.timeout(_LONGEST_THOUGHT):
        await writer.drain()


def _peer(connection: socket.socket) -> int:
    """Give the uid of who has connected (SO_PEERCRED, unix(7)); where the system does not tell, our own."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.geteuid()
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, size))[1])
