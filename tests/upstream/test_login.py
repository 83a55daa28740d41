"""Logging in: one mechanism, one try."""

import pytest

from relay.model.account import Security, SmtpServer
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import Stage
from tests.peers.credentials import Token, password
from tests.peers.dialogue import Dialogue
from tests.upstream.conftest import QUICK

HELLO = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH CRAM-MD5 LOGIN PLAIN\n"
WRONG = "535 5.7.8 wrong password"


async def fail(script: str, secret: str = "secret-word") -> tuple[ConnectError, list[str]]:
    async with Dialogue(script) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        with pytest.raises(ConnectError) as error:
            await connect(settings, hostname="x", credential=password(secret), timeouts=QUICK)
    return error.value, [line for line in server.heard if not line.startswith("EHLO")]


async def test_a_credential_is_used_by_its_own_mechanisms_only() -> None:
    token = Token()
    token.mechanisms = ("xoauth2",)
    async with Dialogue(HELLO) as server:
        settings = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        with pytest.raises(ConnectError, match="no login that we know"):
            await connect(settings, hostname="x", credential=token, timeouts=QUICK)
        assert not any(line.startswith("AUTH") for line in server.heard)


@pytest.mark.parametrize("after", ["! silence", "! close", "S: 421 4.7.0 too many failures\n! close"])
async def test_a_login_is_tried_once_and_its_refusal_counts_whatever_comes_after(after: str) -> None:
    error, heard = await fail(f"{HELLO}C: AUTH PLAIN .*\nS: {WRONG}\n{after}")
    assert (error.stage, error.reply.code, error.login_refused) == (Stage.AUTH, 535, True)
    assert len(heard) == 1


async def test_a_mechanism_that_the_server_does_not_know_after_all_is_passed_over() -> None:
    login = f"C: AUTH LOGIN .*\nS: 334 UGFzc3dvcmQ6\nC: .*\nS: {WRONG}\n! silence"
    error, heard = await fail(f"{HELLO}C: AUTH PLAIN .*\nS: 504 5.5.4 unknown\n{login}")
    assert error.reply.code == 535
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("reply", "refused"),
    [("534 5.7.9 application password", True), ("550 5.7.1 no", True), ("530 5.7.0 no", True), ("454 4.7.0 no", False),
     ("421 4.7.0 no", False)],
)  # fmt: skip
async def test_any_5xx_is_a_refused_login_and_no_4xx_is(reply: str, refused: bool) -> None:
    error, _ = await fail(f"{HELLO}C: AUTH .*\nS: {reply}\n! silence")
    assert error.login_refused == refused
    elsewhere, _ = await fail(f"S: 220 hi\nC: EHLO .*\nS: {reply}\nC: .*\nS: {reply}\n! silence")
    assert elsewhere.login_refused == reply.startswith("530")
