"""One poll of one mailbox: what stands in the inboxes, what is recorded, and what is left on the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.collection import Collector, PollResult, make_name
from relay.demo.mailbox import Mailbox
from relay.demo.provider import PASSWORD
from relay.model.errors import StorageError
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.mailboxes import Mailboxes
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.upstream.pop3 import Pop3Error
from tests.peers.dialogue import Dialogue
from tests.peers.relay_process import ANNA, write_config

DAY = 86_400_000
BERT = {"name": "bert", "address": "bert@example.com"}


class Post:
    """A mailbox, an office that collects it, and a clock."""

    def __init__(self, folder: Path, port: int, mailboxes: Mailboxes) -> None:
        self.folder = folder
        self.port = port
        self.now = 1_780_000_000_000
        self.configure()
        self.collector = Collector(settings=lambda: self.settings, mailboxes=mailboxes, now=lambda: self.now)

    def configure(self, **pop3: Any) -> None:  # noqa: ANN401 - keys of [account.pop3]
        table = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "username": "u",
            "password": PASSWORD,
            **pop3,
        }
        account = {"name": "sales", "address": "sales@example.com", "owner": "anna", "pop3": table}
        self.settings = load_settings(write_config(self.folder, accounts=[account], users=[ANNA, BERT]))

    async def poll(self) -> PollResult:
        told: list[tuple[int, int]] = []
        result = await self.collector.poll(self.settings.directory.accounts[0], lambda *news: told.append(news))
        assert told[-1:] in ([], [(result.fetched, result.fetched + result.failed)])
        return result

    def inbox(self, user: str = "anna") -> list[bytes]:
        return [path.read_bytes() for path in sorted((self.folder / "inboxes" / user / "new").glob("*"))]


@asynccontextmanager
async def open_post(folder: Path, port: int) -> AsyncGenerator[Post]:
    engine = open_engine(f"sqlite:///{folder}/relay.db")
    prepare_database(engine)
    writer = Writer(engine)
    try:
        yield Post(folder, port, Mailboxes(engine, writer))
    finally:
        await writer.close()
        engine.dispose()


@pytest.fixture
async def mailbox() -> AsyncGenerator[Mailbox]:
    mailbox = Mailbox()
    await mailbox.start()
    yield mailbox
    await mailbox.close()


@pytest.fixture
async def post(mailbox: Mailbox, tmp_path: Path) -> AsyncGenerator[Post]:
    async with open_post(tmp_path, mailbox.port) as post:
        yield post


def mail(n: int, to: str = "sales@example.com", body: bytes = b"hello\r\n") -> bytes:
    return f"From: x@y.example\r\nTo: {to}\r\nSubject: {n}\r\n\r\n".encode() + body


async def test_mail_is_fetched_once_and_deleted(mailbox: Mailbox, post: Post) -> None:
    mailbox.mails = [mail(1), mail(2, body=b".dot\r\n.\r\n")]
    with capture_logs() as lines:
        result = await post.poll()
    assert (result.fetched, result.failed, result.deleted) == (2, 0, 2)
    top = b"Delivered-To: anna@example.com\n"
    assert sorted(post.inbox()) == sorted(
        top + m.replace(b"\r\n", b"\n") for m in (mail(1), mail(2, body=b".dot\r\n.\r\n"))
    )
    assert mailbox.mails == []
    assert [line["users"] for line in lines if line["event"] == "mail_received"] == [["anna"]] * 2
    assert (await post.poll()).fetched == 0


async def test_mail_that_is_left_is_fetched_once_and_goes_when_its_time_is_over(mailbox: Mailbox, post: Post) -> None:
    post.configure(leave_on_server="14 days")
    mailbox.mails = [mail(1)]
    for _ in range(3):
        await post.poll()
    assert (len(post.inbox()), len(mailbox.mails)) == (1, 1)
    post.now += 14 * DAY
    assert (await post.poll()).deleted == 1
    assert (len(post.inbox()), len(mailbox.mails)) == (1, 0)


async def test_the_first_poll_may_leave_the_old_alone(mailbox: Mailbox, post: Post) -> None:
    post.configure(first_poll="new")
    mailbox.mails = [mail(1)]
    await post.poll()
    mailbox.mails.append(mail(2))
    await post.poll()
    assert len(post.inbox()) == 1
    assert mailbox.mails == [mail(1)]


async def test_another_login_is_another_mailbox(mailbox: Mailbox, post: Post) -> None:
    post.configure(leave_on_server=True)
    mailbox.mails = [mail(1)]
    await post.poll()
    post.configure(leave_on_server=True, username="other", first_poll="new")
    await post.poll()
    post.configure(leave_on_server=True, username="third")
    await post.poll()
    # The same account, id and user have the same name: the inbox knows the mail, whatever the database forgot.
    assert len(post.inbox()) == 1


async def test_what_was_written_but_not_recorded_is_recognised(mailbox: Mailbox, post: Post, tmp_path: Path) -> None:
    mailbox.mails = [mail(1), mail(2)]
    post.configure(leave_on_server=True)
    await post.poll()
    read = next((tmp_path / "inboxes/anna/new").iterdir())
    read.rename(tmp_path / "inboxes/anna/cur" / f"{read.name}:2,S")
    async with open_post(tmp_path, mailbox.port) as again:  # the database is as it was before the commit
        with open_engine(f"sqlite:///{tmp_path}/relay.db").begin() as connection:
            connection.exec_driver_sql("DELETE FROM seen")
        assert (await again.poll()).fetched == 2
    assert len(post.inbox()) == 1
    assert mailbox.mails == []


async def test_a_shared_mailbox_is_distributed_each_with_his_address(mailbox: Mailbox, post: Post) -> None:
    post.configure(distribute=True)
    mailbox.mails = [mail(1, "a.schmidt@example.com, Bert@Example.com"), mail(2, "nobody@example.com")]
    await post.poll()
    assert [one.split(b"\n")[0] for one in post.inbox("bert")] == [b"Delivered-To: Bert@Example.com"]
    assert sorted(one.split(b"\n")[0] for one in post.inbox()) == [
        b"Delivered-To: a.schmidt@example.com",
        b"Delivered-To: anna@example.com",
    ]


async def test_twins_are_both_kept(mailbox: Mailbox, post: Post) -> None:
    mailbox.mails = [mail(1), mail(1), mail(1)]
    assert (await post.poll()).deleted == 3
    assert len(post.inbox()) == 3


async def test_small_and_large_mails_keep_their_bytes(mailbox: Mailbox, post: Post) -> None:
    sizes = [0, 1, 100_000, 1_048_576, 3_000_000]
    mailbox.mails = [mail(n, body=b"y" * size + b"\r\n") for n, size in enumerate(sizes)]
    assert (await post.poll()).fetched == len(sizes)
    assert sorted(len(one.partition(b"\n\n")[2]) for one in post.inbox()) == [size + 1 for size in sizes]


async def test_an_inbox_that_can_not_be_used_sends_the_mail_into_quarantine(mailbox: Mailbox, post: Post) -> None:
    post.configure(distribute=True)
    (post.folder / "inboxes").mkdir()
    (post.folder / "inboxes" / "bert").write_text("in the way")
    mailbox.mails = [mail(1, "bert@example.com"), mail(2, "anna@example.com")]
    with capture_logs() as lines:
        assert (await post.poll()).fetched == 2
    assert [line["user"] for line in lines if line["event"] == "mail_quarantined"] == ["bert"]
    (kept,) = (post.folder / "quarantine" / "new").iterdir()
    assert b"Subject: 1" in kept.read_bytes()
    assert len(post.inbox()) == 1
    assert mailbox.mails == []


async def test_where_the_whole_disk_refuses_the_mail_stays_on_the_server(mailbox: Mailbox, post: Post) -> None:
    (post.folder / "inboxes").write_text("in the way")
    (post.folder / "quarantine").write_text("in the way, too")
    mailbox.mails = [mail(1)]
    with pytest.raises(StorageError):
        await post.poll()
    assert mailbox.mails == [mail(1)]
    (post.folder / "inboxes").unlink()
    assert (await post.poll()).fetched == 1


IN = "S: +OK\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\nS: +OK\nC: CAPA\nS: -ERR\nC: LIST\nS: +OK\n"
TWO = IN + "S: 1 9\nS: 2 9\nS: .\nC: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: .\n"


async def test_one_message_that_is_not_given_stops_no_other(tmp_path: Path) -> None:
    script = TWO + "C: RETR 1\nS: -ERR broken\nC: RETR 2\nS: +OK\nS: two\nS: .\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK"
    async with Dialogue(script) as server, open_post(tmp_path, server.port) as post:
        with capture_logs() as lines:
            result = await post.poll()
        assert (result.fetched, result.failed, result.deleted) == (1, 1, 1)
        assert [line["uidl"] for line in lines if line["event"] == "mail_not_given"] == ["a"]


async def test_a_session_that_breaks_keeps_what_was_whole_and_deletes_nothing(tmp_path: Path) -> None:
    first = TWO + "C: RETR 1\nS: +OK\nS: one\nS: .\nC: RETR 2\nS: +OK\nS: half\n! close"
    second = TWO + "C: RETR 2\nS: +OK\nS: two\nS: .\nC: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK"
    async with Dialogue(first, second) as server, open_post(tmp_path, server.port) as post:
        with pytest.raises(Pop3Error):
            await post.poll()
        # The first one had not been written yet, or was: either way the next poll ends with each of them once.
        kept = len(post.inbox())
        server._scripts[1] = server._scripts[1] if kept else [
            line for line in (TWO + "C: RETR 1\nS: +OK\nS: one\nS: .\n" + second.removeprefix(TWO)).splitlines() if line
        ]  # fmt: skip
        await post.poll()
        assert sorted(one.split(b"\n")[1] for one in post.inbox()) == [b"one", b"two"]


async def test_without_unique_ids_mail_can_not_be_left(tmp_path: Path) -> None:
    script = IN + "S: 1 9\nS: .\nC: UIDL\nS: -ERR\n"
    fetch = "C: RETR 1\nS: +OK\nS: one\nS: .\nC: DELE 1\nS: +OK\nC: QUIT\n"
    sessions = (script + "! silence", script + fetch + "! close", script + fetch + "S: +OK")
    async with Dialogue(*sessions) as server, open_post(tmp_path, server.port) as post:
        post.configure(leave_on_server=True)
        with pytest.raises(Pop3Error, match="UIDL"):
            await post.poll()
        post.configure()
        with pytest.raises(Pop3Error, match="quit"):
            await post.poll()
        await post.poll()
        assert len(post.inbox()) == 1


def test_a_name_depends_on_account_id_and_user() -> None:
    names = {make_name("a", "k", "u"), make_name("b", "k", "u"), make_name("a", "l", "u"), make_name("a", "k", "v")}
    assert len(names) == 4
    assert make_name("a", "k\udc80", "u") == make_name("a", "k\udc80", "u")
