"""One transaction, by dialogue: what is said, what each answer means, and what was lost when."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from relay.model.reply import Reply
from relay.upstream.secrecy import Veil
from relay.upstream.stream import SmtpStream
from relay.upstream.transaction import Features, MailTransaction, OutgoingMail, Stage, Timeouts, transact
from tests.peers.dialogue import Dialogue
from tests.upstream.conftest import IMPATIENT, QUICK

PIPELINED = Features(pipelining=True, size=10_000_000, eightbitmime=True, smtputf8=True)
PLAIN = Features()
OPEN = Veil(None, None)


async def _body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def mail(*recipients: str, chunks: tuple[bytes, ...] = (b"hello\r\n",), **more: Any) -> OutgoingMail:  # noqa: ANN401 - fields of a mail
    fields: dict[str, Any] = {
        "reverse_path": "s@x.example", "recipients": recipients or ("a@x.example",), "header": b"A: b\r\n",
        "body": lambda: _body(*chunks), "size": 100,
    }  # fmt: skip
    return OutgoingMail(**{**fields, **more})


async def run(
    script: str,
    outgoing: OutgoingMail,
    *,
    features: Features = PIPELINED,
    timeouts: Timeouts = QUICK,
    buffer: int = 1 << 24,
) -> tuple[MailTransaction, Dialogue, bool]:
    """Run a transaction; gives its result, the server, and whether the connection is fit for another one."""
    async with Dialogue(script, buffer=buffer) as server:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        stream = SmtpStream(transport, OPEN)
        result = await transact(stream, features, timeouts, outgoing)
        fit = stream.lost is None and not stream.has_reply
        transport.abort()
        await asyncio.sleep(0)
    return result, server, fit


GOOD = """
C: MAIL FROM:<s@x.example> SIZE=100
C: RCPT TO:<a@x.example>
C: DATA
S: 250 2.1.0 sender ok
S: 250 2.1.5 recipient ok
S: 354 go on
C. hello
S: 250 2.0.0 taken as 4711
"""


async def test_a_pipelined_mail_is_taken() -> None:
    result, server, fit = await run(GOOD, mail())
    assert result.final == Reply(code=250, enhanced="2.0.0", text="taken as 4711")
    assert result.lost is None
    assert server.data == [b"A: b\r\n\r\nhello\r\n"]
    assert fit


async def test_without_pipelining_each_answer_is_waited_for() -> None:
    script = """
    C: MAIL FROM:<s@x.example>
    S: 250 ok
    C: RCPT TO:<a@x.example>
    S: 550 5.1.1 no
    C: RCPT TO:<b@x.example>
    S: 250 ok
    C: DATA
    S: 354 go on
    C. hello
    S: 250 taken
    """
    result, _, _ = await run(script, mail("a@x.example", "b@x.example"), features=PLAIN)
    assert [r and r.code for r in result.recipients] == [550, 250]
    assert result.final is not None


async def test_announced_parameters_are_used_and_others_are_not_said() -> None:
    script = GOOD.replace("SIZE=100", "SIZE=100 BODY=8BITMIME SMTPUTF8")
    result, _, _ = await run(script, mail(eightbit=True, smtputf8=True))
    assert result.final is not None
    script = GOOD.replace(" SIZE=100", "")
    result, _, _ = await run(script, mail(eightbit=True), features=Features(pipelining=True))
    assert result.final is not None


@pytest.mark.parametrize("features", [PIPELINED, PLAIN])
async def test_what_the_server_can_not_take_is_known_before_anything_is_said(features: Features) -> None:
    for outgoing, code in ((mail(smtputf8=True), "5.6.7"), (mail(size=20_000_000), "5.3.4")):
        if features is PLAIN and code == "5.3.4":
            continue
        limited = replace(features, smtputf8=False)
        result, server, _ = await run("! silence", outgoing, features=limited)
        assert result.mail is not None
        assert (result.mail.code, result.mail.enhanced) == (0, code)  # ours, not the server's
        assert server.heard == []


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x7f"])
async def test_a_control_character_never_becomes_a_command(character: str) -> None:
    with pytest.raises(ValueError, match="control"):
        await run("! silence", mail(f"a{character}@x.example"))


REFUSED_MAIL = """
C: MAIL .*
C: RCPT .*
C: DATA
S: 550 5.7.1 not yours
S: 503 no sender
"""


async def test_a_refused_sender_leaves_the_connection_fit_for_the_next_mail() -> None:
    for end in ("S: 503 no\nC: RSET\nS: 250 ok", "S: 354 go on\nC. \nS: 554 no valid\nC: RSET\nS: 250 ok"):
        result, server, fit = await run(REFUSED_MAIL + end.replace("C. ", "C: \\."), mail())
        assert result.mail is not None
        assert result.mail.code == 550
        assert fit
        assert server.heard[-1] == "RSET"


async def test_no_recipient_taken_though_data_is_sends_nothing() -> None:
    script = """
    C: MAIL .*
    C: RCPT .*
    C: DATA
    S: 250 ok
    S: 550 5.1.1 no
    S: 354 go on
    C: \\.
    S: 554 5.5.1 no valid recipients
    C: RSET
    S: 250 ok
    """
    result, _, _ = await run(script, mail())
    assert result.final is None
    assert [r and r.code for r in result.recipients] == [550]


@pytest.mark.parametrize("ending", ["! close", "! reset", "S: garbage", "S> 250 no end", "S: 99 x", "! silence"])
@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ("", Stage.MAIL),
        ("S: 250 ok", Stage.RCPT),
        ("S: 250 ok\nS: 250 ok", Stage.DATA),
        ("S: 250 ok\nS: 250 ok\nS: 354 go\nC. hello", Stage.DOT),
    ],
)
async def test_what_was_lost_when_is_named_and_the_answers_before_are_kept(
    said: str, stage: Stage, ending: str
) -> None:
    script = f"C: MAIL .*\nC: RCPT .*\nC: DATA\n{said}\n{ending}\n! silence"
    result, _, fit = await run(script, mail(), timeouts=IMPATIENT)
    assert result.lost is stage
    assert result.error
    assert (result.mail is not None) == (stage is not Stage.MAIL)
    assert (result.recipients[0] is not None) == (stage in (Stage.DATA, Stage.DOT))
    assert result.final is None
    assert not fit


async def test_a_server_that_answers_in_the_middle_of_the_mail_ends_it() -> None:
    chunks = tuple(b"y" * 70 + b"\r\n" for _ in range(200_000))
    script = "C: MAIL .*\nC: RCPT .*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nS: 552 5.3.4 too much\n! silence"
    result, _, fit = await run(script, mail(chunks=chunks))
    assert result.data is not None
    assert result.data.code == 552
    assert result.final is None
    assert not fit


async def test_a_server_that_does_not_read_is_given_up_before_the_dot() -> None:
    chunks = tuple(b"y" * 70_000 + b"\r\n" for _ in range(300))
    script = "C: MAIL .*\nC: RCPT .*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n! silence"
    result, _, _ = await run(script, mail(chunks=chunks), timeouts=replace(QUICK, progress=0.1), buffer=1 << 16)
    assert result.lost is Stage.BODY
    assert "no progress" in result.error


async def test_a_body_that_can_not_be_read_never_becomes_a_shorter_mail() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("the disk")

    script = "C: MAIL .*\nC: RCPT .*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n! silence"
    async with Dialogue(script) as server:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        stream = SmtpStream(transport, OPEN)
        with pytest.raises(OSError, match="the disk"):
            await transact(stream, PIPELINED, QUICK, mail(body=broken))
        assert stream.lost
        assert server.data == []


async def test_the_last_moment_before_the_dot_is_told() -> None:
    told: list[str] = []

    async def before_dot() -> None:
        told.append("now")

    await run(GOOD, mail(before_dot=before_dot))
    await run(REFUSED_MAIL + "S: 503 no\nC: RSET\nS: 250 ok", mail(before_dot=before_dot))
    assert told == ["now"]


ENVELOPE = "C: MAIL .*\nC: RCPT .*\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n"


@pytest.mark.parametrize("ending", ["! close", "! reset"])
@pytest.mark.parametrize("said", ["552 5.3.4 too large", "421 4.3.2 closing"])
async def test_what_a_server_says_before_it_closes_in_the_middle_of_the_mail_counts(said: str, ending: str) -> None:
    chunks = tuple(b"y" * 70 + b"\r\n" for _ in range(200_000))
    # A reset may take back what was said before; that is as good as a close without a word.
    script = f"{ENVELOPE}C: A: .*\nS: {said}\n{ending}"
    result, _, fit = await run(script, mail(chunks=chunks), buffer=1 << 16)
    if ending == "! close" or result.data is not None:
        assert result.data is not None
        assert result.data.code == int(said[:3])
        assert result.lost is None
    assert result.final is None
    assert not fit


@pytest.mark.parametrize("said", ["552 5.3.4 too large", "421 4.3.2 closing", "250 2.0.0 taken"])
async def test_an_answer_to_the_dot_counts_though_the_connection_is_closed_behind_it(said: str) -> None:
    result, _, fit = await run(f"{ENVELOPE}C. hello\nS: {said}\n! close", mail())
    assert result.final is not None
    assert result.final.code == int(said[:3])
    assert result.lost is None
    if said.startswith("421"):
        assert not fit


async def test_a_dot_that_never_left_is_in_no_doubt() -> None:
    """The last piece is larger than all buffers on the way, and the server reads nothing."""
    chunks = (b"y" * 20_000_000 + b"\r\n",)
    for ending in ("! silence", "S: 250 2.0.0 taken\n! silence"):
        async with Dialogue(ENVELOPE + ending, buffer=1 << 16) as server:
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, "127.0.0.1", server.port
            )
            stream = SmtpStream(transport, OPEN)
            drain, stream.drain = stream.drain, _at_once  # type: ignore[method-assign, assignment]

            async def restore(stream: SmtpStream = stream, drain: Any = drain) -> None:  # noqa: ANN401 - a method
                stream.drain = drain  # type: ignore[method-assign]

            result = await transact(
                stream, PIPELINED, replace(QUICK, progress=0.1), mail(chunks=chunks, before_dot=restore)
            )
            transport.abort()
        assert result.final is None
        assert result.lost in (None, Stage.BODY)
        assert (result.data is not None) == (ending != "! silence")


async def _at_once(_seconds: float) -> None:
    return


async def test_a_refused_rset_ends_the_connection() -> None:
    script = "C: MAIL .*\nS: 250 ok\nC: RCPT .*\nS: 550 5.1.1 no\nC: RSET\nS: 451 4.3.0 not now\n! silence"
    result, _, fit = await run(script, mail(), features=PLAIN)
    assert result.recipients[0] is not None
    assert not fit


@pytest.mark.parametrize("said", ["421 4.4.2 too many mails", "503 5.5.1 nested MAIL"])
@pytest.mark.parametrize("features", [PIPELINED, PLAIN])
async def test_an_answer_to_mail_that_speaks_of_the_connection_ends_it(features: Features, said: str) -> None:
    result, server, fit = await run(f"C: MAIL .*\nS: {said}\n! silence", mail(), features=features)
    assert result.mail is not None
    assert result.mail.code == int(said[:3])
    assert not fit
    assert len(server.heard) == 1


async def test_a_size_that_nobody_counted_is_not_said() -> None:
    result, _, _ = await run(GOOD.replace(" SIZE=100", ""), mail(size=None), features=replace(PIPELINED, size=10))
    assert result.final is not None


async def test_a_small_mail_takes_two_writes() -> None:
    async with Dialogue(GOOD) as server:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", server.port)
        stream, sizes = SmtpStream(transport, OPEN), []
        write = stream.write

        def note(data: bytes, *, replies: int = 0) -> None:
            sizes.append(len(data))
            write(data, replies=replies)

        stream.write = note  # type: ignore[method-assign]
        assert (await transact(stream, PIPELINED, QUICK, mail())).final is not None
        assert len(sizes) == 2
        transport.abort()


async def test_421_at_the_end_closes_the_connection() -> None:
    result, _, fit = await run(GOOD.replace("250 2.0.0 taken as 4711", "421 4.3.2 going down"), mail())
    assert result.final is not None
    assert result.final.code == 421
    assert not fit


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_large_mails_go_through_on_both_loops(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    chunks = tuple(b"." + b"y" * 70_000 + b"\r\n" for _ in range(100))

    async def send() -> None:
        result, server, _ = await run(GOOD.replace("C. hello", "C. yyy"), mail(chunks=chunks, signed=True))
        assert result.final is not None
        assert server.data[0] == b"A: b\r\n\r\n" + b"".join(b"." + chunk for chunk in chunks)

    work: Coroutine[Any, Any, None] = send()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(work)


async def test_a_long_header_is_folded_at_its_blanks_and_a_signed_one_is_not() -> None:
    header = b"A: b\r\nSubject:" + b" word" * 300 + b"\r\n"
    result, server, _ = await run(GOOD, mail(header=header))
    assert result.folded
    assert server.data[0].replace(b"\r\n word", b" word").startswith(header)
    assert max(map(len, server.data[0].split(b"\r\n"))) <= 998
    result, server, _ = await run(GOOD, mail(header=header, signed=True))
    assert not result.folded
    assert server.data[0].startswith(header)


async def test_an_envelope_has_its_time_all_together() -> None:
    script = "C: MAIL .*\nS: 250 ok\nC: RCPT .*\nS: 250 ok\nC: RCPT .*\n! silence"
    result, _, fit = await run(
        script, mail("a@x.example", "b@x.example"), features=PLAIN, timeouts=replace(QUICK, envelope=0.05)
    )
    assert (result.lost, fit) == (Stage.RCPT, False)
    assert len([reply for reply in result.recipients if reply is not None]) == 1
