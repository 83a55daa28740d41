"""BDAT (RFC 3030): the same mail as by DATA, however it is cut; what is refused is read, and is never a command."""

import asyncio
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relay.intake.transfer import parse_chunk
from relay.rules.message_splitter import CHUNK
from tests.intake.conftest import Desk, Dialogue, open_desk

MAIL = b"MAIL FROM:<s@x.example>\r\nRCPT TO:<a@x.example>\r\n"
EVIL = b"MAIL FROM:<evil@x.example>\r\n"


async def replies(client: Dialogue, count: int) -> list[str]:
    return [(await client.read())[:9] for _ in range(count)]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("0", (0, False)), ("10", (10, False)), ("10 LAST", (10, True)), ("10  last", (10, True)), ("10 x", (10, None)),
        ("10 LAST x", (10, None)), ("", None), ("LAST", None), ("-1", None), ("10LAST", None), ("1e3", None),
        ("9" * 19, None), ("٣", None),
    ],
)  # fmt: skip
def test_arguments(argument: str, expected: object) -> None:
    assert parse_chunk(argument) == expected


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[0-9]{1,20} ?\w{0,5}", fullmatch=True)))
def test_any_argument_is_counted_or_not(argument: str) -> None:
    found = parse_chunk(argument)
    counted = re.fullmatch(r"([0-9]{1,18})(?: [^\n]*)?", argument)
    assert (found is not None) == (counted is not None)
    assert found is None or counted is None or found[0] == int(counted[1])


def stuff(mail: bytes) -> bytes:
    return (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


_pieces = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"..",
        b"a",
        b"A: b\r\n",
        b"\x00\xff",
        b"\r\n.\r\n",
        b"QUIT\r\n",
        (b"y" * 70 + b"\r\n") * 4000,
    ]
)
_mails = st.lists(_pieces, max_size=12).map(lambda parts: b"Subject: x\r\n" + b"".join(parts) + b"\r\n")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(mail=_mails, sizes=st.lists(st.integers(0, 400_000), max_size=6), small=st.booleans(), empty_last=st.booleans())
@example(mail=b"Subject: x\r\n.\r\nA: b\r\n\r\n", sizes=[], small=False, empty_last=False)
@example(mail=b"Subject: x\r\n.\r\nA: b\r\n\r\n", sizes=[17], small=False, empty_last=True)
async def test_a_mail_by_bdat_is_the_same_as_by_data(
    mail: bytes, sizes: list[int], small: bool, empty_last: bool
) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.begin()
        await client.send(stuff(mail))
        by_data = await client.read()
        wire, chunks, rest = b"", 0, mail
        for size in sizes:
            size = size % 8 if small else size  # noqa: PLW2901 - cuts within a line end, too
            part, rest = rest[:size], rest[size:]
            wire += b"BDAT %d\r\n" % len(part) + part
            chunks += 1
        if empty_last:
            wire += b"BDAT %d\r\n" % len(rest) + rest
            chunks, rest = chunks + 1, b""
        sending = asyncio.create_task(client.send(MAIL + wire + b"BDAT %d LAST\r\n" % len(rest) + rest + b"NOOP\r\n"))
        # A chunk that shows the mail to be refused may say so at once.
        assert set(await replies(client, 2 + chunks)) <= {"250 2.1.0", "250 2.1.5", "250 2.0.0", by_data[:9]}
        assert await client.read() == by_data
        assert await client.read() == "250 2.0.0 OK"
        await sending
        assert by_data[:3] in ("250", "554")  # 554: a line among the fields that is none
        if by_data.startswith("554"):
            return
        one, other = desk.recorder.mails
        assert (one.header, one.body) == (other.header, other.body)


async def test_it_is_offered_and_a_whole_mail_fits_into_one_packet() -> None:
    async with open_desk() as desk:
        client = await desk.connect()
        await client.read()
        assert "\n250-CHUNKING\n" in await client.say("EHLO x")
        await client.send((MAIL + b"BDAT 14 LAST\r\nSubject: x\r\n\r\n") * 2 + b"QUIT\r\n")
        assert await replies(client, 7) == ["250 2.1.0", "250 2.1.5", "250 2.0.0"] * 2 + ["221 2.0.0"]
        assert [mail.header for mail in desk.recorder.mails] == [b"Subject: x\r\n"] * 2


async def test_a_last_line_without_an_end_gets_one_and_an_empty_mail_stays_empty() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        for mail, body in ((b"\r\nx", b"x\r\n"), (b"\r\nx\r", b"x\r\n"), (b"\r\nx\n", b"x\r\n"), (b"", b"")):
            await client.send(MAIL + b"BDAT %d LAST\r\n" % len(mail) + mail)
            assert (await replies(client, 3))[2] == "250 2.0.0"
            assert desk.mail.body == body


@pytest.mark.parametrize(
    ("before", "command", "code"),
    [
        (b"", b"BDAT %d", "503 5.5.1"),
        (b"", b"BDAT %d LAST", "503 5.5.1"),
        (b"MAIL FROM:<s@x.example>\r\n", b"BDAT %d LAST", "554 5.5.1"),
        (MAIL, b"BDAT %d FIRST", "501 5.5.4"),
        (MAIL + b"BDAT 1 LAST\r\nx", b"BDAT %d LAST", "503 5.5.1"),
        (MAIL + b"BDAT 1\r\nxRSET\r\n", b"BDAT %d LAST", "503 5.5.1"),
        (MAIL + b"BDAT 1\r\nxEHLO y\r\n", b"BDAT %d LAST", "503 5.5.1"),
    ],
)
async def test_the_octets_of_a_refused_chunk_are_no_commands(before: bytes, command: bytes, code: str) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(before + command % len(EVIL) + b"\r\n" + EVIL + b"RSET\r\nNOOP no\r\nQUIT\r\n")
        said = (await client.reader.read()).decode().splitlines()
        assert [line[:9] for line in said[-4:]] == [code, "250 2.0.0", "250 2.0.0", "221 2.0.0"]
        assert not any(mail.finished and b"evil" in mail.body for mail in desk.recorder.mails)


@pytest.mark.parametrize(
    "line",
    [b"BDAT", b"BDAT x", b"bdat -1", b"BDAT 10LAST", b"BDAT 10\t", b"BDAT 1\xff", b"BDAT,5", b"BDAT" + b" " * 20_000],
)  # fmt: skip
async def test_where_nobody_can_count_the_session_ends(line: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(MAIL + line + b"\r\nNOOP\r\nRSET\r\n" + MAIL)
        assert await replies(client, 4) == ["250 2.1.0", "250 2.1.5", "501 5.5.4", "421 4.7.0"]
        assert await client.read() == ""


async def test_what_may_not_come_between_chunks() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(MAIL + b"BDAT 12\r\nSubject: x\r\nDATA\r\nRCPT TO:<b@x.example>\r\nMAIL FROM:<>\r\nNOOP\r\n")
        assert (await replies(client, 7))[3:] == ["503 5.5.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"]
        assert (await client.say("BDAT 0 LAST")).startswith("250 2.0.0 queued")
        assert len(desk.mail.envelope.recipients) == 1
        assert (await client.say("MAIL FROM:<s@x.example> BODY=BINARYMIME")).startswith("501 5.5.4")


async def wait_for_end(desk: Desk, mails: int = 1) -> None:
    await desk.recorder.wait_for(lambda: sum(mail.aborted for mail in desk.recorder.mails) == mails)
    assert not any(mail.finished for mail in desk.recorder.mails)
    assert desk.budget.free == 64 << 20
    await asyncio.wait_for(desk.server._desk.quiet.wait(), 5)


@pytest.mark.parametrize("way_out", [b"RSET\r\n", b"EHLO z\r\n", b"QUIT\r\n", b"BDAT 100\r\nhalf"])
@pytest.mark.parametrize("sent", [b"\r\n", b"Subject: x\r\n\r\n" + b"y" * (5 * CHUNK)])
async def test_who_gives_up_or_leaves_between_chunks_leaves_nothing(way_out: bytes, sent: bytes) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(MAIL + b"BDAT %d\r\n" % len(sent) + sent)
        await replies(client, 3)
        assert not desk.server._desk.quiet.is_set()
        await client.send(way_out)
        if way_out.startswith(b"BDAT"):
            client.close()
        await wait_for_end(desk)


@pytest.mark.parametrize(
    ("settings_", "mail", "code"),
    [
        ({"max_message_size": 1000}, b"\r\n" + b"y" * 2000, "552 5.3.4"),
        ({"limits": {"header_size": 1000}}, b"X: y\r\n" * 500, "552 5.3.4"),
        ({"limits": {"bytes_in_flight": 4096}}, b"\r\n" + b"y" * 6000, "452 4.3.1"),
        ({}, b"\r\n" + b"y" * ((1 << 20) + 10) + b"\r\n", "554 5.6.0"),
    ],
)
async def test_limits_hold_over_all_chunks(settings_: dict[str, object], mail: bytes, code: str) -> None:
    async with open_desk(**settings_) as desk:  # type: ignore[arg-type]  # a listener's values
        client = await desk.greeted()
        half = len(mail) // 2
        third = mail[half:] + EVIL
        await client.send(MAIL + b"BDAT %d\r\n" % half + mail[:half])
        assert len(await replies(client, 3)) == 3
        await client.send(b"BDAT %d\r\n" % len(third) + third + b"BDAT %d LAST\r\n" % len(EVIL) + EVIL)
        assert await replies(client, 2) == [code, code]
        await client.send(MAIL + b"BDAT 2 LAST\r\n\r\n")
        assert (await replies(client, 3))[2] == "250 2.0.0"
        await desk.recorder.wait_for(lambda: desk.recorder.mails[0].aborted)
        assert not desk.recorder.mails[0].finished


async def test_a_chunk_without_end_is_cut_off() -> None:
    async with open_desk(max_message_size=1000) as desk:
        for before in (b"", MAIL):
            client = await desk.greeted()
            with pytest.raises(ConnectionError):
                await flood(client, before + b"BDAT 999999999999 LAST\r\n")


async def flood(client: Dialogue, begin: bytes) -> None:
    await client.send(begin)
    while True:
        await client.send(b"y" * 100_000)


async def test_a_client_that_drips_chunks_gets_no_more_time() -> None:
    async with open_desk(limits={"data_idle": 60}) as desk:
        client = await desk.greeted()
        await client.send(MAIL + b"BDAT 1\r\n\r")
        await replies(client, 3)
        said = asyncio.create_task(client.reader.read())
        while not said.done():
            client.writer.write(b"BDAT 1\r\ny")
            await asyncio.sleep(0.01)
        assert b"421 4.4.2" in await said
        await wait_for_end(desk)


@pytest.mark.parametrize("step", ["header", "body", "finish"])
async def test_a_fault_of_ours_is_a_451_for_the_rest_of_the_mail(step: str) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        desk.recorder.fail_at = step
        part = b"yyyyyy\r\n" * (CHUNK // 2)
        await client.send(MAIL + b"BDAT 14\r\nSubject: x\r\n\r\n" + b"BDAT %d\r\n" % len(part) + part)
        await replies(client, 4)
        await client.send(b"BDAT %d LAST\r\n" % len(part) + part)
        assert await client.read() == "451 4.3.0 The mail could not be kept, try again later"
        await desk.recorder.wait_for(lambda: desk.mail.aborted)
        desk.recorder.fail_at = ""
        await client.send(MAIL + b"BDAT 2 LAST\r\n\r\n")
        assert (await replies(client, 3))[2] == "250 2.0.0"


async def test_a_drain_waits_for_the_last_chunk() -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        await client.send(MAIL + b"BDAT 2\r\n\r\n")
        await replies(client, 3)
        drain = asyncio.create_task(desk.server.drain(10))
        await asyncio.sleep(0)
        assert (await client.say("BDAT 0")).startswith("250 2.0.0 0 octets")
        assert (await client.say("BDAT 0 LAST")).startswith("250 2.0.0 queued")
        assert (await client.read()).startswith("421 4.3.2")
        await drain
