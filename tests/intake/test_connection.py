"""The bytes of a session, apart from what they mean: lines, half a reply, clients that do not read, shared work."""

import asyncio

import pytest

from relay.intake.connection import READ
from relay.intake.lines import LineBuffer
from relay.intake.session import SmtpSession
from tests.intake.conftest import open_desk


async def test_replies_to_pipelined_commands_leave_together() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send("NOOP\r\n" * 50)
        assert [await client.read() for _ in range(50)] == ["250 2.0.0 OK"] * 50


async def test_a_bare_lf_ends_a_command_too() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send("NOOP\nNOOP\n")
        assert [await client.read() for _ in range(2)] == ["250 2.0.0 OK"] * 2


async def test_a_client_that_does_not_read_is_let_go_and_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection.LAST_WORDS", 0.05)
    async with open_desk(limits={"session_idle": 20}) as desk:
        client = await desk.greeted()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        (session,) = desk.server._desk.sessions
        assert isinstance(session, SmtpSession)
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionError):
                await _say_without_end(client.writer)
        assert not desk.server._desk.sessions
        assert len(session._buffer) < 1 << 20


async def _say_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HELP\r\n" * 2_000)
        await writer.drain()


async def test_quiet_means_that_nobody_hands_in_a_mail() -> None:
    async with open_desk() as desk:
        shared = desk.server._desk
        assert shared.quiet.is_set()
        client = await desk.greeted()
        await client.begin()
        assert not shared.quiet.is_set()
        await client.send(b"\r\n.\r\n")
        await client.read()
        assert shared.quiet.is_set()


async def test_many_small_chunks_in_one_packet_are_not_copied_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = [0]
    take, put_back = LineBuffer.take, LineBuffer.put_back

    def counting_take(self: LineBuffer, octets: int) -> bytes:
        data = take(self, octets)
        copied[0] += len(data)
        return data

    def counting_put_back(self: LineBuffer, data: bytes) -> None:
        copied[0] += len(data)
        put_back(self, data)

    monkeypatch.setattr(LineBuffer, "take", counting_take)
    monkeypatch.setattr(LineBuffer, "put_back", counting_put_back)
    async with open_desk() as desk:
        client = await desk.greeted()
        chunks = b"BDAT 1\r\ny" * 20_000
        await client.send(b"MAIL FROM:<s@x.example>\r\nRCPT TO:<a@x.example>\r\n" + chunks + b"BDAT 0 LAST\r\n")
        for _ in range(20_002):
            assert (await client.read()).startswith("250")
        assert (await client.read()).startswith("250 2.0.0 queued")
        assert copied[0] < 2 * len(chunks)


async def test_no_more_than_a_little_is_read_from_one_client_before_others_have_their_turn() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.begin()
        (session,) = desk.server._desk.sessions
        assert isinstance(session, SmtpSession)
        assert session.transport is not None
        taken = 0
        while session.transport.is_reading():  # as the loop does that finds more and more
            session.data_received(b"y" * 70 + b"\r\n")
            taken += 72
            assert taken <= READ + 72
        await asyncio.sleep(0)
        assert session.transport.is_reading()
        await client.send(".\r\n")
        assert (await client.read()).startswith("250")
