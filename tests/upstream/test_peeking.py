"""What a server says of itself to whoever only looks."""

import asyncio

import pytest

from relay.upstream import peeking
from relay.upstream.peeking import (
    POP3,
    SMTP,
    Speech,
    begins_with_tls,
    fetch_certificate,
    hear_greeting,
    hear_web_server,
    offers_encryption,
)
from relay.upstream.secrecy import WITHHELD, Veil
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port
from tests.upstream.conftest import Authority

HOST = "127.0.0.1"
NOTHING = Veil(None, None)


async def test_a_port_that_begins_with_tls_is_known(authority: Authority) -> None:
    async with Dialogue("S: +OK hi", context=authority.server(), implicit_tls=True) as server:
        assert await begins_with_tls(HOST, server.port)
    async with Dialogue("S: +OK hi", context=authority.server(), implicit_tls=True) as server:
        assert await hear_greeting(HOST, server.port, NOTHING, tls=True) == "+OK hi"
    async with Dialogue("S: 220 hi\n! silence", "S: 220 hi\x1b[31m\n! silence") as server:
        assert not await begins_with_tls(HOST, server.port)
        assert await hear_greeting(HOST, server.port, NOTHING) == "220 hi?[31m"
    assert not await begins_with_tls(HOST, free_port())
    assert await hear_greeting(HOST, free_port(), NOTHING) is None


async def test_a_web_server_is_known_by_its_answer(authority: Authority) -> None:
    script = "C: HEAD / HTTP/1.0\nC: \nS: HTTP/1.0 404 sesame\x1b[31m"
    for veil, said in ((NOTHING, "HTTP/1.0 404 sesame?[31m"), (Veil("u", "sesame"), WITHHELD.decode())):
        async with Dialogue(script) as server:
            assert await hear_web_server(HOST, server.port, veil, tls=False) == said
    async with Dialogue(script, context=authority.server(), implicit_tls=True) as server:
        assert await hear_web_server(HOST, server.port, NOTHING, tls=True)
    async with Dialogue("C: HEAD / HTTP/1.0\nC: \nS: 500 what?") as server:
        assert await hear_web_server(HOST, server.port, NOTHING, tls=False) is None
    assert await hear_web_server(HOST, free_port(), NOTHING, tls=False) is None


@pytest.mark.parametrize("script", ["! silence", "! close", "S: " + "x" * 10_000])
async def test_what_does_not_greet_says_nothing(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "PATIENCE", 0.2)
    async with Dialogue(script) as server:
        assert await hear_greeting(HOST, server.port, NOTHING) is None


SMTP_OFFER = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250-STARTTLS\nS: 250 HELP\n"
POP3_OFFER = "S: +OK hi\nC: CAPA\nS: +OK\nS: USER\nS: STLS\nS: .\n"


@pytest.mark.parametrize(
    ("speech", "script", "offered"),
    [
        (SMTP, SMTP_OFFER, True),
        (SMTP, "S: 220 hi\nC: EHLO .*\nS: 250 HELP\n", False),
        (POP3, POP3_OFFER, True),
        (POP3, "S: +OK hi\nC: CAPA\nS: -ERR\n", False),
        (POP3, "S: +OK hi\n! close", False),
    ],
)
async def test_whether_encryption_is_offered(speech: Speech, script: str, *, offered: bool) -> None:
    async with Dialogue(script) as server:
        assert await offers_encryption(HOST, server.port, speech) is offered


async def test_a_certificate_is_fetched_in_both_ways(authority: Authority) -> None:
    for speech, script in (
        (SMTP, f"{SMTP_OFFER}C: STARTTLS\nS: 220 go\n! tls\n! silence"),
        (POP3, f"{POP3_OFFER}C: STLS\nS: +OK\n! tls\n! silence"),
    ):
        async with Dialogue(script, context=authority.server("mail.example")) as server:
            found = await fetch_certificate(HOST, server.port, speech, at_once=False)
            assert found is not None
            assert found.names == ("mail.example",)
    async with Dialogue("! silence", context=authority.server("x.example"), implicit_tls=True) as server:
        found = await fetch_certificate(HOST, server.port, POP3, at_once=True)
        assert found is not None
        assert found.names == ("x.example",)
    assert await fetch_certificate(HOST, free_port(), SMTP, at_once=True) is None


async def test_a_look_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "PATIENCE", 0.1)
    async with Dialogue("! silence") as server:
        async with asyncio.timeout(5):
            assert not await begins_with_tls(HOST, server.port)
