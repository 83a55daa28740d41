"""The dialogue, command by command, as clients hold it: good ones, careless ones, hostile ones."""

import asyncio
import gc
import re
import socket
import struct
from collections.abc import Callable, Coroutine
from ssl import SSLContext
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.model.address import Address
from tests.intake.conftest import ANNA, PASSWORD, Certificate, Recorder, open_listener

MAIL, RCPT = "MAIL FROM:<s@x.example>", "RCPT TO:<a@x.example>"


async def test_a_plain_dialogue_goes_through_with_enhanced_codes() -> None:
    async with open_listener() as running:
        client = await running.connect()
        assert await client.read() == "220 relay.example ESMTP"
        offers = (await client.say("EHLO client.example")).split("\n")
        assert offers[0] == "250-relay.example"
        words = {line[4:].split()[0] for line in offers[1:]}
        assert {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "AUTH"} <= words
        assert await client.say(MAIL) == "250 2.1.0 OK"
        assert await client.say(RCPT) == "250 2.1.5 OK"
        assert (await client.say("DATA")).startswith("354 ")
        await client.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        assert await client.read() == "250 2.0.0 queued as q1"
        assert (running.mail.header, running.mail.body) == (b"Subject: x\r\n", b"hello\r\n")
        assert running.mail.envelope.recipients == (Address(local="a", domain="x.example"),)
        assert running.mail.client.esmtp
        assert await client.say("QUIT") == "221 2.0.0 Bye"
        assert await client.read() == ""


async def test_helo_offers_nothing_and_takes_no_parameters() -> None:
    async with open_listener() as running:
        client = await running.connect()
        await client.read()
        assert await client.say("HELO old.example") == "250 relay.example"
        assert (await client.say("MAIL FROM:<s@x.example> SIZE=1")).startswith("501 5.5.4")
        assert await client.begin() != ""
        await client.send(b"\r\n.\r\n")
        await client.read()
        assert not running.mail.client.esmtp


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["EHLO"], "501 5.5.4"),
        (["HELO "], "501 5.5.4"),
        ([MAIL, MAIL], "503 5.5.1"),
        ([RCPT], "503 5.5.1"),
        (["DATA"], "503 5.5.1"),
        ([MAIL, "DATA"], "554 5.5.1"),
        ([MAIL, RCPT, "DATA now"], "501 5.5.4"),
        (["NOOP"], "250 2.0.0"),
        (["NOOP with words"], "250 2.0.0"),
        ([MAIL, "RSET", RCPT], "503 5.5.1"),
        ([MAIL, "EHLO again.example", MAIL], "250 2.1.0"),
        (["VRFY anna"], "252 2.1.5"),
        (["EXPN all"], "502 5.5.1"),
        (["HELP"], "214 2.0.0"),
        (["DANCE"], "500 5.5.1"),
        ([""], "500 5.5.2"),
        (["STARTTLS"], "454 4.7.0"),
        (["RSET now"], "501 5.5.4"),
        (["VRFY"], "501 5.5.4"),
        ([b"EHLO \xff"], "500 5.5.2"),
        ([b"HELO a\x01b"], "500 5.5.2"),
        ([b"VRFY \x00\xff"], "252 2.1.5"),
        ([b"BDAT 10 LAST"], "500 5.5.1"),
        (["mail from:<s@x.example>"], "250 2.1.0"),
        (["MAIL FROM: <s@x.example>"], "250 2.1.0"),
        (["MAIL FROM:s@x.example"], "250 2.1.0"),
        (["MAIL FROM:<>"], "250 2.1.0"),
        (["MAIL FROM:<root>"], "250 2.1.0"),
        (["MAIL FROM:"], "501 5.1.7"),
        (["MAIL TO:<s@x.example>"], "501 5.5.4"),
        (["MAIL"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example"], "501 5.1.7"),
        (["MAIL FROM:<s@x.example>x"], "501 5.1.7"),
        (["MAIL FROM:<s x@x.example>"], "501 5.1.7"),
        (["MAIL FROM:<s@x.example> SIZE=1 BODY=8BITMIME SMTPUTF8"], "250 2.1.0"),
        (["MAIL FROM:<s@x.example> SIZE=x"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example> SIZE=1 SIZE=2"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example> BODY=BINARYMIME"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example> SMTPUTF8=1"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example> AUTH=<>"], "250 2.1.0"),
        (["MAIL FROM:<s@x.example> RET=ALL"], "501 5.5.4"),
        (["MAIL FROM:<s@x.example> SIZE=999999999999"], "552 5.3.4"),
        (["MAIL FROM:<jürgen@x.example>"], "553 5.6.7"),
        (["MAIL FROM:<jürgen@x.example> SMTPUTF8"], "250 2.1.0"),
        ([b"MAIL FROM:<j\xfcrgen@x.example> SMTPUTF8"], "553 5.6.7"),
        ([b"\xff\xfe"], "500 5.5.2"),
        ([b"NOOP \x00"], "500 5.5.2"),
        ([b"NOOP\tx"], "500 5.5.2"),
        ([MAIL, "RCPT TO:<>"], "501 5.1.3"),
        ([MAIL, "RCPT TO:<a b@c.example>"], "501 5.1.3"),
        ([MAIL, "RCPT TO:<a@@c.example>"], "501 5.1.3"),
        ([MAIL, "RCPT TO:<anna>"], "550 5.1.3"),
        ([MAIL, "RCPT TO:<@r.example:a@x.example>"], "250 2.1.5"),
        ([MAIL, 'RCPT TO:<"a b>c"@x.example>'], "250 2.1.5"),
        ([MAIL, "RCPT TO:<a@x.example> NOTIFY=NEVER X=1"], "555 5.5.4"),
        ([MAIL, "RCPT TO:<ä@x.example>"], "553 5.6.7"),
        ([MAIL, b"RCPT TO:<\xe4@x.example>"], "553 5.6.7"),
        (["NOOP " + "x" * 12_300], "500 5.5.2"),
        (["NOOP " + "x" * 1_000_000], "500 5.5.2"),
    ],
)  # fmt: skip
async def test_each_command_has_its_answer(commands: list[str | bytes], expected: str) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        reply = await client.say(*commands)
        assert reply.startswith(f"{expected} "), reply
        assert (await client.say("NOOP")).startswith("250 2.0.0")


async def test_nothing_goes_before_hello() -> None:
    async with open_listener() as running:
        client = await running.connect()
        await client.read()
        assert (await client.say(MAIL)).startswith("503 5.5.1")
        assert (await client.say("AUTH PLAIN x")).startswith("503 5.5.1")


async def test_paths_become_addresses() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.say("MAIL FROM:<>", "RCPT TO:<PostMaster>", "RCPT TO:<@r.example:b@x.example>", "DATA")
        await client.send(b"\r\n.\r\n")
        await client.read()
        assert running.mail.envelope.reverse_path is None
        assert running.mail.envelope.recipients == (ANNA, Address(local="b", domain="x.example"))


async def test_pipelined_commands_are_answered_in_their_order_and_the_next_mail_may_follow_the_dot() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        one = f"{MAIL}\r\n{RCPT}\r\nRCPT TO:<bare>\r\nDATA\r\n"
        await client.send(one)
        replies = [await client.read() for _ in range(4)]
        assert [reply[:3] for reply in replies] == ["250", "250", "550", "354"]
        await client.send(f"Subject: 1\r\n\r\none\r\n.\r\n{one}Subject: 2\r\n\r\ntwo\r\n.\r\nQUIT\r\n")
        replies = [await client.read() for _ in range(7)]
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "550", "354", "250", "221"]
        assert [mail.body for mail in running.recorder.mails] == [b"one\r\n", b"two\r\n"]


async def test_commands_may_come_byte_by_byte() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        for byte in f"{MAIL}\r\n{RCPT}\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n".encode():
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert [(await client.read())[:3] for _ in range(4)] == ["250", "250", "354", "250"]
        assert running.mail.body == b".dot\r\n"


async def test_too_many_recipients_are_asked_to_come_again() -> None:
    async with open_listener(limits={"recipients_per_message": 2}) as running:
        client = await running.greeted()
        assert (await client.say(MAIL, RCPT, RCPT, RCPT)).startswith("452 4.5.3")
        assert (await client.say("DATA")).startswith("354")


@pytest.mark.parametrize(
    ("limits", "command", "replies"),
    [
        ({"errors_per_session": 3}, "DANCE", ["500", "500", "500", "421"]),
        ({"errors_per_session": 8}, "DANCE", ["500"] * 8 + ["421"]),  # aiosmtpd ends a session at five
        ({"commands_per_session": 3}, "NOOP", ["250", "250", "421"]),
    ],
)
async def test_too_many_errors_or_commands_end_the_session(
    limits: dict[str, int], command: str, replies: list[str]
) -> None:
    async with open_listener(limits=limits) as running:
        client = await running.greeted()
        await client.send(f"{command}\r\n" * max(limits.values()))
        assert [(await client.read())[:3] for _ in replies] == replies
        assert await client.read() == ""


async def test_a_browser_is_cut_off_before_it_can_post_a_mail() -> None:
    async with open_listener() as running:
        client = await running.connect()
        await client.read()
        await client.send(f"POST / HTTP/1.1\r\nHost: relay\r\n\r\nHELO x\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\n\r\n.\r\n")
        assert (await client.read()).startswith("421 ")
        assert await client.read() == ""
        assert running.recorder.mails == []


async def test_require_auth_refuses_before_anything_else() -> None:
    async with open_listener(require_auth=True) as running:
        client = await running.greeted()
        assert (await client.say(MAIL)).startswith("530 5.7.0")


async def test_an_idle_client_is_told_and_let_go() -> None:
    async with open_listener(limits={"session_idle": 30}) as running:
        client = await running.greeted()
        assert (await client.read()).startswith("421 4.4.2")
        assert await client.read() == ""


@pytest.mark.parametrize("hello", ["HELO x", "EHLO x"])
async def test_a_command_may_be_as_long_as_a_login_whatever_the_greeting(hello: str) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.say(hello)
        assert await client.say("NOOP " + "x" * 12_000) == "250 2.0.0 OK"
        assert (await client.say("NOOP " + "x" * 12_300)).startswith("500 5.5.2")


@pytest.mark.parametrize("line", [b"\x01", b"NOOP\x00", b"\xff", b"WHAT", b"", b"  "])
async def test_what_is_no_command_gets_an_answer_and_the_dialogue_goes_on(line: bytes) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        assert (await client.say(line)).startswith("500 5.5.")
        assert (await client.say("noop ")).startswith("250")


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"get /\x00", b"POST /\xff", b"Host: x", b"user-agent: x", b"GET /" + b"x" * 20_000]
)
async def test_a_browser_is_known_however_it_spells(line: bytes) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        assert (await client.say(line)).startswith("421 4.7.0")
        assert await client.read() == ""


async def test_many_pipelined_commands_let_others_have_their_turn() -> None:
    async with open_listener() as running:
        many, other = await running.greeted(), await running.greeted()
        await many.send(b"NOOP\r\n" * 20_000)
        assert (await other.say("NOOP")).startswith("250")
        for _ in range(20_000):
            assert await many.read() == "250 2.0.0 OK"


async def test_lines_behind_a_command_that_waits_are_answered_behind_it() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.send(b"AUTH PLAIN AGEAYg==\r\nNOOP\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n")
        codes = [(await client.read())[:3] for _ in range(5)]
        assert codes == ["535", "250", "334", "501", "250"]


async def test_a_client_that_leaves_within_auth_or_starttls_is_forgotten(certificate: Certificate) -> None:
    async with open_listener(tls=("starttls", certificate), plaintext_auth=True) as running:
        for command in ("AUTH LOGIN", "STARTTLS"):
            for half in (False, True):
                client = await running.greeted()
                await client.say(command)
                if half:
                    client.writer.write_eof()
                    await client.reader.read()
                client.close()
        bad = await running.greeted()
        await bad.say("STARTTLS")
        await bad.send(b"this is no TLS" * 100)
        await bad.reader.read()
        await running.wait_until_empty()
        assert not running.server._context.connection_limits._places.taken


async def test_a_session_over_tls_ends_in_good_order(certificate: Certificate, client_context: SSLContext) -> None:
    async with open_listener(tls=("starttls", certificate)) as running:
        client = await running.greeted()
        await client.say("STARTTLS")
        await client.start_tls(client_context)
        await client.hello()
        assert (await client.say("QUIT")).startswith("221")
        assert await client.read() == ""
        await running.wait_until_empty()


@pytest.mark.parametrize(
    ("limits", "last", "code"),
    [
        ({}, "QUIT", "221"),
        ({}, "GET / HTTP/1.1", "421"),
        ({"errors_per_session": 1}, "DANCE", "421"),
        ({"commands_per_session": 4}, "NOOP", "421"),
        ({"auth_failures": 1}, "AUTH PLAIN AGFubmEAd3Jvbmc=", "421"),
    ],
)
async def test_nothing_behind_the_last_reply_is_executed(limits: dict[str, int], last: str, code: str) -> None:
    async with open_listener(limits=limits) as running:
        client = await running.greeted()
        if last.startswith(("AUTH", "DANCE")):
            await client.send(f"{last}\r\n{MAIL}\r\n{RCPT}\r\nDATA\r\n\r\nhello\r\n.\r\n")
        else:
            await client.send(f"{MAIL}\r\n{RCPT}\r\nNOOP\r\n{last}\r\nDATA\r\n\r\nhello\r\n.\r\n")
        said = (await client.reader.read()).decode().splitlines()
        assert said[-1].startswith(code)
        assert not any(line.startswith("354") for line in said)
        await running.wait_until_empty()
        assert running.recorder.mails == []
        assert running.budget.taken == 0


async def test_a_fault_of_ours_in_a_command_is_a_451_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: object) -> None:
        raise OSError(28, "secret detail")

    with capture_logs() as lines:
        async with open_listener() as running:
            monkeypatch.setattr(Recorder, "directory", property(fail))
            client = await running.greeted()
            assert (await client.say(MAIL, RCPT)) == "451 4.3.0 Something went wrong here, try again later"
            monkeypatch.undo()
            assert (await client.say(RCPT)).startswith("250")
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["session_failed"]


async def test_clients_that_vanish_leave_no_trace_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as lines:
        async with open_listener() as running:
            for said in ("", "NO", "NOOP\r\n" * 100, f"{MAIL}\r\n", "AUTH LOGIN\r\n"):
                client = await running.greeted()
                (session,) = running.server._context.sessions
                await client.send(said)
                raw = client.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.writer.transport.abort()
                await running.wait_until_empty()
                # asyncio tells of it where the session is freed in a cycle.
                assert session._closed.exception() is None  # type: ignore[attr-defined]
                del session
            gc.collect()  # asyncio tells of a task's exception when the task is freed
            assert running.budget.taken == 0
    assert lines == []
    assert [record for record in caplog.records if record.name == "asyncio"] == []


# TLS


Test = Callable[[Callable[[], asyncio.AbstractEventLoop], Certificate, SSLContext], None]


def both_loops(test: Callable[[Certificate, SSLContext], Coroutine[Any, Any, None]]) -> Test:
    """Run a test on asyncio's loop and on uvloop's."""

    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    def run(
        new_loop: Callable[[], asyncio.AbstractEventLoop], certificate: Certificate, client_context: SSLContext
    ) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test(certificate, client_context))

    run.__name__ = test.__name__
    made: Test = run
    return made


@both_loops
async def test_starttls_begins_anew_and_throws_away_what_was_pipelined(
    certificate: Certificate, client_context: SSLContext
) -> None:
    async with open_listener(tls=("starttls", certificate)) as running:
        client = await running.connect()
        await client.read()
        assert "STARTTLS" in await client.say("EHLO client.example")
        assert (await client.say("STARTTLS now")).startswith("501 5.5.4")
        await client.say(MAIL, RCPT)
        await client.send("STARTTLS\r\nRCPT TO:<injected@x.example>\r\nNOOP\r\n")
        assert await client.read() == "220 2.0.0 Ready to start TLS"
        await client.start_tls(client_context)
        assert (await client.say(RCPT)).startswith("503 5.5.1")
        offers = await client.say("EHLO client.example")
        assert "STARTTLS" not in offers
        assert "AUTH PLAIN LOGIN" in offers
        assert (await client.say("STARTTLS")).startswith("503 5.5.1")
        await client.begin()
        await client.send(b"Subject: x\r\n\r\n" + b"y" * 500_000 + b"\r\n.\r\n")
        assert (await client.read()).startswith("250 ")
        assert running.mail.client.tls
        assert len(running.mail.body) == 500_002


@both_loops
async def test_implicit_tls_offers_a_login(certificate: Certificate, client_context: SSLContext) -> None:
    async with open_listener(tls=("implicit", certificate)) as running:
        client = await running.greeted(context=client_context)
        offers = await client.say("EHLO client.example")
        assert "AUTH PLAIN LOGIN" in offers
        assert "STARTTLS" not in offers
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250 ")
        assert running.mail.client.tls


async def test_a_handshake_that_fails_harms_nobody_else(certificate: Certificate) -> None:
    async with open_listener(tls=("starttls", certificate)) as running:
        bad = await running.greeted()
        await bad.send("STARTTLS\r\n")
        await bad.read()
        await bad.send(b"this is no TLS" * 100)
        await bad.reader.read()
        other = await running.greeted()
        assert (await other.say("NOOP")).startswith("250")


# Whatever comes


_ENHANCED = re.compile(
    r"\d{3}[ -](?:[245]\.\d{1,3}\.\d{1,3} |relay\.example|PIPELINING|SIZE|8BIT|SMTPUTF8|AUTH|ENH|[A-Za-z0-9+/=]*$)|354 "
)
_words = st.sampled_from(
    [b"EHLO x", b"HELO y", b"MAIL FROM:<s@x.example>", b"RCPT TO:<a@x.example>", b"DATA", b".", b"RSET", b"NOOP", b"",
     b"AUTH PLAIN AGEAYg==", b"AUTH LOGIN", b"*", b"STARTTLS", b"\xff\x00", b"VRFY", b"Subject: x",
     b"MAIL FROM:<" + b"x" * 500]
)  # fmt: skip
_ends = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n.\r\n"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.one_of(_words, st.binary(max_size=30)), _ends), max_size=12))
async def test_whatever_comes_gets_replies_that_tell_nothing_and_others_are_not_harmed(
    lines: list[tuple[bytes, bytes]],
) -> None:
    async with open_listener() as running:
        client = await running.connect()
        await client.send(b"".join(word + end for word, end in lines))
        client.writer.write_eof()
        said = (await client.reader.read()).decode()
        for line in said.splitlines():
            assert _ENHANCED.match(line), line
            assert "Error" not in line
            assert "Traceback" not in line
        other = await running.greeted()
        assert (await other.say("NOOP")).startswith("250")


async def test_the_password_is_in_no_reply() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        assert PASSWORD not in await client.say(f"AUTH PLAIN {PASSWORD}")


@pytest.mark.parametrize(
    ("said", "german", "english"),
    [
        ("RCPT TO:<nobody>", "550-5.1.3 In der Adresse des Empfaengers fehlt", "550 5.1.3 The recipient's address has"),
        ("RCPT TO:<a@b@c>", "501-5.1.3 Die Adresse des Empfaengers enthaelt", "501 5.1.3 The recipient's address has"),
        ("DATA", "554-5.5.1 Die E-Mail hat keinen gueltigen", "554 5.5.1 No valid recipients"),
        ("RSET\r\nAUTH PLAIN AGFubmEAd3Jvbmc=", "535-5.7.8 Benutzername oder Passwort ist", "535 5.7.8 Login or"),
        (
            "RSET\r\nMAIL FROM:<s@x.example> SIZE=99999999999",
            "552-5.3.4 Die E-Mail ist zu gross: Angenommen werden hoechstens 75 MiB, diese hat 95368",
            "552 5.3.4 The mail is too large: at most 75 MiB are taken, this mail has 95368",
        ),
    ],
)
async def test_a_german_office_is_told_in_both_languages(said: str, german: str, english: str) -> None:
    async with open_listener() as running:
        running.server._context.language = "de"
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(f"EHLO x\r\nMAIL FROM:<s@x.example>\r\n{said}\r\nQUIT\r\n".encode())
        heard = (await reader.read()).decode("ascii").split("\r\n")
        writer.close()
        (first,) = [n for n, line in enumerate(heard) if line.startswith(german)]
        assert heard[first + 1].startswith(english)


async def test_who_is_turned_away_is_told_in_both_languages() -> None:
    async with open_listener(networks=()) as running:
        running.server._context.language = "de"
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        assert await reader.read() == (
            b"554-5.7.1 Von 127.0.0.1 aus darf dieser Maildienst nicht benutzt werden\r\n"
            b"554 5.7.1 127.0.0.1 may not connect\r\n"
        )
        writer.close()
