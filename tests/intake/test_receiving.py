"""DATA: limits, faults, clients that leave, and that nothing but CRLF.CRLF ends a mail."""

import asyncio
import socket
import ssl
import struct
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.intake import receiving
from relay.intake.budget import SharedDiskSpace
from relay.intake.receiving import SLOWEST
from relay.intake.session import SmtpSession
from relay.rules.message_splitter import CHUNK
from tests.intake.conftest import Certificate, Dialogue, Recorder, open_listener
from tests.peers.machine import until

LINES = (b"y" * 62 + b"\r\n") * (CHUNK // 64)
SMUGGLED = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nevil\r\n"


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\n.\n\r\n", b"\r\r\n.\n", b"\r\n\x00.\r\n"],
)
async def test_nothing_but_crlf_dot_crlf_ends_a_mail(end: bytes) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.begin()
        await client.send(b"Subject: x\r\n\r\nhello" + end + SMUGGLED + b"\r\n.\r\nNOOP\r\n")
        assert (await client.read()).startswith("250 2.0.0 queued")
        assert (await client.read()).startswith("250 2.0.0 OK")
        (mail,) = running.recorder.mails
        assert b"evil" in mail.body
        assert mail.body.count(b"\n") == mail.body.count(b"\r\n") == mail.body.count(b"\r")


@pytest.mark.parametrize("step", ["header", "body", "finish"])
async def test_a_fault_of_ours_is_a_451_that_tells_nothing_and_the_session_goes_on(step: str) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.fail_at = step
        await client.begin()
        await client.send(b"Subject: x\r\n\r\n" + b"y" * (3 * CHUNK) + b"\r\n.\r\n")
        reply = await client.read()
        assert reply == "451 4.3.0 The mail could not be kept, try again later"
        await running.recorder.wait_for(lambda: running.mail.aborted)
        running.recorder.fail_at = ""
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250 ")


async def test_the_250_waits_for_the_commit() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        await running.recorder.finishing.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)
        running.recorder.gate.set()
        assert (await client.read()).startswith("250 ")


async def test_who_half_closes_after_the_dot_gets_his_250() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        client.writer.write_eof()
        await running.recorder.finishing.wait()
        running.recorder.gate.set()
        assert (await client.read()).startswith("250 2.0.0 queued")


async def test_a_client_that_is_gone_does_not_cancel_the_commit() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        await running.recorder.finishing.wait()
        await kill(client)
        await running.wait_until_empty()
        running.recorder.gate.set()
        await running.recorder.wait_for(lambda: running.mail.finished)
        assert not running.mail.aborted


@pytest.mark.parametrize("sent", [b"", b"Subject: x\r\n", b"Subject: x\r\n\r\nhalf", b"\r\n" + b"y" * (2 * CHUNK)])
async def test_who_leaves_in_the_middle_leaves_nothing(sent: bytes) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.begin()
        await client.send(sent)
        client.close()
        await running.recorder.wait_for(lambda: running.mail.aborted)
        assert not running.mail.finished
        assert running.budget._free == 64 << 20


async def test_a_mail_beyond_the_limit_is_refused_behind_its_dot() -> None:
    async with open_listener(max_message_size=1000) as running:
        client = await running.greeted()
        await client.begin()
        await client.send(b"Subject: x\r\n\r\n" + b"y" * 5000 + b"\r\n.\r\n")
        assert (await client.read()).startswith("552 5.3.4")
        assert (await client.say("NOOP")).startswith("250")
        await running.recorder.wait_for(lambda: running.mail.aborted)


async def test_who_goes_on_and_on_is_cut_off() -> None:
    async with open_listener(max_message_size=1000) as running:
        client = await running.greeted()
        await client.begin()
        with pytest.raises(ConnectionError):
            await flood(client)
        assert running.mail.finished is False


async def flood(client: Dialogue) -> None:
    while True:
        await client.send(b"y" * 100_000)


async def test_a_header_beyond_the_limit_is_refused() -> None:
    async with open_listener(limits={"header_size": 1000}) as running:
        client = await running.greeted()
        for header in (b"X: y\r\n" * 500, b"X: " + b"y" * 5000 + b"\r\n"):
            await client.begin()
            await client.send(header + b"\r\nbody\r\n.\r\n")
            assert (await client.read()).startswith("552 5.3.4")
        assert all(mail.header is None for mail in running.recorder.mails)


async def test_lines_up_to_1_mib_are_taken_and_longer_ones_refused() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        for length, code in ((1 << 20, "250"), ((1 << 20) + 10, "554")):
            await client.begin()
            await client.send(b"\r\n" + b"y" * length + b"\r\n.\r\n")
            assert (await client.read())[:3] == code


async def test_the_budget_asks_the_next_one_to_come_later_and_is_given_back() -> None:
    async with open_listener(limits={"bytes_in_flight": 4096}) as running:
        first, second = await running.greeted(), await running.greeted()
        await first.begin()
        assert (await second.say("MAIL FROM:<s@x.example> SIZE=4000", "RCPT TO:<a@x.example>", "DATA")).startswith(
            "452 4.3.1"
        )
        await first.send(b"Subject: x\r\n\r\n.\r\n")
        assert (await first.read()).startswith("250")
        assert running.budget._free == 4096
        await second.begin()
        await second.send(b"y" * 10_000 + b"\r\n.\r\n")
        assert (await second.read()).startswith("452 4.3.1")
        assert running.budget._free == 4096


async def test_a_client_that_drips_gets_no_more_time() -> None:
    async with open_listener(limits={"data_idle": 60}) as running:
        client = await running.greeted()
        await client.begin()
        reply = asyncio.create_task(client.read())
        while not reply.done():
            client.writer.write(b"y")
            await asyncio.sleep(0.01)
        assert (await reply).startswith("421 4.4.2")
        await running.recorder.wait_for(lambda: running.mail.aborted)


async def test_a_small_body_is_one_chunk_and_a_large_one_is_bounded() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        for size, chunks in ((10, 1), (CHUNK - 2, 1), (CHUNK * 3, 4)):
            await client.begin()
            await client.send(b"A: b\r\n\r\n" + b"y" * size + b"\r\n.\r\n")
            await client.read()
            assert running.mail.chunks == chunks
            assert len(running.mail.body) == size + 2


async def test_clients_that_announce_much_and_drip_take_nothing_from_the_others() -> None:
    async with open_listener(limits={"bytes_in_flight": 64 << 20, "connections_per_client": 200}) as running:
        for _ in range(60):
            client = await running.greeted(source="127.0.0.2")
            await client.say("MAIL FROM:<s@x.example> SIZE=50000000", "RCPT TO:<a@x.example>")
            assert (await client.say("DATA")).startswith("354")
            await client.send(b"Subject: x\r\n\r\ny")
        assert running.budget.taken < 1 << 20
        honest = await running.greeted()
        await honest.begin()
        await honest.send(b"\r\n" + LINES * 16 + b".\r\n")
        assert (await honest.read()).startswith("250")


async def test_one_client_can_not_take_the_memory_of_all() -> None:
    async with open_listener(limits={"bytes_in_flight": 4 << 20, "header_size": 1024}) as running:
        greedy = [await running.greeted(source="127.0.0.2") for _ in range(30)]
        for client in greedy:
            await client.begin()
            await client.send(b"\r\n" + b"y" * 200_000)
        assert await turned_away(greedy) > 0
        assert running.budget.taken <= 2 << 20
        honest = await running.greeted()
        await honest.begin()
        await honest.send(b"\r\n" + b"y" * 1_000_000 + b"\r\n.\r\n")
        assert (await honest.read()).startswith("250")


async def turned_away(clients: list[Dialogue]) -> int:
    """End the mails of some clients; gives how many of them are told to come later."""
    for client in clients:
        await client.send(b"\r\n.\r\n")
    codes = [(await client.read())[:9] for client in clients]
    assert {*codes} <= {"250 2.0.0", "452 4.3.1"}
    return codes.count("452 4.3.1")


async def test_what_is_written_is_given_back_while_the_mail_goes_on() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.gate.clear()
        await client.begin()
        await client.send(b"\r\n" + LINES * 20 + b".\r\n")
        await running.recorder.finishing.wait()
        assert CHUNK <= running.budget.taken <= 2 * CHUNK
        running.recorder.gate.set()
        assert (await client.read()).startswith("250")
        assert running.budget.taken == 0


async def test_many_recipients_are_counted_too() -> None:
    async with open_listener(limits={"bytes_in_flight": 100_000, "errors_per_session": 1000}) as running:
        client = await running.greeted()
        await client.say("MAIL FROM:<s@x.example>")
        await client.send("".join(f"RCPT TO:<{'r' * 50}{n}@x.example>\r\n" for n in range(300)))
        codes = [(await client.read())[:9] for _ in range(300)]
        assert set(codes) == {"250 2.1.5", "452 4.3.1"}
        assert running.budget.taken > 90_000
        assert (await client.say("RSET")).startswith("250")
        assert running.budget.taken == 0


async def test_the_disk_is_asked_while_the_mail_comes() -> None:
    space = SharedDiskSpace(lambda octets: octets <= 9 * CHUNK)
    async with open_listener(disk_space=space) as running:
        client = await running.greeted()
        await client.begin()
        await client.send(b"\r\n" + LINES * 20 + b".\r\n")
        assert (await client.read()).startswith("452 4.3.1")
        assert not space._unfinished
        await client.begin()
        await client.send(b"\r\n" + LINES * 5 + b".\r\n")
        assert (await client.read()).startswith("250")
        assert not space._unfinished


async def test_refusals_on_the_way_in_name_the_sender_and_the_user() -> None:
    with capture_logs() as lines:
        async with open_listener(max_message_size=1000) as running:
            client = await running.greeted()
            await client.say("MAIL FROM:<s@x.example> SIZE=5000")
            await client.begin()
            await client.send(b"Subject: x\r\n\r\n" + b"y" * 5000 + b"\r\n.\r\n")
            await client.read()
            await client.say(
                "MAIL FROM:<s@x.example>", "RCPT TO:<nobody>", "RCPT TO:<a@b@c>", "RSET", "MAIL FROM:<a b>"
            )
    found = [line for line in lines if line["event"] == "message_rejected"]
    assert [line["reason"] for line in found] == [
        "too_large", "too_large", "bad_recipient", "bad_recipient", "bad_sender"
    ]  # fmt: skip
    assert [line["reverse_path"] for line in found] == ["s@x.example"] * 4 + ["FROM:<a b>"]
    assert [line.get("recipient") for line in found] == [None, None, "TO:<nobody>", "TO:<a@b@c>", None]
    assert {line["client"] for line in found} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("end", "hangs"),
    [(b"\n.\n", True), (b"\n.\r\n", True), (b"\r.\r", True), (b"\r\n.\n", True), (b"\r\n", False), (b"1.\n", False)],
)
@pytest.mark.parametrize("leaves", [False, True])
async def test_who_hangs_at_a_dot_between_bare_line_feeds_is_logged(end: bytes, hangs: bool, leaves: bool) -> None:
    with capture_logs() as lines:
        async with open_listener(limits={"data_idle": 60_000 if leaves else 30}) as running:
            client = await running.greeted()
            await client.begin()
            for octet in b"Subject: x\n\nhello" + end:
                await client.send(bytes([octet]))
            if leaves:
                client.close()
            else:
                assert (await client.read()).startswith("554 5.6.0" if hangs else "421 4.4.2")
            await running.recorder.wait_for(lambda: running.mail.aborted)
    (line,) = [line for line in lines if line["event"] == "message_broken_off"]
    assert line["reverse_path"] == "s@x.example"
    assert line["reason"].startswith("it left" if leaves else "it was too slow")
    assert ("bare line feeds" in line["reason"]) == hangs


async def test_who_seems_to_have_ended_its_mail_is_answered_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "HANGING", 0.02)
    async with open_listener(limits={"data_idle": 60_000}) as running:
        client = await running.greeted()
        await client.begin()
        await client.send(b"Subject: x\n\nhello\n.\n")
        reply = await client.read()
        assert reply.startswith("554 5.6.0")
        assert "set bare_line_feeds for the device 127.0.0.1" in reply


async def test_who_goes_on_behind_such_a_dot_has_all_his_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "HANGING", 5.0)
    async with open_listener(limits={"data_idle": 60_000}) as running:
        client = await running.greeted()
        await client.begin()
        (session,) = running.server._context.sessions
        await client.send(b"Subject: x\n\nhello\n.\n")
        async with asyncio.timeout(10):
            while (session.deadline._at or 60) > session.loop.time() + 6:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
            await client.send(b"and more\r\n")
            while (session.deadline._at or 0) < session.loop.time() + 50:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        await client.send(b".\r\n")
        assert (await client.read()).startswith("250")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\n"])
async def test_a_device_may_end_its_mail_by_bare_line_feeds(end: bytes) -> None:
    async with open_listener() as running:
        running.recorder.bare_at = "127.0.0.1"
        client = await running.greeted()
        for n in range(2):
            await client.begin()
            await client.send(b"Subject: x\n\n..hello\n.dot" + end)
            assert (await client.read()).startswith("250"), n
        assert running.mail.header == b"Subject: x\r\n"
        assert running.mail.body == b".hello\r\ndot\r\n"


async def test_nobody_else_may() -> None:
    async with open_listener() as running:
        running.recorder.bare_at = "127.0.0.9"
        client = await running.greeted()
        await client.begin()
        await client.send(b"Subject: x\n\nhello\n.\nMAIL FROM:<evil@x.example>\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert running.mail.body == b"hello\r\n.\r\nMAIL FROM:<evil@x.example>\r\n"


async def test_the_slowest_that_is_waited_for_has_a_rate() -> None:
    async with open_listener(limits={"data_idle": 60_000}) as running:
        client = await running.greeted()
        await client.begin()
        (session,) = running.server._context.sessions
        assert isinstance(session, SmtpSession)
        deadline = session.deadline
        assert session.receiver is not None
        begun = deadline._at
        assert begun is not None
        deadline._at = begun - 50
        session.receiver.progress(SLOWEST)
        assert deadline._at == pytest.approx(begun - 49, abs=0.5)
        session.receiver.progress(1000 * SLOWEST)
        assert deadline._at == pytest.approx(begun, abs=0.5)


STEPS = ("header", "body", "finish", "finished")


class Halting(Recorder):
    """A submission that waits within each step until it is told to go on."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def step(self, name: str) -> None:
        if name == self._at:
            self.reached.set()
            await self.go.wait()
        await super().step(name)


@pytest.mark.parametrize("at", STEPS)
@pytest.mark.parametrize("dot", [True, False])
async def test_a_client_that_is_killed_at_any_step_interrupts_none_of_them(at: str, dot: bool) -> None:
    if not dot and at.startswith("finish"):
        pytest.skip("there is no such step before the dot")
    recorder = Halting(at)
    async with open_listener(recorder=recorder) as running:
        client = await running.greeted()
        await client.begin()
        # Behind the first chunk there is too little to make the reader pause, however it comes: one that pauses sees
        # that its client is gone when the step has ended and it reads on.
        sent = LINES[:1024] if dot or at == "header" else LINES + LINES[:1024]
        await client.send(b"Subject: x\r\n\r\n" + sent + (b".\r\n" if dot else b""))
        await asyncio.wait_for(recorder.reached.wait(), 10)
        await kill(client)
        await running.wait_until_empty()
        assert not running.mail.aborted
        recorder.go.set()
        # Before the dot nothing is kept, but what had begun has ended; behind it all of the mail is.
        await recorder.wait_for(lambda: running.mail.finished if dot else running.mail.aborted)
        assert running.mail.finished == dot
        assert running.mail.aborted != dot
        if dot:
            assert running.mail.body == sent
        await asyncio.wait_for(running.server._context.quiet.wait(), 10)
        await asyncio.gather(*running.server._context.tasks)
        assert running.budget.taken == 0
        assert running.server._context.quiet.is_set()
        assert running.server._context.connection_limits._places.taken == 0


async def test_a_session_that_was_ended_while_a_step_failed_reads_no_further(
    certificate: Certificate, client_context: ssl.SSLContext
) -> None:
    recorder = Halting("header")
    recorder.fail_at = "header"
    async with open_listener(recorder=recorder, tls=("implicit", certificate)) as running:
        client = await running.greeted(context=client_context)
        await client.begin()
        await client.send(b"Subject: x\r\n\r\nhello\r\n")
        await asyncio.wait_for(recorder.reached.wait(), 10)
        session: Any = next(iter(running.server._context.sessions))
        sending: Any = client.writer.transport
        sending.pause_reading()  # so that the connection is there for a while, as TLS ends by an answer
        await client.send(b".\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<a@x.example>\r\nDATA\r\nSubject: y\r\n\r\n.\r\n")
        await until(lambda: session._reader._buffer.endswith(b"y\r\n\r\n.\r\n"))
        session.say_last(session.timeout_reply, "it was too slow")
        recorder.go.set()
        await asyncio.wait([session._handler_coroutine], timeout=10)
        assert session._handler_coroutine.cancelled()
        assert session.deadline._at is not None
        assert len(recorder.mails) == 1
        session.abort()
        await asyncio.gather(*running.server._context.tasks)
        assert running.mail.aborted
        assert running.budget.taken == 0


async def kill(client: Dialogue) -> None:
    raw = client.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def test_a_fault_in_the_reader_ends_the_session_for_what_follows_is_no_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("secret detail")

    async with open_listener() as running:
        client = await running.greeted()
        await client.begin()
        monkeypatch.setattr("relay.rules.dot_stuffing.DotReader.feed", fail)
        await client.send(b"hello\r\n" + SMUGGLED + b".\r\n")
        assert (await client.read()).startswith("451 4.3.0 ")
        assert await client.read() == ""
        await running.recorder.wait_for(lambda: running.mail.aborted)
        assert len(running.recorder.mails) == 1


async def test_a_commit_goes_on_while_its_client_is_gone_and_a_shutdown_waits_for_it() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        running.recorder.gate.clear()
        await client.begin()
        await client.send(b"hello\r\n.\r\n")
        await running.recorder.finishing.wait()
        await kill(client)
        await running.wait_until_empty()
        assert running.budget.taken > 0
        drain = asyncio.create_task(running.server.drain(10))
        await asyncio.sleep(0)
        assert not drain.done()
        running.recorder.gate.set()
        await drain
        assert running.mail.finished
        assert running.budget.taken == 0
