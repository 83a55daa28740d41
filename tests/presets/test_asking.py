"""What strangers may answer; the real servers are in test_finding.py. Here are answers that none gives on demand."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import trustme

from relay.presets import asking
from relay.presets.asking import AskingError, Dns, connect_tls, fetch
from relay.presets.public import IpAddress


class Names:
    """Answers each question with the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = tuple(map(ip_address, addresses))

    async def exchangers(self, _: str) -> tuple[str, ...]:
        return ()

    async def addresses(self, _: str) -> tuple[IpAddress, ...]:
        return self._addresses


@contextlib.asynccontextmanager
async def answering(content: bytes | None) -> AsyncIterator[asking.Connector]:
    """Serve an answer, byte for byte; None: never."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if content is None:
            await over.wait()
        with contextlib.suppress(ConnectionError):
            writer.write(content or b"")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]

        async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", port)

        try:
            yield connect
        finally:
            over.set()


async def ask(connect: asking.Connector, *addresses: str) -> bytes:
    return await fetch("h.example", "/", resolver=Names(*(addresses or ("93.184.216.34",))), connect=connect)


async def test_a_chunked_answer_is_joined() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with answering(answer) as connect:
        assert await ask(connect) == b"abc"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"220 smtp.example ESMTP\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "no HTTP"),
        (b"", "no HTTP|ended"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", "sends elsewhere"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", "no such file"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, "larger than 64 KiB"),
    ],
)
async def test_an_answer_that_is_none_is_said_in_words(answer: bytes, reason: str) -> None:
    async with answering(answer) as connect:
        with pytest.raises(AskingError, match=reason):
            await ask(connect)


async def test_a_silent_server_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.05)
    async with answering(None) as connect:
        with pytest.raises(AskingError, match="in time"):
            await ask(connect)


@contextlib.asynccontextmanager
async def never_ending_tls(content: bytes) -> AsyncIterator[asking.Connector]:
    """Serve an answer by TLS, and then neither read nor close: what ends TLS in an orderly way is never answered."""
    ca, over = trustme.CA(), threading.Event()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("h.example").configure_cert(served)
    ca.configure_trust(trusting)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening.accept()[0] as plain, served.wrap_socket(plain, server_side=True) as session:
            session.recv(4096)
            session.sendall(content)
            over.wait()
            session.detach()

    thread = threading.Thread(target=serve)
    thread.start()

    async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = listening.getsockname()[1]
        return await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="h.example")

    try:
        yield connect
    finally:
        over.set()
        await asyncio.to_thread(thread.join)
        listening.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "in time"),
        (b"HTTP/1.1 302 Moved\r\nLocation: https://evil.example/\r\n\r\n", "sends elsewhere"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, "larger than 64 KiB"),
    ],
)
async def test_a_server_that_never_ends_tls_delays_nothing(
    answer: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 1.0 if answer else 0.1)
    async with never_ending_tls(answer) as connect, asyncio.timeout(10):
        with pytest.raises(AskingError, match=reason):
            await ask(connect)


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.216.34", "10.0.0.1"), ("::1",)])
async def test_nothing_connects_to_an_office_network(addresses: tuple[str, ...]) -> None:
    async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise AssertionError

    with pytest.raises(AskingError, match="not one of the internet"):
        await ask(connect, *addresses)


async def test_a_name_is_resolved_once_and_that_very_address_is_connected_to() -> None:
    asked: list[str] = []

    class Rebinding(Names):
        async def addresses(self, host: str) -> tuple[IpAddress, ...]:
            asked.append(host)
            return tuple(map(ip_address, ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]))

    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na") as connect:

        async def noting(address: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            assert (address, port, host) == ("93.184.216.34", 443, "h.example")
            return await connect(address, port, host)

        assert await fetch("h.example", "/", resolver=Rebinding(), connect=noting) == b"a"
    assert asked == ["h.example"]


async def test_a_refused_connection_is_said_in_words() -> None:
    async def connect(*_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await connect_tls("127.0.0.1", 1, "h.example")

    with pytest.raises(AskingError, match="can't be reached"):
        await ask(connect)


async def test_a_dns_that_is_not_there_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    with pytest.raises(AskingError, match="the DNS gave no answer"):
        await Dns(("127.0.0.1",), 1).exchangers("h.example")
