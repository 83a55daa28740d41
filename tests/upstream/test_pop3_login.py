"""A login by a token over POP3; by a password: test_pop3.py."""

import base64

import pytest

from relay.model.account import Pop3Server, Security
from relay.upstream.pop3 import Pop3Error, Pop3Stage, open_pop3
from tests.peers.credentials import Token
from tests.peers.dialogue import Dialogue

OFFERS = "S: +OK hi\nC: CAPA\nS: +OK\nS: SASL PLAIN OAUTHBEARER XOAUTH2\nS: .\n"
AFTER = "C: CAPA\nS: -ERR unknown\n! silence"


async def try_(script: str, *mechanisms: str) -> list[str]:
    """Log in, and return what was said after CAPA."""
    token = Token()
    token.mechanisms = mechanisms
    async with Dialogue(script) as server:
        where = Pop3Server(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        (await open_pop3(where, token, patience=5)).close()
        assert server.faults == []
        return server.heard[1:]


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [("xoauth2", "user=u\x01auth=Bearer token-1-0\x01\x01"), ("oauthbearer", "n,a=u,\x01host=127.0.0.1\x01port=")],
)
async def test_a_token_comes_in_a_line_of_its_own(mechanism: str, said: str) -> None:
    script = f"{OFFERS}C: AUTH {mechanism.upper()}\nS: + \nC: .*\nS: +OK\n{AFTER}"
    auth, answer, _ = await try_(script, mechanism)
    assert auth == f"AUTH {mechanism.upper()}"
    assert base64.b64decode(answer).decode().startswith(said)


async def test_the_first_mechanism_that_is_offered_is_taken_and_no_password() -> None:
    heard = await try_(
        f"{OFFERS}C: AUTH XOAUTH2\nS: +\nC: .*\nS: +OK\n{AFTER}", "scram-sha-256", "xoauth2", "oauthbearer"
    )
    assert heard[0] == "AUTH XOAUTH2"


@pytest.mark.parametrize(("mechanism", "ends"), [("xoauth2", ""), ("oauthbearer", "AQ==")])
async def test_a_challenge_with_an_error_is_answered_so_that_the_refusal_comes(mechanism: str, ends: str) -> None:
    challenge = base64.b64encode(b'{"status":"400"}').decode()
    script = (
        f"{OFFERS}C: AUTH {mechanism.upper()}\nS: + \nC: .*\nS: + {challenge}\nC: {ends}\nS: -ERR [AUTH] no\n! silence"
    )
    with pytest.raises(Pop3Error, match=r"login: \[AUTH\] no"):
        await try_(script, mechanism)


@pytest.mark.parametrize(
    "reply", ["-ERR Protocol error. Connection is closed. 10", "+ \nC: .*\nS: -ERR token-1-0 is wrong"]
)
async def test_a_refusal_shows_no_token(reply: str) -> None:
    with pytest.raises(Pop3Error, match=r"Protocol error|withheld") as error:
        await try_(f"{OFFERS}C: AUTH XOAUTH2\nS: {reply}\n! silence", "xoauth2")
    assert error.value.stage is Pop3Stage.LOGIN
    assert "token" not in str(error.value)


@pytest.mark.parametrize(
    ("says", "has_another", "logins"),
    [("[AUTH] no", True, 2), ("no", True, 2), ("[AUTH] no", False, 1), ("[IN-USE] locked", True, 1)],
)
async def test_in_place_of_a_token_that_is_refused_another_one_is_tried_once(
    says: str, logins: int, *, has_another: bool
) -> None:
    token = Token()
    token.mechanisms, token.has_another = ("xoauth2",), has_another
    refused = f"{OFFERS}C: AUTH XOAUTH2\nS: + \nC: .*\nS: -ERR {says}\n! silence"
    async with Dialogue(refused, f"{OFFERS}C: AUTH XOAUTH2\nS: + \nC: .*\nS: +OK\n{AFTER}") as server:
        where = Pop3Server(host="127.0.0.1", port=server.port, security=Security.NONE, username="u")
        if logins == 2:
            (await open_pop3(where, token, patience=5)).close()
        else:
            with pytest.raises(Pop3Error):
                await open_pop3(where, token, patience=5)
        assert server.connections == len(token.given) == logins
