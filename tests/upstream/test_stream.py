import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from relay.upstream.secrecy import WITHHELD, Veil
from relay.upstream.stream import LONGEST_REPLY, MOST_LINES, MOST_UNASKED, AwaitedProtocol, SmtpStream, StreamLost
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until
from tests.upstream.conftest import QUICK


@asynccontextmanager
async def connected(script: str) -> AsyncGenerator[SmtpStream]:
    async with Dialogue(script) as server:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        yield SmtpStream(transport, Veil("u", "secret-word"))
        transport.abort()


async def test_replies_are_read_in_their_order_however_they_are_cut() -> None:
    async with connected(
        "S> 250-2.1.0 one\nS> \\x0d\\x0a250 2.1.0\nS> \\x20two\\x0d\\x0a354 go\\x0a\n! silence"
    ) as stream:
        stream.write(b"two commands\r\n", replies=2)
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
     "\n".join(["S: 250-" + "z" * 1000] * (LONGEST_REPLY // 1000 + 2)), "S: \\xff\\xff\\xff",
     "\n".join(["S: 250-"] * (MOST_LINES + 1)), "S: \\xb2\\xb250 x"],
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


async def test_more_answers_than_were_asked_for_end_the_connection() -> None:
    async with connected("\n".join(["S: 250 x"] * 1000) + "\n! silence") as stream:
        stream.write(b"two commands\r\n", replies=2)
        await until(lambda: stream.lost is not None)
        assert len(stream._replies) <= 2 + MOST_UNASKED
        for _ in range(2):
            assert (await stream.reply(5)).code == 250
        assert stream.lost == "answers that nobody asked for"


async def test_each_wait_has_its_own_time_though_there_is_one_timer() -> None:
    async with connected("S: 250 one\nC: .*\nS: 250 two\n! silence") as stream:
        assert (await stream.reply(60)).text == "one"
        stream.write(b"x\r\n", replies=1)
        assert (await stream.reply(30)).text == "two"
        with pytest.raises(StreamLost, match=r"no answer within 0\.05 s"):
            await stream.reply(0.05)


async def test_a_timer_of_a_shorter_wait_does_not_end_a_longer_one() -> None:
    async with connected("C: .*\nS: 250 one\nC: .*\nD: 250 " + "two" * 40 + "\n! silence") as stream:
        stream.write(b"x\r\n", replies=1)
        assert (await stream.reply(0.005 + QUICK.quit)).text == "one"
        await asyncio.sleep(0.9 * QUICK.quit)
        stream.write(b"x\r\n", replies=1)
        assert (await stream.reply(5)).text == "two" * 40


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    async with connected("C: .*\nS: 250 late\n! silence") as stream:
        task = asyncio.create_task(stream.reply(5))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stream.write(b"x\r\n", replies=1)
        assert (await stream.reply(5)).text == "late"


async def test_a_reply_is_veiled_whether_it_is_short_long_or_in_several_lines() -> None:
    long = "x" * 200
    said = f"S: 250 2.1.0 secret-word\nS: 550-5.7.1 no\nS: 550 5.7.1 SECRET-word {long}\nS: 250 2.1.0 Ok\n! silence"
    async with connected(said) as stream:
        stream.write(b"three commands\r\n", replies=3)
        replies = [await stream.reply(5) for _ in range(3)]
    assert [reply.code for reply in replies] == [250, 550, 250]
    assert [reply.enhanced for reply in replies] == ["2.1.0", "5.7.1", "2.1.0"]
    assert [reply.text for reply in replies] == [WITHHELD.decode(), WITHHELD.decode(), "Ok"]


async def test_a_server_that_takes_the_mail_octet_by_octet_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected("! silence") as stream:
        clock = {"now": 0.0}
        monkeypatch.setattr(stream, "_loop", type("Clock", (), {"time": lambda _: clock["now"]})())
        sizes = iter(range(50_000, 0, -1))
        transport = type("Dripping", (), {"get_write_buffer_size": lambda _: next(sizes), "abort": lambda _: None})()
        real, stream.transport = stream.transport, transport

        async def wait(seconds: float) -> bool:
            clock["now"] += seconds
            return False

        monkeypatch.setattr(stream, "_wait", wait)
        stream.pause_writing()
        with pytest.raises(StreamLost, match="too slowly"):
            await stream.drain(180)
        assert clock["now"] <= 180 * 2
        stream.transport = real


@pytest.mark.parametrize(
    ("error", "reason"),
    [(None, "the connection was closed"), (ConnectionResetError(), "the connection was reset")],
    ids=["closed", "reset"],
)
async def test_a_loss_has_a_reason(error: Exception | None, reason: str) -> None:
    one = AwaitedProtocol()
    one.connection_lost(error)
    assert one._lost == reason


async def test_the_first_reason_counts_and_the_waiter_is_woken_once() -> None:
    one = AwaitedProtocol()
    one._waiter = waiter = asyncio.get_running_loop().create_future()
    assert one.eof_received() is False
    one.connection_lost(ConnectionResetError())
    assert await waiter
    assert one._lost == "the server closed the connection"
