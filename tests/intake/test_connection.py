"""Who is let in, counted, and given time, before and in TLS; replies, clients that do not read, turns for others."""

import asyncio
import dataclasses
import ssl
import tracemalloc
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from relay.intake.budget import Shares
from relay.intake.connection import READ_AHEAD
from relay.intake.session import SmtpSession
from relay.settings import Limits
from tests.intake.conftest import Certificate, Dialogue, RunningListener, open_listener

INSIDE = (ip_network("127.0.0.1/32"),)


async def end_of(client: Dialogue) -> bytes:
    """Read to the end of a connection."""
    async with asyncio.timeout(10):
        try:
            return await client.reader.read()
        except ConnectionError:
            return b""


async def test_a_stranger_is_turned_away_before_tls_and_reads_not_one_byte(certificate: Certificate) -> None:
    with capture_logs() as lines:
        async with open_listener(tls=("implicit", certificate), networks=INSIDE) as running:
            assert await end_of(await running.connect(source="127.0.0.2")) == b""
            assert running.server._context.connection_limits._places.taken == 0
    assert [line["code"] for line in lines if line["event"] == "session_refused"] == [554]


async def test_a_stranger_reads_nothing_beyond_the_refusal() -> None:
    async with open_listener(networks=INSIDE) as running:
        client = await running.connect(source="127.0.0.2")
        await client.send(b"EHLO x\r\nNOOP\r\n")
        said = await end_of(client)
        assert said == b"" or said == b"554 5.7.1 127.0.0.2 may not connect\r\n"  # noqa: PLR1714 - a reset eats it


async def test_a_client_that_is_refused_again_and_again_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection_limits._MOST_CLIENTS", 3)
    with capture_logs() as lines:
        async with open_listener(networks=INSIDE) as running:
            for n in range(20):
                await end_of(await running.connect(source="127.0.0.2" if n % 2 else f"127.0.0.{n + 3}"))
            for _ in range(3):
                client = await running.connect()
                await client.read()
                assert (await client.say("GET / HTTP/1.1")).startswith("421")
            assert len(lines) == 4
        assert [(line["client"], line.get("count", 1)) for line in lines] == [
            ("127.0.0.3", 1), ("127.0.0.2", 1), ("127.0.0.5", 1), ("others", 1), ("127.0.0.2", 9), ("others", 10),
        ]  # fmt: skip


async def test_how_often_a_client_was_refused_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection_limits.SAID_AGAIN", 0.1)
    with capture_logs() as lines:
        async with open_listener(networks=INSIDE) as running:
            for _ in range(3):
                await end_of(await running.connect(source="127.0.0.2"))
            async with asyncio.timeout(5):
                while len(lines) < 2:  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.01)
            await end_of(await running.connect(source="127.0.0.2"))
    assert [line.get("count", 1) for line in lines] == [1, 2, 1]
    assert {line["reason"] for line in lines} == {"127.0.0.2 may not connect"}


async def test_who_is_silent_before_tls_is_counted(certificate: Certificate, client_context: ssl.SSLContext) -> None:
    async with open_listener(tls=("implicit", certificate), limits={"connections_per_client": 2}) as running:
        silent = [await running.connect() for _ in range(3)]
        assert await end_of(silent[2]) == b""
        assert running.server._context.connection_limits._places.taken == 2
        silent[0].close()
        await silent[0].writer.wait_closed()
        client = await running.greeted(context=client_context, source="127.0.0.2")
        assert "STARTTLS" not in await client.say("EHLO x")
        assert (await client.say("STARTTLS")).startswith("503")
        assert (await client.begin()).startswith("354")
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert running.mail.client.tls


async def test_a_handshake_that_does_not_end_takes_little_memory(certificate: Certificate) -> None:
    async with open_listener(tls=("implicit", certificate)) as running:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for n in range(20):
                await running.connect(source=f"127.0.0.{n + 2}")
            async with asyncio.timeout(5):
                while len(running.server._context.sessions) < 20:  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0)
            assert (tracemalloc.get_traced_memory()[0] - before) / 20 < 100_000  # the test's own side is counted, too
        finally:
            tracemalloc.stop()


async def test_silent_clients_leave_room_for_others_where_files_are_few(
    certificate: Certificate, client_context: ssl.SSLContext
) -> None:
    async with open_listener(tls=("implicit", certificate), files=Shares(20)) as running:
        for _ in range(50):
            await running.connect(source="127.0.0.2")
        await running.greeted(context=client_context)
        assert running.server._context.connection_limits._places.taken == 11


@pytest.mark.parametrize("way", ["implicit", "starttls"])
@pytest.mark.parametrize("drips", [False, True])
async def test_the_handshake_has_a_time_limit(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, way: str, drips: bool
) -> None:
    monkeypatch.setattr("relay.intake.connection.HANDSHAKE", 0.1)
    async with open_listener(tls=(way, certificate)) as running:
        client = await running.connect()
        if way == "starttls":
            await client.read()
            await client.hello()
            assert (await client.say("STARTTLS")).startswith("220")
        said = asyncio.create_task(end_of(client))
        hello = iter(client_hello())
        while not said.done():
            if drips:
                client.writer.write(bytes([next(hello)]))
            await asyncio.sleep(0.005)
        assert await said == b""
        await running.wait_until_empty()
        assert running.server._context.connection_limits._places.taken == 0


def client_hello() -> bytes:
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="relay.example").do_handshake()
    return out.read()


@pytest.mark.parametrize("junk", [b"EHLO x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, b""])
async def test_what_is_no_tls_ends_the_connection(certificate: Certificate, junk: bytes) -> None:
    async with open_listener(tls=("implicit", certificate)) as running:
        client = await running.connect()
        await client.send(junk)
        client.writer.write_eof()
        assert b"220" not in await end_of(client)
        await running.wait_until_empty()
        assert running.server._context.connection_limits._places.taken == 0


async def test_a_drain_does_not_wait_for_handshakes(certificate: Certificate) -> None:
    async with open_listener(tls=("implicit", certificate)) as running:
        client = await running.connect()
        await wait_for_session(running)
        await running.server.drain(5)
        assert await end_of(client) == b""
        assert running.server._context.connection_limits._places.taken == 0


async def wait_for_session(running: RunningListener) -> None:
    async with asyncio.timeout(5):
        while not running.server._context.sessions:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)


async def test_a_session_without_a_mail_ends_whatever_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection.WITHOUT_MAIL", 0.5)
    async with open_listener() as running:
        client = await running.greeted()
        (session,) = running.server._context.sessions
        before = session.deadline._at
        assert (await client.say("NOOP")).startswith("250")
        assert session.deadline._at == pytest.approx(before)
        assert (await client.read()).startswith("421 4.4.2")
        assert await client.read() == ""


async def test_each_mail_gives_the_session_time_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection.WITHOUT_MAIL", 5)
    async with open_listener() as running:
        client = await running.greeted()
        (session,) = running.server._context.sessions
        assert isinstance(session, SmtpSession)
        before = session._ends_without_mail
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert session._ends_without_mail > before


async def test_a_new_certificate_is_for_the_next_client_of_implicit_tls(
    certificate: Certificate, client_context: ssl.SSLContext, tmp_path: Path
) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    other = ssl.create_default_context()
    authority.configure_trust(other)
    async with open_listener(tls=("implicit", certificate)) as running:
        before = await running.greeted(context=client_context)
        new = dataclasses.replace(
            running.server.listener, certificate=tmp_path / "certificate.pem", private_key=tmp_path / "key.pem"
        )
        running.server.change(new, Limits(), "relay.example")
        await running.greeted(context=other)
        with pytest.raises(ssl.SSLCertVerificationError):
            await running.connect(context=client_context)
        assert (await before.say("NOOP")).startswith("250")


async def test_replies_to_pipelined_commands_leave_together() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.send("NOOP\r\n" * 50)
        assert [await client.read() for _ in range(50)] == ["250 2.0.0 OK"] * 50


async def test_a_bare_lf_ends_a_command_too() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.send("NOOP\nNOOP\n")
        assert [await client.read() for _ in range(2)] == ["250 2.0.0 OK"] * 2


async def test_a_client_that_does_not_read_is_let_go_and_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.connection.LAST_WORDS", 0.05)
    async with open_listener(limits={"session_idle": 20}) as running:
        client = await running.greeted()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        (session,) = running.server._context.sessions
        assert isinstance(session, SmtpSession)
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionError):
                await _say_without_end(client.writer)
        assert not running.server._context.sessions
        assert len(session._reader._buffer) < 1 << 20  # type: ignore[attr-defined]  # asyncio shows it in no other way


async def _say_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HELP\r\n" * 2_000)
        await writer.drain()


async def test_quiet_means_that_nobody_hands_in_a_mail() -> None:
    async with open_listener() as running:
        shared = running.server._context
        assert shared.quiet.is_set()
        client = await running.greeted()
        await client.begin()
        assert not shared.quiet.is_set()
        await client.send(b"\r\n.\r\n")
        await client.read()
        assert shared.quiet.is_set()


async def test_no_more_than_a_little_is_read_from_one_client_before_others_have_their_turn() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.begin()
        (session,) = running.server._context.sessions
        assert isinstance(session, SmtpSession)
        assert session.transport is not None
        taken = 0
        while session.transport.is_reading():  # as the loop does that finds more and more
            session.data_received(b"y" * 70 + b"\r\n")
            taken += 72
            assert taken <= 2 * READ_AHEAD + 72
        async with asyncio.timeout(10):
            while not session.transport.is_reading():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        await client.send(".\r\n")
        assert (await client.read()).startswith("250")
