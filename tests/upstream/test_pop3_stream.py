import asyncio

import pytest

from relay.upstream.pop3_stream import LEAST_RATE, Pop3Stream
from relay.upstream.secrecy import Veil
from relay.upstream.stream import StreamLost
from tests.peers.dialogue import Dialogue

OPEN = Veil(None, None)


async def test_lines_and_data_come_however_they_are_cut() -> None:
    script = "S> +OK one\nS> \\x0d\nS> \\x0atwo\\x0a.x\\x0d\nS> \\x0a.\nS> \\x0d\\x0arest\\x0d\\x0a\n! silence"
    async with Dialogue(script) as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        assert [await stream.read_line() for _ in range(2)] == [b"+OK one", b"two"]
        assert b"".join([piece async for piece in stream.read_data()]) == b"x\r\n"
        assert await stream.read_line() == b"rest"
        stream.abort()


async def test_a_line_without_an_end_is_no_line() -> None:
    for said in ("S> " + "x" * 20_000, "S: " + "x" * 9_000):
        async with Dialogue(f"{said}\n! silence") as server:
            stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
            with pytest.raises(StreamLost):
                await stream.read_line()
            stream.abort()


async def test_a_server_that_is_faster_than_the_disk_has_to_wait() -> None:
    async with Dialogue("S> " + "x" * 8_000_000 + "\nS: \nS: .\n! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        length = 0
        async for piece in stream.read_data():
            length += len(piece)
            assert len(stream._buffer) < 2_000_000
            await asyncio.sleep(0)
        assert length == 8_000_002
        stream.abort()


async def test_what_is_lost_can_not_be_written_to() -> None:
    async with Dialogue("! close") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        with pytest.raises(StreamLost):
            await stream.read_line()
        with pytest.raises(StreamLost):
            stream.write(b"CAPA\r\n")


class _Clock:
    """A loop's time that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0


@pytest.mark.parametrize("reads", ["a line", "a message"])
async def test_a_server_that_drips_is_given_up_though_it_never_is_silent(
    reads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each octet comes a moment before the time would be over; no real time passes."""
    async with Dialogue("! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=60, veil=OPEN)
        clock, loop = _Clock(), asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: clock.now)
        wakes = 0

        def drip() -> None:
            nonlocal wakes
            wakes += 1
            clock.now += 25
            stream.data_received(b"x")
            loop.call_soon(drip)

        loop.call_soon(drip)
        with pytest.raises(StreamLost, match="drip"):
            await (stream.read_line() if reads == "a line" else _read_message(stream))
        monkeypatch.undo()
        assert wakes <= 5
        stream.abort()


async def _read_message(stream: Pop3Stream) -> list[bytes]:
    return [piece async for piece in stream.read_data()]


async def test_what_comes_fast_enough_earns_its_time_and_each_command_renews_it() -> None:
    async with Dialogue("S> " + "x" * 8000 + "\nC: .*\nS: +OK\n! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        stream._credit = 1.0
        while len(stream._buffer) < 8000:
            await stream._more()
        assert 1.0 + 8000 / LEAST_RATE > 5 >= stream._credit > 4
        stream._credit = 0.001
        stream.write(b"NOOP\r\n")
        assert stream._credit == 5
        stream.abort()


async def test_many_short_messages_in_one_piece_are_not_copied_again_and_again() -> None:
    """The work for each message does not grow with what stands behind it."""
    count = 20_000
    async with Dialogue("S> " + "+OK\\x0d\\x0ax\\x0d\\x0a.\\x0d\\x0a" * count + "\n! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        for _ in range(count):
            assert await stream.read_status() == (True, "")
            assert [piece async for piece in stream.read_data()] == [b"x\r\n"]
        stream.abort()


async def test_an_answer_without_an_end_ends_and_lets_others_have_their_turn() -> None:
    async with Dialogue("\n".join(["S: X"] * 3000) + "\n! silence") as server:
        stream = await Pop3Stream.open("127.0.0.1", server.port, context=None, seconds=5, veil=OPEN)
        while len(stream._buffer) < 9000:
            await stream._more()
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count_turns())
        with pytest.raises(StreamLost, match="without an end"):
            async for _ in stream.read_lines(2_000):
                pass
        assert turns >= 2
        other.cancel()
        stream.abort()
