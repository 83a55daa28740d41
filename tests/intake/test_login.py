"""AUTH: the dialogues, and that guessing is slow."""

import asyncio
import base64
from ipaddress import ip_address

import pytest
from structlog.testing import capture_logs

from tests.intake.conftest import PASSWORD, Certificate, open_listener


def b64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


GOOD = b64(f"\0anna\0{PASSWORD}")


@pytest.mark.parametrize(
    ("dialogue", "expected"),
    [
        ([f"AUTH PLAIN {GOOD}"], "235 2.7.0"),
        ([f"auth plain {GOOD}"], "235 2.7.0"),
        (["AUTH PLAIN", GOOD], "235 2.7.0"),
        ([f"AUTH PLAIN {b64(f'anna{chr(0)}anna{chr(0)}{PASSWORD}')}"], "235 2.7.0"),
        ([f"AUTH PLAIN {b64(f'{chr(0)}Anna@Example.com{chr(0)}{PASSWORD}')}"], "235 2.7.0"),
        (["AUTH LOGIN", b64("anna"), b64(PASSWORD)], "235 2.7.0"),
        ([f"AUTH LOGIN {b64('anna')}", b64(PASSWORD)], "235 2.7.0"),
        ([f"AUTH PLAIN {b64(f'bert{chr(0)}anna{chr(0)}{PASSWORD}')}"], "535 5.7.8"),
        ([f"AUTH PLAIN {b64(f'{chr(0)}anna{chr(0)}wrong')}"], "535 5.7.8"),
        ([f"AUTH PLAIN {b64(f'{chr(0)}nobody{chr(0)}{PASSWORD}')}"], "535 5.7.8"),
        ([f"AUTH PLAIN {b64(f'{chr(0)}{chr(0)}')}"], "535 5.7.8"),
        ([f"AUTH PLAIN {b64(b'x' * 2000 + bytes(1) + b'y' * 2000 + bytes(1) + b'z' * 2000)}"], "535 5.7.8"),
        (["AUTH PLAIN", "*"], "501 5.7.0"),
        (["AUTH LOGIN", b64("anna"), "*"], "501 5.7.0"),
        (["AUTH PLAIN ="], "501 5.5.2"),
        (["AUTH PLAIN !!!"], "501 5.5.2"),
        (["AUTH PLAIN", "!!!"], "501 5.5.2"),
        ([f"AUTH PLAIN {b64('anna')}"], "501 5.5.2"),
        (["AUTH PLAIN", "x" * 13_000], "500 5.5.6"),
        (["AUTH CRAM-MD5"], "504 5.5.4"),
        (["AUTH"], "501 5.5.4"),
        (["AUTH \x1c"], "501 5.5.4"),
        (["AUTH \xa0 \xa0"], "501 5.5.4"),
        ([f"AUTH PLAIN {GOOD}", f"AUTH PLAIN {GOOD}"], "503 5.5.1"),
        (["MAIL FROM:<s@x.example>", f"AUTH PLAIN {GOOD}"], "503 5.5.1"),
    ],
)
async def test_dialogues(dialogue: list[str], expected: str) -> None:
    async with open_listener() as running:
        client = await running.greeted()
        reply = await client.say(*dialogue)
        assert reply.startswith(f"{expected} "), reply
        assert (await client.say("NOOP")).startswith("250")


async def test_login_asks_in_the_words_that_old_clients_wait_for() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        assert await client.say("AUTH LOGIN") == f"334 {b64('Username:')}"
        assert await client.say(b64("anna")) == f"334 {b64('Password:')}"


async def test_who_is_logged_in_is_known_to_the_submission() -> None:
    async with open_listener(require_auth=True) as running:
        client = await running.greeted()
        await client.say(f"AUTH PLAIN {GOOD}")
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert running.mail.client.login == "anna"


WRONG = f"AUTH PLAIN {b64(f'{chr(0)}anna{chr(0)}wrong')}"


async def test_too_many_failures_end_the_session_and_the_next_one_waits_on() -> None:
    async with open_listener(limits={"auth_failures": 3}) as running:
        client = await running.greeted()
        replies = [(await client.say(WRONG))[:3] for _ in range(3)]
        assert replies == ["535", "535", "421"]
        assert await client.read() == ""
        again = await running.greeted()
        await again.say(WRONG)
        assert running.clock.delays == [0.5, 1.0, 2.0]
        assert (await again.say(f"AUTH PLAIN {GOOD}")).startswith("235")


async def test_wrong_logins_on_seven_connections_are_slowed_like_those_on_one() -> None:
    async with open_listener() as running:
        for _ in range(7):
            client = await running.greeted()
            assert (await client.say(WRONG)).startswith("535")
            await client.say("QUIT")
        assert running.clock.delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


async def test_many_connections_at_once_guess_no_faster_than_one() -> None:
    async with open_listener() as running:
        clients = [await running.greeted() for _ in range(40)]
        guesses = [f"AUTH PLAIN {b64(f'{chr(0)}anna{chr(0)}wrong{n}')}" for n in range(40)]
        replies = await asyncio.gather(*(client.say(guess) for client, guess in zip(clients, guesses, strict=True)))
        looked_at = [reply for reply in replies if reply.startswith("535")]
        assert len(looked_at) < 12
        assert {reply for reply in replies if reply not in looked_at} == {
            "454 4.7.0 Too many failed logins, try again later"
        }


async def test_the_log_names_the_login_escaped_and_never_the_password() -> None:
    with capture_logs() as lines:
        async with open_listener() as running:
            client = await running.greeted()
            await client.say(f"AUTH PLAIN {b64(f'{chr(0)}an{chr(27)}na{chr(0)}hunter2')}")
            await client.say(f"AUTH PLAIN {b64(f'bert{chr(0)}anna{chr(0)}hunter2')}")
            await client.say("AUTH LOGIN", b64("x" * 500), b64("hunter2"))
    found = [line for line in lines if line["event"] == "auth_failed"]
    assert [line["login"] for line in found] == ["an\x1bna", "anna\0bert", "x" * 100]
    assert {line["client"] for line in found} == {"127.0.0.1"}
    assert "hunter2" not in str(lines)


async def test_without_tls_a_login_is_for_loopback_alone_unless_configured(certificate: Certificate) -> None:
    for plaintext in (False, True):
        async with open_listener(tls=("starttls", certificate), plaintext_auth=plaintext) as running:
            client = await running.greeted()
            (session,) = running.server._context.sessions
            session.ip = ip_address("192.0.2.1")  # no loopback address is another machine's
            assert ("AUTH" in await client.say("EHLO x")) == plaintext
            reply = await client.say(f"AUTH PLAIN {GOOD}")
            assert reply.startswith("235" if plaintext else "538 5.7.11")
            session.ip = ip_address("127.0.0.1")
