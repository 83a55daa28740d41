"""DATA: limits, faults, clients that leave, and that nothing but CRLF.CRLF ends a mail."""

import asyncio
import socket
import struct

import pytest

from relay.rules.sections import CHUNK
from tests.intake.conftest import Dialogue, open_desk

SMUGGLED = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nevil\r\n"


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\n.\n\r\n", b"\r\r\n.\n", b"\r\n\x00.\r\n"],
)
async def test_nothing_but_crlf_dot_crlf_ends_a_mail(end: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.begin()
        await client.send(b"Subject: x\r\n\r\nhello" + end + SMUGGLED + b"\r\n.\r\nNOOP\r\n")
        assert (await client.read()).startswith("250 2.0.0 queued")
        assert (await client.read()).startswith("250 2.0.0 OK")
        (mail,) = desk.recorder.mails
        assert b"evil" in mail.body
        assert mail.body.count(b"\n") == mail.body.count(b"\r\n") == mail.body.count(b"\r")


@pytest.mark.parametrize("step", ["header", "body", "finish"])
async def test_a_fault_of_ours_is_a_451_that_tells_nothing_and_the_session_goes_on(step: str) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        desk.recorder.fail_at = step
        await client.begin()
        await client.send(b"Subject: x\r\n\r\n" + b"y" * (3 * CHUNK) + b"\r\n.\r\n")
        reply = await client.read()
        assert reply == "451 4.3.0 The mail could not be kept, try again later"
        await desk.recorder.wait_for(lambda: desk.mail.aborted)
        desk.recorder.fail_at = ""
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250 ")


async def test_the_250_waits_for_the_commit() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        desk.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        await desk.recorder.finishing.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)
        desk.recorder.gate.set()
        assert (await client.read()).startswith("250 ")


async def test_who_half_closes_after_the_dot_gets_his_250() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        desk.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        client.writer.write_eof()
        await desk.recorder.finishing.wait()
        desk.recorder.gate.set()
        assert (await client.read()).startswith("250 2.0.0 queued")


async def test_a_client_that_is_gone_does_not_cancel_the_commit() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        desk.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        await desk.recorder.finishing.wait()
        raw = client.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
        await asyncio.sleep(0.02)
        desk.recorder.gate.set()
        await desk.recorder.wait_for(lambda: desk.mail.finished)
        assert not desk.mail.aborted


@pytest.mark.parametrize("sent", [b"", b"Subject: x\r\n", b"Subject: x\r\n\r\nhalf", b"\r\n" + b"y" * (2 * CHUNK)])
async def test_who_leaves_in_the_middle_leaves_nothing(sent: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.begin()
        await client.send(sent)
        client.close()
        await desk.recorder.wait_for(lambda: desk.mail.aborted)
        assert not desk.mail.finished
        assert desk.budget.free == 64 << 20


async def test_a_mail_beyond_the_limit_is_refused_behind_its_dot() -> None:
    async with open_desk(max_message_size=1000) as desk:
        client = await desk.greeted()
        await client.begin()
        await client.send(b"Subject: x\r\n\r\n" + b"y" * 5000 + b"\r\n.\r\n")
        assert (await client.read()).startswith("552 5.3.4")
        assert (await client.say("NOOP")).startswith("250")
        await desk.recorder.wait_for(lambda: desk.mail.aborted)


async def test_who_goes_on_and_on_is_cut_off() -> None:
    async with open_desk(max_message_size=1000) as desk:
        client = await desk.greeted()
        await client.begin()
        with pytest.raises(ConnectionError):
            await flood(client)
        assert desk.mail.finished is False


async def flood(client: Dialogue) -> None:
    while True:
        await client.send(b"y" * 100_000)


async def test_a_header_beyond_the_limit_is_refused() -> None:
    async with open_desk(limits={"header_size": 1000}) as desk:
        client = await desk.greeted()
        for header in (b"X: y\r\n" * 500, b"X: " + b"y" * 5000 + b"\r\n"):
            await client.begin()
            await client.send(header + b"\r\nbody\r\n.\r\n")
            assert (await client.read()).startswith("552 5.3.4")
        assert all(mail.header is None for mail in desk.recorder.mails)


async def test_lines_up_to_1_mib_are_taken_and_longer_ones_refused() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        for length, code in ((1 << 20, "250"), ((1 << 20) + 10, "554")):
            await client.begin()
            await client.send(b"\r\n" + b"y" * length + b"\r\n.\r\n")
            assert (await client.read())[:3] == code


async def test_the_budget_asks_the_next_one_to_come_later_and_is_given_back() -> None:
    async with open_desk(limits={"bytes_in_flight": 4096}) as desk:
        first, second = await desk.greeted(), await desk.greeted()
        await first.begin()
        assert (await second.say("MAIL FROM:<s@x.example> SIZE=4000", "RCPT TO:<a@x.example>", "DATA")).startswith(
            "452 4.3.1"
        )
        await first.send(b"Subject: x\r\n\r\n.\r\n")
        assert (await first.read()).startswith("250")
        assert desk.budget.free == 4096
        await second.begin()
        await second.send(b"y" * 10_000 + b"\r\n.\r\n")
        assert (await second.read()).startswith("452 4.3.1")
        assert desk.budget.free == 4096


async def test_a_client_that_drips_gets_no_more_time() -> None:
    async with open_desk(limits={"data_idle": 60}) as desk:
        client = await desk.greeted()
        await client.begin()
        reply = asyncio.create_task(client.read())
        while not reply.done():
            client.writer.write(b"y")
            await asyncio.sleep(0.01)
        assert (await reply).startswith("421 4.4.2")
        await desk.recorder.wait_for(lambda: desk.mail.aborted)


async def test_a_small_body_is_one_chunk_and_a_large_one_is_bounded() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        for size, chunks in ((10, 1), (CHUNK - 2, 1), (CHUNK * 3, 4)):
            await client.begin()
            await client.send(b"A: b\r\n\r\n" + b"y" * size + b"\r\n.\r\n")
            await client.read()
            assert desk.mail.chunks == chunks
            assert len(desk.mail.body) == size + 2
