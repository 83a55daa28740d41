"""The hooks: aiosmtpd calls each of them, and a session costs little although aiosmtpd looks for them each time.

The transaction: what MAIL and RCPT gather, and what ends it.
"""

import inspect
from typing import Any

import pytest

from relay.intake.handler import Handler
from relay.intake.session import SmtpSession
from relay.model.address import Address
from relay.model.envelope import DsnOptions
from tests.intake.conftest import open_listener

LIVE = b"250 2.9.9 live"
DIALOGUES = {
    "handle_HELO": ["HELO x"],
    "handle_EHLO": ["EHLO x"],
    "handle_MAIL": ["MAIL FROM:<s@x.example>"],
    "handle_RCPT": ["MAIL FROM:<s@x.example>", "RCPT TO:<a@x.example>"],
    "handle_RSET": ["RSET"],
    "handle_NOOP": ["NOOP"],
    "handle_VRFY": ["VRFY anna"],
    "handle_QUIT": ["QUIT"],
    "handle_AUTH": ["AUTH PLAIN x"],
}


def test_all_hooks_are_tried() -> None:
    assert sorted(DIALOGUES) == [name for name in dir(Handler) if name.startswith("handle_")]


@pytest.mark.parametrize("name", DIALOGUES)
async def test_each_hook_is_live(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hook(*_: object) -> Any:  # noqa: ANN401 - as the hooks
        return [LIVE] if name == "handle_EHLO" else LIVE

    async with open_listener() as running:
        handler = running.server._handler
        hook.__signature__ = inspect.signature(getattr(handler, name))  # type: ignore[attr-defined]
        first = await running.greeted()
        await first.say("QUIT")
        monkeypatch.setattr(handler, name, hook)
        client = await running.connect()
        await client.read()
        if name not in ("handle_EHLO", "handle_HELO"):
            await client.hello()
        assert await client.say(*DIALOGUES[name]) == LIVE.decode()


async def test_aiosmtpd_finds_the_verbs_the_mechanisms_and_the_hooks_and_looks_at_nothing_else() -> None:
    async with open_listener() as running:
        await running.greeted()
        (session,) = running.server._context.sessions
        assert isinstance(session, SmtpSession)
        verbs = {name.removeprefix("smtp_") for name in dir(SmtpSession) if name.startswith("smtp_")}
        assert set(session._smtp_methods) == verbs
        assert {"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "STARTTLS", "AUTH"} <= verbs
        assert set(session._auth_methods) == {"LOGIN", "PLAIN"}
        assert {f"handle_{name}" for name in session._handle_hooks} == set(DIALOGUES)
        assert session._ehlo_hook_ver == "new"
        for one in (session, session.event_handler):
            assert all(name.startswith(("smtp_", "auth_", "handle_")) for name in dir(one))


async def test_the_envelope_is_what_was_said() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.say(
            "MAIL FROM:<s@x.example> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q1",
            "RCPT TO:<a@x.example>", "RCPT TO:<ü@x.example> NOTIFY=NEVER", "DATA",
        )  # fmt: skip
        await client.send(b"\r\n.\r\n")
        await client.read()
        envelope = running.mail.envelope
        assert envelope.recipients == (Address(local="a", domain="x.example"), Address(local="ü", domain="x.example"))
        assert envelope.dsn_options == (DsnOptions(), DsnOptions(notify="NEVER"))
        assert (envelope.smtputf8, envelope.ret, envelope.envelope_id) == (True, "HDRS", "q1")


async def test_each_mail_begins_anew() -> None:
    async with open_listener() as running:
        client = await running.greeted()
        await client.say("MAIL FROM:<s@x.example>", "RCPT TO:<a@x.example> NOTIFY=NEVER", "RSET")
        assert (await client.say("DATA")).startswith("503")
        await client.begin("b@x.example")
        await client.send(b"\r\n.\r\n")
        await client.read()
        assert [one.local for one in running.mail.envelope.recipients] == ["b"]
        assert running.mail.envelope.dsn_options == ()
        assert (await client.say("RCPT TO:<c@x.example>")).startswith("503")


async def test_a_mail_that_finds_no_room_is_over() -> None:
    async with open_listener(limits={"bytes_in_flight": 100}) as running:
        client = await running.greeted()
        for _ in range(2):
            assert (await client.begin()).startswith("452 4.3.1")
        assert running.server._context.quiet.is_set()
        assert running.budget._free == 100
