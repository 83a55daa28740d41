"""Whatever a server answers, it is an answer or a fault that has a name; what is asked reaches a real server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.web import Answer, Fault, Question, WebError, exchange

ASKED = Question(method="GET", target="/x?sesame", headers=[("Host", "h.example")])
POSTED = Question(method="POST", target="/x", headers=[("Host", "h.example")], body=b"sesame")


class Nowhere(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return True


@contextlib.asynccontextmanager
async def connected(
    answer: bytes, heard: bytearray
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve one answer, byte for byte, to whoever has asked; `heard` gets the question."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = h11.Connection(h11.SERVER)
        while not isinstance(event := server.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                piece = await reader.read(1000)
                heard.extend(piece)
                server.receive_data(piece)
        with contextlib.suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def ask(answer: bytes, question: Question = ASKED, *, largest: int = 100) -> Answer:
    async with connected(answer, bytearray()) as (reader, writer):
        return await exchange(reader, writer, question, largest=largest)


@pytest.mark.parametrize("question", [ASKED, POSTED])
async def test_a_question_is_whole_and_any_status_is_an_answer(question: Question) -> None:
    heard = bytearray()
    async with connected(b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 302 No\r\nLocation: /y\r\n\r\nab", heard) as connection:
        answer = await exchange(*connection, question, largest=2)
    assert (answer.status, answer.body) == (302, b"ab")
    assert heard.startswith(f"{question.method} {question.target} HTTP/1.1\r\n".encode())
    assert heard.endswith(b"\r\n\r\n" + question.body)
    assert (b"content-length: 6" in heard.lower()) is bool(question.body)
    assert b"connection: close" in heard.lower()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"220 smtp.example ESMTP\r\n\r\n", Fault.NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Fault.NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, Fault.NO_HTTP),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, Fault.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 101, Fault.TOO_LARGE),
    ],
)
async def test_what_is_no_answer_has_a_name(answer: bytes, fault: Fault) -> None:
    with pytest.raises(WebError) as error:
        await ask(answer)
    assert error.value.fault is fault
    assert "sesame" not in f"{error.value!r} {error.value.__context__!r}"


async def test_the_body_of_a_status_that_is_not_wanted_is_not_waited_for() -> None:
    asked = Question(method="GET", target="/", headers=[("Host", "h.example")], wanted=200)
    answer = await ask(b"HTTP/1.1 302 Moved\r\nContent-Length: 5\r\n\r\n", asked)
    assert (answer.status, answer.body) == (302, b"")


async def test_a_server_that_says_nothing_has_not_answered() -> None:
    with pytest.raises(WebError) as error:
        await ask(b"")
    assert error.value.fault in (Fault.CLOSED, Fault.NO_HTTP)


@given(st.binary(max_size=300), st.booleans())
def test_whatever_comes_is_an_answer_or_a_fault(content: bytes, begins: bool) -> None:
    async def run() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"HTTP/1.1 200 OK\r\n" * begins + content)
        reader.feed_eof()
        protocol = asyncio.StreamReaderProtocol(reader)
        writer = asyncio.StreamWriter(Nowhere(), protocol, reader, asyncio.get_running_loop())
        with contextlib.suppress(WebError):
            assert len((await exchange(reader, writer, POSTED, largest=100)).body) <= 100

    asyncio.run(run())


def test_no_secret_is_shown() -> None:
    assert "sesame" not in repr(POSTED)
    assert "sesame" not in repr(Answer(status=200, body=b"sesame"))
