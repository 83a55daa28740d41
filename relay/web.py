"""One question to a web server and its answer: HTTP/1.1 by h11, over a connection that is there.

Guarantee: bounded in size; no redirect is followed, and nothing of what was asked or answered is in an exception. The
time it may take is limited by the caller.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_PIECE: Final = 16 * 1024
_LARGEST_HEAD: Final = 64 * 1024


class Fault(StrEnum):
    """Why there is no answer, in words that follow the server's name."""

    CLOSED = "it closed the connection without an answer"
    TOO_LARGE = "an answer that is too large"
    NO_HTTP = "an answer that is no HTTP"


class WebError(Exception):
    """There is no usable answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a server is asked."""

    method: str
    target: str
    """The path, with its parameters."""
    headers: Sequence[tuple[str, str]]
    """Beside Connection, and Content-Length where there is a body."""
    body: bytes = field(default=b"", repr=False)
    wanted: int | None = None
    """The only status whose body is waited for; None: each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered, whatever its status."""

    status: int
    body: bytes = field(repr=False)
    """Empty where another status was wanted."""


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: Question, *, largest: int
) -> Answer:
    """Ask, and return the answer, whose body has at most `largest` octets. Raises WebError, OSError."""
    import h11  # noqa: PLC0415 - 20 ms, and few offices need it

    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    length = [("Content-Length", str(len(question.body)))] if question.body else []
    headers = [*question.headers, *length, ("Connection", "close")]
    writer.write(http.send(h11.Request(method=question.method, target=question.target, headers=headers)) or b"")
    writer.write(http.send(h11.Data(data=question.body)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    with suppress(ConnectionError):  # it may have answered before it has read all
        await writer.drain()
    status, body = 0, bytearray()
    with suppress(h11.RemoteProtocolError):  # raised below: one that is chained to it could hold what was said
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_PIECE))
            elif isinstance(event, h11.Response):
                status = event.status_code
                if question.wanted not in (None, status):
                    return Answer(status=status, body=b"")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > largest:
                    raise WebError(Fault.TOO_LARGE)
            elif isinstance(event, h11.EndOfMessage):
                return Answer(status=status, body=bytes(body))
            elif not isinstance(event, h11.InformationalResponse):
                raise WebError(Fault.CLOSED)
    raise WebError(Fault.NO_HTTP)
