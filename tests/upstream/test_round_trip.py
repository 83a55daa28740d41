"""One mail goes to the provider and comes back; no other mail of the mailbox is touched, whatever happens."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from relay.accounts.credentials import Credentials
from relay.demo.provider import PASSWORD, Mailbox
from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.secret import Secret
from relay.upstream.course import Step
from relay.upstream.round_trip import WAITS, Way, go_round
from tests.peers.credentials import key
from tests.peers.dialogue import Dialogue
from tests.peers.machine import free_port

TOKEN = "relay-test-0123456789abcdef"
ACCOUNT = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna")
HELLO = "S: 220 hi\nC: EHLO .*\nS: 250 x\n"
ENVELOPE = f"{HELLO}C: MAIL FROM:<sales@example.com>.*\nS: 250 ok\nC: RCPT TO:<sales@example.com>\nS: 250 ok\n"
BODY = f"{ENVELOPE}C: DATA\nS: 354 go\nC. {TOKEN}\n"
BYE = "C: QUIT\nS: 221 bye"
OTHERS = [b"Subject: one\r\n\r\nhello\r\n", f"Subject: two\r\n\r\n({TOKEN})\r\n".encode()]


def as_it_was(mail: bytes) -> bytes:
    return b"Received: by mx\r\n" + mail


@asynccontextmanager
async def provider(script: str, **collecting: object) -> AsyncIterator[tuple[Way, Dialogue, Mailbox]]:
    async with Dialogue(script) as server:
        mailbox = Mailbox()
        mailbox.mails = list(OTHERS)
        await mailbox.start()
        values = {"port": mailbox.port, "username": "u", "password": Secret(value=PASSWORD), **collecting}
        pop3 = Pop3Server(host="127.0.0.1", security=Security.NONE, **values)  # type: ignore[arg-type]
        smtp = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE)
        collects = Credentials(key).of(pop3)
        try:
            yield (
                Way(account=ACCOUNT, smtp=smtp, sends=None, pop3=pop3, collects=collects, hostname="x.example"),
                server,
                mailbox,
            )
        finally:
            await mailbox.close()


async def go(
    way: Way, server: Dialogue, mailbox: Mailbox, *, at: int = 1, change: Callable[[bytes], bytes] = as_it_was
) -> tuple[list[Step], list[float]]:
    """Let the mail arrive before the so manyth look; gives the steps, and how long was waited for each look."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == at:
            mailbox.mails.append(change(server.data[0].replace(b"\r\n..", b"\r\n.")))

    return await go_round(way, TOKEN, tell=lambda _: None, sleep=sleep), waited


@pytest.mark.parametrize("at", [1, 2])
async def test_the_mail_comes_back_as_it_was_and_is_deleted_alone(at: int) -> None:
    async with provider(f"{BODY}S: 250 2.0.0 queued\n{BYE}") as (way, server, mailbox):
        steps, waited = await go(way, server, mailbox, at=at)
    assert [(step.name, step.good, step.warns) for step in steps] == [
        ("send a mail to sales@example.com", True, False),
        ("fetch it back", True, False),
        ("what came back", True, False),
    ]
    assert steps[0].text == "250 2.0.0 queued"
    assert steps[2].text == "as it was sent"
    assert tuple(waited) == WAITS[:at]
    assert mailbox.mails == OTHERS
    assert mailbox.sessions == at


async def test_what_changed_is_told_without_the_password() -> None:
    def change(mail: bytes) -> bytes:
        return mail.replace(b"From: <sales@", b"From: <info@")

    async with provider(f"{BODY}S: 250 ok\n{BYE}") as (way, server, mailbox):
        steps, _ = await go(way, server, mailbox, change=change)
        assert steps[-1].warns
        assert "From was '<sales@example.com>' and is '<info@example.com>'." in steps[-1].text
        assert "provider's settings for the sender" in steps[-1].advice
    async with provider(f"{BODY}S: 250 ok\n{BYE}") as (way, server, mailbox):
        steps, _ = await go(
            way, server, mailbox, change=lambda mail: mail.replace(b"From: <sales@", f"From: <{PASSWORD}@".encode())
        )
        assert steps[-1].warns
        assert PASSWORD not in steps[-1].text


async def test_a_mail_that_never_comes_is_told_and_others_stay() -> None:
    async with provider(f"{BODY}S: 250 ok\n{BYE}") as (way, server, mailbox):
        steps, waited = await go(way, server, mailbox, at=99)
    assert (steps[-1].name, steps[-1].good) == ("fetch it back", False)
    assert TOKEN in steps[-1].advice
    assert "inbox of anna" in steps[-1].advice
    assert tuple(waited) == WAITS
    assert mailbox.mails == OTHERS


async def test_a_provider_that_wants_to_be_asked_seldom_is_not_asked_again() -> None:
    async with provider(f"{BODY}S: 250 ok\n{BYE}", interval=900_000) as (way, server, mailbox):
        steps, waited = await go(way, server, mailbox)
    assert (steps[-1].name, steps[-1].good, steps[-1].warns) == ("fetch it back", True, True)
    assert "every 15 min" in steps[-1].text
    assert TOKEN in steps[-1].advice
    assert (mailbox.sessions, waited) == (0, [])


async def test_what_a_provider_is_known_to_want_counts_as_well() -> None:
    async with provider(f"{BODY}S: 250 ok\n{BYE}") as (way, server, mailbox):
        known = replace(way, account=replace(ACCOUNT, preset="web.de"))
        steps, waited = await go(known, server, mailbox)
    assert "every 15 min" in steps[-1].text
    assert (mailbox.sessions, waited) == (0, [])


@pytest.mark.parametrize(
    ("script", "text", "advice"),
    [
        (f"{BODY}S: 554 5.2.252 SendAsDenied; u not allowed to send as sales\n{BYE}", "554 5.2.252", "send as"),
        (f"{BODY}S: 430 4.2.0 STOREDRV; mailbox logon failure\n{BYE}", "430 4.2.0", ""),
        (f"{ENVELOPE}C: DATA\nS: 451 4.3.0 later\nC: RSET\nS: 250 ok\n{BYE}", "451 4.3.0", "some minutes"),
        (f"{BODY}S: 554 5.9.9 no\n{BYE}", "554 5.9.9", "Ask the provider"),
        (f"{BODY}! close", "clos", "some minutes"),
        ("S: 554 5.7.1 no\n! silence", "554 5.7.1", "some minutes"),
    ],
)
async def test_a_mail_that_is_refused_is_not_waited_for(script: str, text: str, advice: str) -> None:
    async with provider(script) as (way, server, mailbox):
        steps, waited = await go(way, server, mailbox)
    (step,) = steps
    assert not step.good
    assert text in step.text
    assert advice in step.advice
    assert step.advice
    assert not waited
    assert mailbox.sessions == 0


async def test_a_mailbox_that_says_no_is_told() -> None:
    async with provider(f"{BODY}S: 250 ok\n{BYE}", password=Secret(value="of-yesterday")) as (way, server, mailbox):
        steps, waited = await go(way, server, mailbox)
        assert (steps[-1].name, steps[-1].good) == ("fetch it back", False)
        assert len(waited) == 1  # it is not tried again
    async with provider(f"{BODY}S: 250 ok\n{BYE}") as (way, server, mailbox):
        gone = replace(way, pop3=replace(way.pop3, port=free_port()))
        steps, _ = await go(gone, server, mailbox)
        assert "Connection refused" in steps[-1].text
