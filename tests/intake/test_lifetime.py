"""Who is let in, counted, and given time, before and while TLS is agreed on."""

import asyncio
import dataclasses
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from relay.intake.budget import Shares
from relay.intake.session import SmtpSession
from relay.settings import Limits
from tests.intake.conftest import Certificate, Desk, Dialogue, open_desk

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
        async with open_desk(tls=("implicit", certificate), networks=INSIDE) as desk:
            assert await end_of(await desk.connect(source="127.0.0.2")) == b""
            assert desk.server._desk.gate.inside == 0
    assert [line["code"] for line in lines if line["event"] == "session_refused"] == [554]


async def test_a_stranger_reads_nothing_beyond_the_refusal() -> None:
    async with open_desk(networks=INSIDE) as desk:
        client = await desk.connect(source="127.0.0.2")
        await client.send(b"EHLO x\r\nNOOP\r\n")
        said = await end_of(client)
        assert said == b"" or said == b"554 5.7.1 127.0.0.2 may not connect\r\n"  # noqa: PLR1714 - a reset eats it


async def test_who_is_silent_before_tls_is_counted(certificate: Certificate, client_context: ssl.SSLContext) -> None:
    async with open_desk(tls=("implicit", certificate), limits={"connections_per_client": 2}) as desk:
        silent = [await desk.connect() for _ in range(3)]
        assert await end_of(silent[2]) == b""
        assert desk.server._desk.gate.inside == 2
        silent[0].close()
        await silent[0].writer.wait_closed()
        client = await desk.greeted(context=client_context, source="127.0.0.2")
        assert "STARTTLS" not in await client.say("EHLO x")
        assert (await client.say("STARTTLS")).startswith("503")
        assert (await client.begin()).startswith("354")
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert desk.mail.client.tls


async def test_silent_clients_leave_room_for_others_where_files_are_few(
    certificate: Certificate, client_context: ssl.SSLContext
) -> None:
    async with open_desk(tls=("implicit", certificate), files=Shares(20)) as desk:
        for _ in range(50):
            await desk.connect(source="127.0.0.2")
        await desk.greeted(context=client_context)
        assert desk.server._desk.gate.inside == 11


@pytest.mark.parametrize("way", ["implicit", "starttls"])
@pytest.mark.parametrize("drips", [False, True])
async def test_the_handshake_has_a_time_limit(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, way: str, drips: bool
) -> None:
    monkeypatch.setattr("relay.intake.lifetime.HANDSHAKE", 0.1)
    async with open_desk(tls=(way, certificate)) as desk:
        client = await desk.connect()
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
        await desk.wait_until_empty()
        assert desk.server._desk.gate.inside == 0


def client_hello() -> bytes:
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="relay.example").do_handshake()
    return out.read()


@pytest.mark.parametrize("junk", [b"EHLO x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, b""])
async def test_what_is_no_tls_ends_the_connection(certificate: Certificate, junk: bytes) -> None:
    async with open_desk(tls=("implicit", certificate)) as desk:
        client = await desk.connect()
        await client.send(junk)
        client.writer.write_eof()
        assert b"220" not in await end_of(client)
        await desk.wait_until_empty()
        assert desk.server._desk.gate.inside == 0


async def test_a_drain_does_not_wait_for_handshakes(certificate: Certificate) -> None:
    async with open_desk(tls=("implicit", certificate)) as desk:
        client = await desk.connect()
        await wait_for_session(desk)
        await desk.server.drain(5)
        assert await end_of(client) == b""
        assert desk.server._desk.gate.inside == 0


async def wait_for_session(desk: Desk) -> None:
    async with asyncio.timeout(5):
        while not desk.server._desk.sessions:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)


async def test_a_session_without_a_mail_ends_whatever_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.dialogue.WITHOUT_MAIL", 0.2)
    async with open_desk() as desk:
        client = await desk.greeted()
        codes = set()
        while not client.reader.at_eof():
            await client.send(b"NOOP\r\n")
            codes.add((await client.read())[:9])
            await asyncio.sleep(0.005)
        assert codes <= {"250 2.0.0", "421 4.4.2", ""}
        assert "421 4.4.2" in codes


async def test_each_mail_gives_the_session_time_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.intake.dialogue.WITHOUT_MAIL", 5)
    async with open_desk() as desk:
        client = await desk.greeted()
        (session,) = desk.server._desk.sessions
        assert isinstance(session, SmtpSession)
        before = session._patience_ends
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert session._patience_ends > before


async def test_a_new_certificate_is_for_the_next_client_of_implicit_tls(
    certificate: Certificate, client_context: ssl.SSLContext, tmp_path: Path
) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    other = ssl.create_default_context()
    authority.configure_trust(other)
    async with open_desk(tls=("implicit", certificate)) as desk:
        before = await desk.greeted(context=client_context)
        new = dataclasses.replace(
            desk.server.listener, certificate=tmp_path / "certificate.pem", private_key=tmp_path / "key.pem"
        )
        desk.server.change(new, Limits(), "relay.example")
        await desk.greeted(context=other)
        with pytest.raises(ssl.SSLCertVerificationError):
            await desk.connect(context=client_context)
        assert (await before.say("NOOP")).startswith("250")
