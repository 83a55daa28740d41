"""Connecting and logging in, by dialogue: how far it came, and what the server said."""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from relay.model.account import Security, SmtpServer
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import Stage
from tests.peers.credentials import password
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port
from tests.upstream.conftest import IMPATIENT, QUICK, Authority

PLAIN = base64.b64encode(b"\0u\0p").decode()
HELLO = "S: 220 hi\nC: EHLO relay\\.example\n"
OFFER = "S: 250-server\nS: 250-AUTH PLAIN\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250 SIZE 1000\n"
QUIT = "C: QUIT\nS: 221 bye\n"
LOGIN = f"C: AUTH PLAIN {PLAIN}\nS: 235 welcome\n".replace("=", "\\=")


def server_at(port: int, security: Security = Security.NONE, **more: Any) -> SmtpServer:  # noqa: ANN401 - fields of a server
    return SmtpServer(**{"host": "127.0.0.1", "port": port, "security": security, "username": "u", **more})


async def fail(server: SmtpServer, *, impatient: bool = False) -> ConnectError:
    with pytest.raises(ConnectError) as error:
        await connect(
            server, hostname="relay.example", credential=password("p"), timeouts=IMPATIENT if impatient else QUICK
        )
    return error.value


async def test_what_the_server_offers_is_known() -> None:
    async with Dialogue(HELLO + OFFER + LOGIN + QUIT) as server:
        connection = await connect(
            server_at(server.port), hostname="relay.example", credential=password("p"), timeouts=QUICK
        )
        features = connection.features
        assert (features.size, features.pipelining, features.eightbitmime, features.smtputf8) == (
            1000,
            True,
            True,
            True,
        )
        assert connection.usable
        await connection.close()


async def test_without_a_username_nothing_is_logged_in() -> None:
    async with Dialogue(HELLO + "S: 250 server\n" + QUIT) as server:
        connection = await connect(server_at(server.port, username=None), hostname="relay.example", credential=None)
        assert connection.features.size is None
        await connection.close()


@pytest.mark.parametrize(
    ("script", "stage", "code", "text"),
    [
        ("S: 554 5.7.1 go away\n! close", Stage.CONNECT, 554, "go away"),
        ("S: 421 4.3.2 later\n! close", Stage.CONNECT, 421, "later"),
        ("! close", Stage.CONNECT, 0, ""),
        ("S: garbage\n! close", Stage.CONNECT, 0, ""),
        (HELLO + "S: 550 no\nC: .*\nS: 550 no\n! silence", Stage.EHLO, 550, "no"),
        (HELLO + "! reset", Stage.EHLO, 0, ""),
        (HELLO + "S: 250 server\n! silence", Stage.AUTH, 0, "no login that we know"),
        (HELLO + OFFER + "C: AUTH .*\nS: 535 5.7.8 bad password\n! silence", Stage.AUTH, 535, "bad password"),
        (HELLO + OFFER + "C: AUTH .*\nS: 454 4.7.0 later\n! silence", Stage.AUTH, 454, "later"),
    ],
)
async def test_how_far_it_came_and_what_was_said(script: str, stage: Stage, code: int, text: str) -> None:
    async with Dialogue(script) as server:
        error = await fail(server_at(server.port))
    assert (error.stage, error.reply.code) == (stage, code)
    assert text in error.reply.text
    assert "p" not in error.reply.text.split()


async def test_nobody_there_and_silence_are_named() -> None:
    error = await fail(server_at(free_port()))
    assert "Connection refused" in error.reply.text
    async with Dialogue("! silence") as server:
        error = await fail(server_at(server.port), impatient=True)
    assert "in time" in error.reply.text or "timed out" in error.reply.text.lower()


async def test_the_opening_has_its_time_all_together_and_a_size_that_is_none_is_no_fault() -> None:
    async with Dialogue(HELLO + "! silence") as server:
        with pytest.raises(ConnectError, match="in time") as error:
            await connect(
                server_at(server.port),
                hostname="relay.example",
                credential=password("p"),
                timeouts=replace(QUICK, opening=0.05),
            )
    assert error.value.stage is Stage.EHLO
    for size in ("²", "9" * 5000, "-1"):
        async with Dialogue(f"{HELLO}S: 250-server\nS: 250 SIZE {size}\n{QUIT}") as server:
            connection = await connect(server_at(server.port, username=None), hostname="relay.example", credential=None)
            assert connection.features.size == 0
            await connection.close()


STARTTLS = HELLO + "S: 250-server\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n! tls\nC: EHLO .*\n"


async def test_starttls_and_tls_are_verified_and_the_login_comes_after(authority: Authority) -> None:
    script = STARTTLS + OFFER + LOGIN + QUIT
    async with Dialogue(script, context=authority.server()) as server:
        settings = server_at(server.port, Security.STARTTLS, ca_file=str(authority.ca_file))
        connection = await connect(settings, hostname="relay.example", credential=password("p"), timeouts=QUICK)
        await connection.close()
        assert [line.split()[0] for line in server.heard] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]
    async with Dialogue(HELLO + OFFER + LOGIN + QUIT, context=authority.server(), implicit_tls=True) as server:
        settings = server_at(server.port, Security.TLS, ca_file=str(authority.ca_file))
        await (await connect(settings, hostname="relay.example", credential=password("p"), timeouts=QUICK)).close()


async def test_without_starttls_no_password_is_said() -> None:
    for script in (HELLO + OFFER + "! silence", HELLO + "S: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no\n! silence"):
        async with Dialogue(script) as server:
            error = await fail(server_at(server.port, Security.STARTTLS))
            assert error.stage is Stage.STARTTLS
            assert not any(line.startswith("AUTH") for line in server.heard)


def _expired(authority: Authority) -> Any:  # noqa: ANN401 - a context
    return authority.server(
        not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), not_before=dt.datetime(2019, 1, 1, tzinfo=dt.UTC)
    )


@pytest.mark.parametrize(
    ("make", "trusted", "text"),
    [
        (lambda authority: authority.server("other.example"), True, "certificate"),
        (lambda authority: authority.server(), False, "certificate"),
        (_expired, True, "expired"),
    ],
)
async def test_a_certificate_that_is_not_right_is_refused_and_named(
    authority: Authority, make: Callable[[Authority], Any], trusted: bool, text: str
) -> None:
    for security in (Security.STARTTLS, Security.TLS):
        implicit = security is Security.TLS
        async with Dialogue(STARTTLS, context=make(authority), implicit_tls=implicit) as server:
            ca_file = str(authority.ca_file) if trusted else None
            error = await fail(server_at(server.port, security, ca_file=ca_file))
            assert text in error.reply.text
            assert error.reply.enhanced == "4.7.5"
            unverified = server_at(server.port, security, verify=False)
            assert unverified.verify is False


async def test_verification_can_be_switched_off(authority: Authority) -> None:
    script = STARTTLS + OFFER + LOGIN + QUIT
    async with Dialogue(script, context=authority.server("other.example")) as server:
        settings = server_at(server.port, Security.STARTTLS, verify=False)
        await (await connect(settings, hostname="relay.example", credential=password("p"), timeouts=QUICK)).close()
