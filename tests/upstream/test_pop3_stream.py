import asyncio

import pytest

from relay.upstream.pop3_stream import Pop3Lost, Pop3Stream
from tests.peers.dialogue import Dialogue


async def test_lines_and_data_come_however_they_are_cut() -> None:
    script = "S> +OK one\nS> \\x0d\nS> \\x0atwo\\x0a.x\\x0d\nS> \\x0a.\nS> \\x0d\\x0arest\\x0d\\x0a\n! silence"
    async with Dialogue(script) as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5)
        assert [await stream.read_line() for _ in range(2)] == [b"+OK one", b"two"]
        assert b"".join([piece async for piece in stream.read_data()]) == b"x\r\n"
        assert await stream.read_line() == b"rest"
        stream.abort()


async def test_a_line_without_an_end_is_no_line() -> None:
    for said in ("S> " + "x" * 20_000, "S: " + "x" * 9_000):
        async with Dialogue(f"{said}\n! silence") as server:
            stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5)
            with pytest.raises(Pop3Lost):
                await stream.read_line()
            stream.abort()


async def test_a_server_that_is_faster_than_the_disk_has_to_wait() -> None:
    async with Dialogue("S> " + "x" * 8_000_000 + "\nS: \nS: .\n! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5)
        length = 0
        async for piece in stream.read_data():
            length += len(piece)
            assert len(stream._buffer) < 2_000_000
            await asyncio.sleep(0)
        assert length == 8_000_002
        stream.abort()


async def test_what_is_lost_can_not_be_written_to() -> None:
    async with Dialogue("! close") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5)
        with pytest.raises(Pop3Lost):
            await stream.read_line()
        with pytest.raises(Pop3Lost):
            stream.write(b"CAPA\r\n")
