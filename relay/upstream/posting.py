"""Posts a form to a provider and reads its answer: HTTP/1.1 by h11, over the connections that mail uses as well.

Guarantee: bounded in time and size. No redirect is followed, no cookie kept, no proxy asked: what is posted holds
secrets. Neither they nor the answer are in any exception.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from relay.model.errors import RelayError
from relay.upstream.dialing import describe_fault, dial, tls_context

PATIENCE: Final = 20.0
"""Seconds for the whole of it: name, connection, TLS, question and answer."""
LARGEST: Final = 256 * 1024
"""Octets of an answer: tokens of large directories have some 10 KiB."""
_PIECE: Final = 16 * 1024
_LARGEST_HEAD: Final = 64 * 1024


class PostError(RelayError):
    """There is no answer; the text says why, and holds nothing of what was posted. Transient."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes = field(repr=False)


class Post(Protocol):
    """What posts a form; tests and the doctor may have one of their own."""

    async def __call__(self, url: str, form: Mapping[str, str]) -> Answer:
        """Post a form and return the answer, whatever its status. Raises PostError."""


Connect = Callable[[str, int, ssl.SSLContext | None], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to a host and port, with TLS where there is a context. Raises OSError."""


async def connect_to(
    host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as mail does: all addresses of the host, by RFC 8305. Raises OSError."""
    connected = await dial(host, port, seconds=PATIENCE)
    name = host if context is not None else None
    return await asyncio.open_connection(sock=connected, ssl=context, server_hostname=name, limit=_PIECE)


async def post_form(
    url: str, form: Mapping[str, str], *, connect: Connect = connect_to, seconds: float = PATIENCE
) -> Answer:
    """Post a form (`application/x-www-form-urlencoded`) and return the answer, whatever its status.

    `url` is https, or http for who allows that. Raises PostError.
    """
    parts = urlsplit(url)
    host, encrypted = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if encrypted else 80)
    fault: BaseException
    try:
        async with asyncio.timeout(seconds):
            context = await asyncio.to_thread(tls_context, None, verify=True) if encrypted else None
            reader, writer = await connect(host, port, context)
            try:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                return await _exchange(reader, writer, host=parts.netloc, path=path, body=urlencode(form).encode())
            finally:
                writer.transport.abort()
    except (OSError, EOFError) as error:
        fault = error
    # Raised here: an exception that is chained to it could hold what was sent.
    raise PostError(describe_fault(fault, host)[1])


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, host: str, path: str, body: bytes
) -> Answer:
    import h11  # noqa: PLC0415 - 20 ms, and few accounts need it

    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    headers = [
        ("Host", host),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(body))),
        ("Accept", "application/json"),
        ("Connection", "close"),
    ]
    sent = (h11.Request(method="POST", target=path, headers=headers), h11.Data(data=body), h11.EndOfMessage())
    for part in sent:
        writer.write(connection.send(part) or b"")
    with suppress(ConnectionError):  # it may have answered before it has read all
        await writer.drain()
    status, answer = 0, bytearray()
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_PIECE))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                answer += event.data
                if len(answer) > LARGEST:
                    raise PostError(f"{host}: an answer that is too large")
            elif isinstance(event, h11.EndOfMessage):
                return Answer(status=status, body=bytes(answer))
            elif not isinstance(event, h11.InformationalResponse):
                raise PostError(f"{host}: it closed the connection without an answer")
    except h11.RemoteProtocolError:
        pass
    raise PostError(f"{host}: an answer that is no HTTP")
