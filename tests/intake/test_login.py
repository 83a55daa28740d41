"""AUTH: the dialogues, and that guessing is slow."""

import base64
from ipaddress import ip_address

import pytest

from tests.intake.conftest import PASSWORD, Certificate, open_desk


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
        ([f"AUTH PLAIN {GOOD}", f"AUTH PLAIN {GOOD}"], "503 5.5.1"),
        (["MAIL FROM:<s@x.example>", f"AUTH PLAIN {GOOD}"], "503 5.5.1"),
    ],
)
async def test_dialogues(dialogue: list[str], expected: str) -> None:
    async with open_desk() as desk:
        client = await desk.greeted()
        reply = await client.say(*dialogue)
        assert reply.startswith(f"{expected} "), reply
        assert (await client.say("NOOP")).startswith("250")


async def test_who_is_logged_in_is_known_to_the_submission() -> None:
    async with open_desk(require_auth=True) as desk:
        client = await desk.greeted()
        await client.say(f"AUTH PLAIN {GOOD}")
        await client.begin()
        await client.send(b"\r\n.\r\n")
        assert (await client.read()).startswith("250")
        assert desk.mail.client.login == "anna"


async def test_each_failure_waits_longer_and_too_many_end_the_session() -> None:
    async with open_desk(limits={"auth_failures": 3}) as desk:
        client = await desk.greeted()
        wrong = f"AUTH PLAIN {b64(f'{chr(0)}anna{chr(0)}wrong')}"
        replies = [(await client.say(wrong))[:3] for _ in range(3)]
        assert replies == ["535", "535", "421"]
        assert await client.read() == ""
        again = await desk.greeted()
        await again.say(wrong)
        assert desk.delays == sorted(desk.delays)
        assert len(set(desk.delays)) == 4
        assert (await again.say(f"AUTH PLAIN {GOOD}")).startswith("235")


async def test_without_tls_a_login_is_for_loopback_alone_unless_configured(certificate: Certificate) -> None:
    for plaintext in (False, True):
        async with open_desk(tls=("starttls", certificate), plaintext_auth=plaintext) as desk:
            client = await desk.greeted()
            (session,) = desk.server._desk.sessions
            session.ip = ip_address("192.0.2.1")  # no loopback address is another machine's
            assert ("AUTH" in await client.say("EHLO x")) == plaintext
            reply = await client.say(f"AUTH PLAIN {GOOD}")
            assert reply.startswith("235" if plaintext else "538 5.7.11")
            session.ip = ip_address("127.0.0.1")
