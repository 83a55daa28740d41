"""The transaction: what MAIL and RCPT gather, and what ends it."""

from relay.model.address import Address
from relay.model.envelope import DsnOptions
from tests.intake.conftest import open_listener


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
