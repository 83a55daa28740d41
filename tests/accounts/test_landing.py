import asyncio
import contextlib
import socket

import pytest

from relay.accounts.landing import Landing


def read(address: str) -> str:
    if "code=right" not in address:
        raise ValueError("is wrong")
    return "right"


async def visit(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_the_first_right_answer_counts_and_nothing_of_a_request_is_shown() -> None:
    complaints: list[str] = []
    async with Landing(read, complaints.append) as landing:
        code = asyncio.create_task(landing.code())
        for request in (
            b"GET /favicon.ico HTTP/1.1\r\n\r\n",
            b"GET /?code=<script> HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /?code=right HTTP/1.1\r\n\r\n",
            b"\xff\x00\r\n\r\n",
        ):
            answer = await visit(landing.port, request)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"script" not in answer
        assert await visit(landing.port, b"x" * 40_000) == b""
        assert not code.done()
        for _ in range(2):
            answer = await visit(landing.port, b"GET /?code=right HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"right" not in answer
        assert await code == "right"
    assert complaints == ["is wrong"]


async def test_each_complaint_is_told_once_and_few_of_them() -> None:
    complaints: list[str] = []

    def fail(address: str) -> str:
        raise ValueError(address.partition("=")[2][:20])

    async with Landing(fail, complaints.append) as landing:
        for n in (*range(9), *range(9)):
            await visit(landing.port, b"GET /?n=%d HTTP/1.1\r\n\r\n" % n)
    assert complaints == ["0", "1", "2", "3", "4"]


async def test_what_is_open_at_the_end_is_closed_without_a_word() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with Landing(read, lambda _: None) as landing:
        streams = [await asyncio.open_connection("127.0.0.1", landing.port) for _ in range(3)]
        streams[0][1].write(b"GET /?code=wrong HTTP/1.1\r\n")
        await visit(landing.port, b"GET / HTTP/1.1\r\n\r\n")  # by now the others are served, too
    assert landing._open == {}
    for reader, writer in streams:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
    assert faults == []


async def test_localhost_is_reached_by_both_its_addresses() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6")
    async with Landing(read, lambda _: None) as landing:
        reader, writer = await asyncio.open_connection("::1", landing.port)
        writer.write(b"GET /?code=right HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert await landing.code() == "right"
