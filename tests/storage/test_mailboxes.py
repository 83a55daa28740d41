import asyncio

from sqlalchemy import Engine

from relay.model.maildrop import Mailbox, Seen
from relay.storage.mailboxes import Mailboxes, list_mailboxes
from relay.storage.writer import Writer
from tests.storage.conftest import NOW


async def test_a_mailbox_begins_anew_where_its_host_or_login_changed(engine: Engine) -> None:
    writer = Writer(engine)
    mailboxes = Mailboxes(engine, writer)
    assert await mailboxes.find("sales") is None
    await mailboxes.begin("sales", "one.example", "u", skip=["old"], now=NOW)
    await mailboxes.record("sales", ["a", "b"], now=NOW + 1)
    await mailboxes.record("sales", ["a"], now=NOW + 9)
    assert await mailboxes.seen("sales") == {
        "old": Seen(first_seen=NOW, fetched=False), "a": Seen(first_seen=NOW + 1), "b": Seen(first_seen=NOW + 1),
    }  # fmt: skip
    assert await mailboxes.seen("other") == {}
    await mailboxes.begin("sales", "two.example", "u", skip=(), now=NOW)
    assert await mailboxes.seen("sales") == {}
    assert await mailboxes.find("sales") == Mailbox(account="sales", host="two.example", login="u")
    await writer.close()


async def test_listings_and_ends_are_noted(engine: Engine) -> None:
    writer = Writer(engine)
    mailboxes = Mailboxes(engine, writer)
    await mailboxes.end("sales", now=NOW, error="connect: refused\x00")
    assert list_mailboxes(engine)["sales"].error == "connect: refused\ufffd"
    await mailboxes.begin("sales", "one.example", "u", skip=(), now=NOW)
    await mailboxes.record("sales", ["a", "b", "c"], now=NOW)
    await mailboxes.note_listing("sales", gone=["a", "b"], back=(), forget=(), now=NOW + 5)
    await mailboxes.note_listing("sales", gone=(), back=["b"], forget=["a"], now=NOW + 6)
    assert await mailboxes.seen("sales") == {"b": Seen(first_seen=NOW), "c": Seen(first_seen=NOW)}
    await asyncio.gather(
        mailboxes.end("sales", now=NOW + 7), mailboxes.note_listing("sales", gone=(), back=(), forget=(), now=NOW)
    )
    assert list_mailboxes(engine)["sales"].last_ok == NOW + 7
    await writer.close()
