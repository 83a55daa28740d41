import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from relay.upstream.stream import LONGEST_REPLY, SmtpStream, StreamLost, take_over
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until


@asynccontextmanager
async def connected(script: str) -> AsyncGenerator[SmtpStream]:
    async with Dialogue(script) as server:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        yield take_over(transport)
        transport.abort()


async def test_replies_are_read_in_their_order_however_they_are_cut() -> None:
    async with connected(
        "S> 250-2.1.0 one\nS> \\x0d\\x0a250 2.1.0\nS> \\x20two\\x0d\\x0a354 go\\x0a\n! silence"
    ) as stream:
        first, second = await stream.reply(5), await stream.reply(5)
        assert (first.code, first.enhanced, first.text) == (250, "2.1.0", "one\ntwo")
        assert second.code == 354


async def test_a_reply_that_nobody_asked_for_is_noticed() -> None:
    async with connected("S: 421 4.4.2 idle\n! close") as stream:
        await until(lambda: stream.has_reply)
        assert (await stream.reply(5)).code == 421
        with pytest.raises(StreamLost):
            await stream.reply(5)
        with pytest.raises(StreamLost):
            stream.write(b"NOOP\r\n")


@pytest.mark.parametrize(
    "said",
    ["S: hello", "S: 25 x", "S: 250+x", "S> " + "x" * 9000, "S> 250 " + "y" * 9000,
     "\n".join(["S: 250-" + "z" * 1000] * (LONGEST_REPLY // 1000 + 2)), "S: \\xff\\xff\\xff"],
)  # fmt: skip
async def test_what_is_no_reply_ends_the_connection(said: str) -> None:
    async with connected(f"{said}\n! silence") as stream:
        with pytest.raises(StreamLost):
            await stream.reply(5)
        assert stream.lost


async def test_silence_is_a_loss() -> None:
    async with connected("! silence") as stream:
        with pytest.raises(StreamLost, match=r"no answer within 0\.05 s"):
            await stream.reply(0.05)
        assert stream.lost
