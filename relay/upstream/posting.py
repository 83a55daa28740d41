"""Posts a form to a provider and reads its answer: HTTP/1.1 by h11, over the connections that mail uses as well.

Guarantee: bounded in time and size. No redirect is followed, no cookie kept, no proxy asked: what is posted holds
secrets. Neither they nor the answer are in any exception.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from relay.model.errors import RelayError
from relay.upstream.dialing import describe_fault, dial, tls_context
from relay.web import Answer, Question, WebError, exchange

PATIENCE: Final = 20.0
"""Seconds for the whole of it: name, connection, TLS, question and answer."""
LARGEST: Final = 256 * 1024
"""Octets of an answer: tokens of large directories have some 10 KiB."""
_PIECE: Final = 16 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


class PostError(RelayError):
    """There is no answer; the text says why, and holds nothing of what was posted. Transient."""


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
    try:
        async with asyncio.timeout(seconds):
            context = await asyncio.to_thread(tls_context, None, verify=True) if encrypted else None
            reader, writer = await connect(host, port, context)
            try:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                headers = [("Host", parts.netloc), ("Accept", "application/json"), ("Content-Type", _FORM)]
                body = urlencode(form).encode()
                question = Question(method="POST", target=path, headers=headers, body=body)
                return await exchange(reader, writer, question, largest=LARGEST)
            finally:
                writer.transport.abort()
    except WebError as error:
        said = f"{parts.netloc}: {error.fault}"
    except (OSError, EOFError) as error:
        said = describe_fault(error, host)[1]
    # Raised here: an exception that is chained to it could hold what was sent.
    raise PostError(said)
