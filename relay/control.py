"""The control socket in the storage folder: commands wake a running service through it.

Commands act on the database; the socket only says "look". One JSON object a line each way: `{"do": "look"}` ->
`{"ok": true}`, or `{"ok": false, "error": "..."}`; what takes its time tells of its progress in lines before that. Only
the service's own user and root can open it, and the kernel is asked who it is: a file system may not keep modes.
A request is one line of at most 64 KiB within 5 s; at most 16 are answered at a time, some more are told so.
"""

import asyncio
import contextlib
import errno
import json
import os
import socket
import stat
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from relay.emitting import emit
from relay.events.service import ActivityFailed
from relay.model.errors import RelayError

NAME = "relay.sock"
LONGEST_ANSWER = 1 << 20
_LONGEST_REQUEST = 1 << 16
_MOST_REQUESTS = 16
"""That are answered at a time: each may be one whose progress somebody follows."""
_MOST_CONNECTIONS = 64
"""That are read from at a time, if only to be told that there are too many."""
_PATIENCE = 5.0
"""Seconds for what is done at once."""

Answer = dict[str, Any]
Handler = Callable[[Answer], Answer | AsyncIterator[Answer]]
"""Takes the request; gives the answer, or lines of progress of which the last is the answer."""


class ControlError(RelayError):
    """A service runs, and has not done what it was asked for."""


class BadRequestError(RelayError):
    """A request that can't be understood."""


def names_in(request: Answer, key: str) -> frozenset[str] | None:
    """Read a request's list of names; None where it has none, which means all. Raises BadRequestError."""
    names = request.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequestError(f"bad request: {key} must be a list of names")
    return frozenset(names)


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
        self._open = 0

    async def start(self) -> None:
        """Listen; the lock on the folder makes sure that an old socket there is nobody's.

        Raises OSError, also where something else than a socket has its name.
        """
        with _short_path(self._folder) as path:
            _remove_old(path)
            mask = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=_LONGEST_REQUEST)
            finally:
                os.umask(mask)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            refusal = self._refusal(writer)
            if self._open <= _MOST_CONNECTIONS:
                # Whatever is left unread makes the kernel drop the answer, a refusal too.
                async with asyncio.timeout(_PATIENCE):
                    line = await reader.readline()
            if refusal:
                writer.write(_line({"ok": False, "error": refusal}))
                return
            async with contextlib.aclosing(self._answer(line)) as answers:
                async for answer in answers:
                    async with asyncio.timeout(_PATIENCE):
                        writer.write(_line(answer))
                        await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass
        finally:
            self._open -= 1
            writer.close()

    def _refusal(self, writer: asyncio.StreamWriter) -> str:
        """Say why whoever has connected gets no answer; empty where he gets one."""
        if _peer(writer.get_extra_info("socket")) not in (0, os.geteuid()):
            return "only root and the service's own user may ask"
        return "too many requests at a time" if self._open > _MOST_REQUESTS else ""

    async def _answer(self, line: bytes) -> AsyncGenerator[Answer, None]:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            yield {"ok": False, "error": "unknown request"}
            return
        try:
            answer = handler(request)
            if isinstance(answer, dict):
                yield {"ok": True, **answer}
                return
            async for progress in answer:
                yield {"ok": True, **progress}
        except RelayError as error:
            yield {"ok": False, "error": str(error)}
        except Exception as error:  # noqa: BLE001 - whoever asks must learn that it was not done
            emit(ActivityFailed(activity=f"request {request['do']}", error=repr(error), exception=error))
            yield {"ok": False, "error": "a fault inside of the service; its log says more"}


def _line(answer: Answer) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _peer(connection: socket.socket) -> int:
    """Give the uid of who has connected (SO_PEERCRED, unix(7)); where the system does not tell, our own."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.geteuid()
    size = struct.calcsize("3i")
    return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, size))[1])


def _remove_old(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "is there and no socket: remove it", path)
        os.unlink(path)  # noqa: PTH108 - at once, and not for Path's sake in a thread


def ask(folder: Path, do: str, *, patience: float = _PATIENCE, **arguments: Any) -> Answer | None:  # noqa: ANN401 - JSON
    """Ask the service of a storage folder and give its last answer; None where none runs.

    Raises ControlError where one runs but gives no answer within `patience` seconds, or says that it could not do it.
    """
    last = None
    for answer in follow(folder, do, patience=patience, **arguments):
        last = answer
    return last


def follow(folder: Path, do: str, *, patience: float | None = None, **arguments: Any) -> Iterator[Answer]:  # noqa: ANN401 - JSON
    """Ask the service of a storage folder and give each of its answers; nothing where none runs.

    Raises ControlError where it says that it could not do it, and where it says nothing at all, or is silent for
    `patience` seconds (None: for ever).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short_path(folder) as path:
        client.settimeout(patience)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            raise ControlError(f"{folder / NAME}: {error.strerror or error}") from None
        answered = False
        try:
            client.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with client.makefile("rb") as answers:
                while line := answers.readline(LONGEST_ANSWER):
                    yield _read(line)
                    answered = True
        except TimeoutError:
            raise ControlError(f"the service has given no answer within {patience:g} s") from None
        except (OSError, ValueError, RecursionError):
            raise ControlError("the service has given no answer that can be read") from None
        if not answered:
            raise ControlError("the service has given no answer: perhaps it is just stopping")


def _read(line: bytes) -> Answer:
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError("no object")  # noqa: TRY004 - as json says of what it can't read
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error") or "the service could not do it"))
    return answer
