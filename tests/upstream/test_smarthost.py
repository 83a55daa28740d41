"""Connecting and logging in, by dialogue: how far it came, and what the server said."""

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from relay.model.account import Security, SmtpServer
from relay.model.address import Address
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.stream import StreamLost
from relay.upstream.transaction import Stage
from tests.peers.credentials import Token, password
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


# The login: one mechanism, one try

LOGINS = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH CRAM-MD5 LOGIN PLAIN\n"
WRONG = "535 5.7.8 wrong password"


async def refuse(script: str, secret: str = "secret-word") -> tuple[ConnectError, list[str]]:
    async with Dialogue(script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        with pytest.raises(ConnectError) as error:
            await connect(settings, hostname="x", credential=password(secret), timeouts=QUICK)
    return error.value, [line for line in server.heard if not line.startswith("EHLO")]


async def test_a_credential_is_used_by_its_own_mechanisms_only() -> None:
    token = Token()
    token.mechanisms = ("xoauth2",)
    async with Dialogue(LOGINS) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        with pytest.raises(ConnectError, match="no login that we know"):
            await connect(settings, hostname="x", credential=token, timeouts=QUICK)
        assert not any(line.startswith("AUTH") for line in server.heard)


TOKENS = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH PLAIN OAUTHBEARER XOAUTH2\n"


async def give_token(script: str, *mechanisms: str) -> list[str]:
    """Log in by a token, and return what was said after EHLO."""
    token = Token()
    token.mechanisms = mechanisms
    async with Dialogue(TOKENS + script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        connection = await connect(settings, hostname="x", credential=token, timeouts=QUICK)
        await connection.close()
        return server.heard[1:]


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [("xoauth2", "user=u\x01auth=Bearer token-1-0\x01\x01"), ("oauthbearer", "n,a=u,\x01host=127.0.0.1\x01port=")],
)
async def test_a_token_comes_in_a_line_of_its_own(mechanism: str, said: str) -> None:
    script = f"C: AUTH {mechanism.upper()}\nS: 334 \nC: .*\nS: 235 2.7.0 ok\nC: QUIT\nS: 221 bye"
    auth, answer, _ = await give_token(script, mechanism)
    assert auth == f"AUTH {mechanism.upper()}"
    assert base64.b64decode(answer).decode().startswith(said)


@pytest.mark.parametrize(("mechanism", "ends"), [("xoauth2", ""), ("oauthbearer", "AQ==")])
async def test_a_challenge_with_an_error_is_answered_so_that_the_refusal_comes(mechanism: str, ends: str) -> None:
    challenge = base64.b64encode(b'{"status":"400"}').decode()
    refusal = f"S: 334 {challenge}\nC: {ends}\nS: 535 5.7.3 unsuccessful, token-1-0\n! silence"
    with pytest.raises(ConnectError, match=r"535 5\.7\.3") as error:
        await give_token(f"C: AUTH .*\nS: 334 \nC: .*\n{refusal}", mechanism)
    assert error.value.login_refused
    assert "token-1" not in str(error.value)


async def test_a_token_whose_mechanism_the_server_does_not_know_goes_by_the_next_one() -> None:
    script = "C: AUTH XOAUTH2\nS: 504 5.5.4 no\nC: AUTH OAUTHBEARER\nS: 334 \nC: .*\nS: 235 ok\nC: QUIT\nS: 221 bye"
    heard = await give_token(script, "xoauth2", "oauthbearer")
    assert [line for line in heard if line.startswith("AUTH")] == ["AUTH XOAUTH2", "AUTH OAUTHBEARER"]


@pytest.mark.parametrize("after", ["! silence", "! close", "S: 421 4.7.0 too many failures\n! close"])
async def test_a_login_is_tried_once_and_its_refusal_counts_whatever_comes_after(after: str) -> None:
    error, heard = await refuse(f"{LOGINS}C: AUTH PLAIN .*\nS: {WRONG}\n{after}")
    assert (error.stage, error.reply.code, error.login_refused) == (Stage.AUTH, 535, True)
    assert len(heard) == 1


async def test_a_mechanism_that_the_server_does_not_know_after_all_is_passed_over() -> None:
    login = f"C: AUTH LOGIN .*\nS: 334 UGFzc3dvcmQ6\nC: .*\nS: {WRONG}\n! silence"
    error, heard = await refuse(f"{LOGINS}C: AUTH PLAIN .*\nS: 504 5.5.4 unknown\n{login}")
    assert error.reply.code == 535
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("reply", "refused"),
    [("534 5.7.9 application password", True), ("550 5.7.1 no", True), ("530 5.7.0 no", True), ("454 4.7.0 no", False),
     ("421 4.7.0 no", False)],
)  # fmt: skip
async def test_any_5xx_is_a_refused_login_and_no_4xx_is(reply: str, refused: bool) -> None:
    error, _ = await refuse(f"{LOGINS}C: AUTH .*\nS: {reply}\n! silence")
    assert error.login_refused == refused
    elsewhere, _ = await refuse(f"S: 220 hi\nC: EHLO .*\nS: {reply}\nC: .*\nS: {reply}\n! silence")
    assert elsewhere.login_refused == reply.startswith("530")


# MAIL and RCPT with the account's own address, and RSET: nothing more is said

BARE = "S: 220 hi\nC: EHLO .*\nS: 250 server\n"
BARE_UTF8 = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 SMTPUTF8\n"
SALES = Address(local="sales", domain="example.com")


async def rehearse(script: str, address: Address = SALES) -> tuple[int, int | None]:
    async with Dialogue(script) as server:
        where = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE)
        connection = await connect(where, hostname="x", credential=None, timeouts=replace(QUICK, command=1))
        try:
            said = await connection.rehearse(address)
        finally:
            await connection.close()
    return said[0].code, None if said[1] is None else said[1].code


async def test_both_are_said_and_taken_back() -> None:
    script = (
        "C: MAIL FROM:<sales@example.com>\nS: 250 ok\nC: RCPT TO:<sales@example.com>\nS: 553 no\nC: RSET\nS: 250 ok\n"
    )
    assert await rehearse(f"{BARE}{script}C: QUIT\nS: 221 bye") == (250, 553)


async def test_a_sender_that_is_refused_is_no_recipient() -> None:
    assert await rehearse(f"{BARE}C: MAIL .*\nS: 553 no\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye") == (553, None)


async def test_an_international_address_is_asked_for_only_where_the_server_takes_such() -> None:
    umlaut = Address(local="jörg", domain="example.com")
    assert await rehearse(f"{BARE}C: QUIT\nS: 221 bye", umlaut) == (0, None)
    script = "C: MAIL FROM:<jörg@example.com> SMTPUTF8\nS: 250 ok\nC: RCPT TO:<jörg@example.com>\nS: 250 ok\n"
    assert await rehearse(f"{BARE_UTF8}{script}C: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", umlaut) == (250, 250)


async def test_a_lost_connection_is_said() -> None:
    with pytest.raises(StreamLost):
        await rehearse(f"{BARE}C: MAIL .*\n! close")


@pytest.mark.parametrize("has_another", [True, False])
async def test_in_place_of_a_token_that_is_refused_another_one_is_tried_once(*, has_another: bool) -> None:
    token = Token()
    token.mechanisms, token.has_another = ("xoauth2",), has_another
    refused = f"{TOKENS}C: AUTH XOAUTH2\nS: 334 \nC: .*\nS: 535 5.7.8 no\n! silence"
    taken = f"{TOKENS}C: AUTH XOAUTH2\nS: 334 \nC: .*\nS: 235 2.7.0 ok\nC: QUIT\nS: 221 bye"
    told: list[str] = []
    async with Dialogue(refused, taken) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        opening = connect(
            settings,
            hostname="x",
            credential=token,
            timeouts=QUICK,
            passed=lambda stage, _said, _transport: told.append(stage),
        )
        if has_another:
            await (await opening).close()
            assert told == ["connect", "ehlo", "auth"]
        else:
            with pytest.raises(ConnectError, match="535"):
                await opening
        assert server.connections == len(token.given) == 1 + has_another
