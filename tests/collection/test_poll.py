"""One poll of one mailbox: what stands in the inboxes, what is recorded, and what is left on the server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.collection import Collector
from relay.collection.poll import MOST_SAID
from relay.collection.receiver import Receiver
from relay.demo.provider import PASSWORD, Mailbox
from relay.model.errors import SourceError, StorageError, StorageFullError
from relay.model.maildrop import Listed, PollResult
from relay.pop_poller import PopPoller
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.mailboxes import Mailboxes
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until
from tests.peers.relay_process import ANNA, write_config

DAY = 86_400_000
BERT = {"name": "bert", "address": "bert@example.com"}


class Post:
    """A mailbox, an office that collects it, and a clock."""

    def __init__(self, folder: Path, port: int, mailboxes: Mailboxes, queue: Queue) -> None:
        self.folder = folder
        self.port = port
        self.now = 1_780_000_000_000
        self.seconds = 0.0
        self.users = [ANNA, BERT]
        self.configure()
        self.runtime = Runtime(
            settings=lambda: self.settings, queue=queue, now=lambda: self.now, monotonic=lambda: self.seconds
        )
        self.collector = Collector(self.runtime, mailboxes)

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
        path = write_config(self.folder, accounts=[account], users=self.users)
        self.settings = load_settings(path)

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
        yield Post(folder, port, Mailboxes(engine, writer), Queue(engine, writer))
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


@pytest.mark.parametrize("other", [{"host": "localhost"}, {"username": "U"}, {"username": "other"}])
async def test_a_mailbox_by_another_name_is_the_same_while_one_known_message_is_there(
    mailbox: Mailbox, post: Post, other: dict[str, str]
) -> None:
    how = {"leave_on_server": True, "first_poll": "new"}
    mailbox.mails = [mail(1)]
    post.configure(**how)
    await post.poll()
    mailbox.mails.append(mail(2))
    post.configure(**how, **other)
    await post.poll()
    mailbox.mails.append(mail(3))
    post.configure(**how)
    await post.poll()
    assert sorted(one.split(b"Subject: ")[1][:1] for one in post.inbox()) == [b"2", b"3"]


async def test_what_came_between_is_not_left_out_where_all_that_was_known_has_been_deleted(
    mailbox: Mailbox, post: Post
) -> None:
    post.configure(first_poll="new")
    await post.poll()
    for n, host in enumerate(["127.0.0.1", "localhost", "127.0.0.1", "LOCALHOST."]):
        mailbox.mails.append(mail(n))
        post.configure(first_poll="new", host=host)
        assert (await post.poll()).deleted == 1
    assert len(post.inbox()) == 4


async def test_another_mailbox_begins_anew(mailbox: Mailbox, post: Post) -> None:
    post.configure(leave_on_server=True)
    mailbox.mails = [mail(1)]
    await post.poll()
    mailbox.mails = [mail(2), mail(3)]
    post.configure(leave_on_server=True, host="localhost", first_poll="new")
    assert (await post.poll()).fetched == 0
    post.configure(host="localhost", first_poll="new")
    assert (await post.poll()).deleted == 0


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


def listing(count: int, size: int) -> str:
    """Write the begin of a session that lists so many messages."""
    listed = "".join(f"S: {n} {size}\n" for n in range(1, count + 1))
    ids = "".join(f"S: {n} id-{n}\n" for n in range(1, count + 1))
    return f"{IN}{listed}S: .\nC: UIDL\nS: +OK\n{ids}S: .\n"


@pytest.mark.parametrize("count", [MOST_SAID, MOST_SAID + 1, 100])
@pytest.mark.parametrize("breaks", [False, True])
async def test_a_server_that_gives_nothing_cant_fill_the_log(tmp_path: Path, count: int, *, breaks: bool) -> None:
    refused = "".join(f"C: RETR {n}\nS: -ERR no\n" for n in range(1, count + 1))
    end = f"C: RETR {count + 1}\n! close" if breaks else "C: QUIT\nS: +OK"
    script = listing(count + breaks, 9) + refused + end
    async with Dialogue(script) as server, open_post(tmp_path, server.port) as post:
        with capture_logs() as lines, pytest.raises(SourceError) if breaks else nullcontext():
            await post.poll()
    named = [line["uidl"] for line in lines if line["event"] == "mail_not_given"]
    assert named == [f"id-{n}" for n in range(1, MOST_SAID + 1)]
    rest = [(line["of"], line["count"]) for line in lines if line["event"] == "poll_lines_omitted"]
    assert rest == ([("mail_not_given", count - MOST_SAID)] if count > MOST_SAID else [])
    assert all(line["account"] for line in lines)


async def test_what_is_logged_while_the_last_batch_ends_is_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Receiver.close

    async def end_late(receiver: Receiver) -> None:
        for _ in range(MOST_SAID + 5):
            receiver._may_log("mail_not_written")
        await close(receiver)

    monkeypatch.setattr(Receiver, "close", end_late)
    async with Dialogue(listing(1, 9) + "! close") as server, open_post(tmp_path, server.port) as post:
        with capture_logs() as lines, pytest.raises(SourceError):
            await post.poll()
    assert [line["count"] for line in lines if line["event"] == "poll_lines_omitted"] == [5]


async def test_a_mailbox_full_of_what_is_too_large_cant_fill_the_log(tmp_path: Path) -> None:
    async with (
        Dialogue(listing(100, 999_999_999_999) + "C: QUIT\nS: +OK") as server,
        open_post(tmp_path, server.port) as post,
    ):
        with capture_logs() as lines:
            assert (await post.poll()).left == 100
    events = [line["event"] for line in lines]
    assert events == ["mail_left"] * MOST_SAID + ["poll_lines_omitted"]
    assert lines[-1]["count"] == 100 - MOST_SAID


async def test_a_session_that_breaks_keeps_what_was_whole_and_deletes_nothing(tmp_path: Path) -> None:
    first = TWO + "C: RETR 1\nS: +OK\nS: one\nS: .\nC: RETR 2\nS: +OK\nS: half\n! close"
    second = TWO + "C: RETR 2\nS: +OK\nS: two\nS: .\nC: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK"
    async with Dialogue(first, second) as server, open_post(tmp_path, server.port) as post:
        with pytest.raises(SourceError):
            await post.poll()
        assert [one.split(b"\n")[1] for one in post.inbox()] == [b"one"]
        await post.poll()
        assert sorted(one.split(b"\n")[1] for one in post.inbox()) == [b"one", b"two"]


async def test_without_unique_ids_mail_can_not_be_left(tmp_path: Path) -> None:
    script = IN + "S: 1 9\nS: .\nC: UIDL\nS: -ERR\n"
    fetch = "C: RETR 1\nS: +OK\nS: one\nS: .\nC: DELE 1\nS: +OK\nC: QUIT\n"
    sessions = (script + "! silence", script + fetch + "! close", script + fetch + "S: +OK")
    async with Dialogue(*sessions) as server, open_post(tmp_path, server.port) as post:
        post.configure(leave_on_server=True)
        with pytest.raises(SourceError, match="UIDL"):
            await post.poll()
        post.configure()
        with pytest.raises(SourceError, match="quit"):
            await post.poll()
        await post.poll()
        assert len(post.inbox()) == 1


MANY = IN + "".join(f"S: {n} 9\n" for n in range(1, 4)) + "S: .\nC: UIDL\nS: +OK\n"
THREE = MANY + "".join(f"S: {n} id{n}\n" for n in range(1, 4)) + "S: .\n"


def given(*numbers: int) -> str:
    return "".join(f"C: RETR {n}\nS: +OK\nS: mail {n}\nS: .\n" for n in numbers)


def deleted(*numbers: int) -> str:
    return "".join(f"C: DELE {n}\nS: +OK\n" for n in numbers) + "C: QUIT\nS: +OK"


async def test_a_message_that_is_larger_than_was_listed_ends_one_poll_and_no_other(tmp_path: Path) -> None:
    first = THREE + given(1) + "C: RETR 2\nS: +OK\n" + f"S: {'x' * 900}\n" * 3 + "! silence"
    second = THREE + given(3) + deleted(1, 3)
    async with Dialogue(first, second) as server, open_post(tmp_path, server.port) as post:
        post.configure(max_message_size="1 KiB")
        with pytest.raises(SourceError, match="max_message_size"):
            await post.poll()
        result = await post.poll()
    assert (result.fetched, result.left, result.deleted) == (1, 1, 2)
    assert list((tmp_path / "inboxes/anna/tmp").iterdir()) == []


async def test_a_message_at_which_the_session_breaks_comes_last_and_then_more_and_more_seldom(tmp_path: Path) -> None:
    breaks = "C: RETR 1\nS: +OK\nS: half\n! close"
    scripts = [
        THREE + breaks,
        THREE + given(2, 3) + breaks,
        THREE + deleted(2, 3),
        IN + "S: 1 9\nS: .\nC: UIDL\nS: +OK\nS: 1 id1\nS: .\n" + given(1) + deleted(1),
    ]
    async with Dialogue(*scripts) as server, open_post(tmp_path, server.port) as post:
        for _ in range(2):
            with pytest.raises(SourceError):
                await post.poll()
        assert [(r.fetched, r.left, r.deleted) for r in [await post.poll(), await post.poll()]] == [
            (0, 1, 2),
            (1, 0, 1),
        ]


async def test_a_disk_that_becomes_full_in_the_middle_ends_the_poll(mailbox: Mailbox, post: Post) -> None:
    mailbox.mails = [mail(1, body=b"x" * 3_000_000 + b"\r\n")]
    looks = iter([True, True, False])

    class Room:
        """A disk that other programs fill."""

        def has(self, _octets: int) -> bool:
            return next(looks)

    post.collector._disk = Room()  # type: ignore[assignment]
    with pytest.raises(StorageFullError):
        await post.poll()
    assert (post.inbox(), len(mailbox.mails)) == ([], 1)


async def test_what_does_not_fit_is_left_and_the_rest_comes(tmp_path: Path) -> None:
    huge = IN + "S: 1 900000000000000000\nS: 2 9\nS: .\nC: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: .\n"
    async with Dialogue(huge + given(2) + deleted(2)) as server, open_post(tmp_path, server.port) as post:
        account = post.settings.directory.accounts[0]
        assert account.pop3 is not None
        account = replace(account, pop3=replace(account.pop3, max_message_size=1 << 62))
        with capture_logs() as lines:
            result = await post.collector.poll(account, lambda *_: None)
    assert (result.fetched, result.left) == (1, 1)
    assert ["room" in line["reason"] for line in lines if line["event"] == "mail_left"] == [True]


@pytest.mark.parametrize("linked", ["bert", "bert/new", "bert/tmp", "bert/cur"])
async def test_a_linked_inbox_is_not_written_into_and_the_poll_goes_on(
    mailbox: Mailbox, post: Post, linked: str
) -> None:
    post.configure(distribute=True)
    elsewhere = post.folder / "elsewhere"
    for name in ("tmp", "new", "cur"):
        (elsewhere / name).mkdir(parents=True)
    link = post.folder / "inboxes" / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    mailbox.mails = [mail(1, "bert@example.com"), mail(2, "anna@example.com")]
    with capture_logs() as lines:
        assert (await post.poll()).fetched == 2
    assert [f"{link}: it is a link" in line["reason"] for line in lines if line["event"] == "mail_quarantined"] == [
        True
    ]
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []
    assert (len(post.inbox()), len(list((post.folder / "quarantine/new").iterdir()))) == (1, 1)


async def test_a_poll_that_is_cancelled_in_the_middle_of_a_large_message_leaves_nothing_behind(tmp_path: Path) -> None:
    body = f"S: {'x' * 900_000}\n" * 3
    async with (
        Dialogue(TWO + f"C: RETR 1\nS: +OK\n{body}! silence") as server,
        open_post(tmp_path, server.port) as post,
    ):
        polling = asyncio.create_task(post.poll())
        tmp = tmp_path / "inboxes/anna/tmp"
        await until(lambda: tmp.exists() and any(tmp.iterdir()))
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        assert list(tmp.iterdir()) == []
    assert post.inbox() == []


async def test_an_echoed_password_is_in_no_log_and_no_database(tmp_path: Path) -> None:
    echo = "secret-word AHUAc2VjcmV0LXdvcmQ="
    steps = [
        f"S: -ERR {echo}\n! close",
        IN.replace("S: +OK\nC: CAPA\nS: -ERR\nC: LIST", f"S: -ERR {echo}\n! close", 1),
        f"{IN}S: 1 {echo}\nS: .\nC: UIDL\nS: -ERR {echo}\n! close",
        IN + f"S: 1 9\nS: 2 9\nS: .\nC: UIDL\nS: +OK {echo}\nS: 1 a-{echo}\nS: 2 b-{echo}\nS: .\n"
        f"C: RETR 1\nS: +OK {echo}\nS: one\nS: .\nC: RETR 2\nS: -ERR {echo}\nC: DELE 1\nS: -ERR {echo}\n"
        f"C: QUIT\nS: -ERR {echo}\n! close",
    ]
    async with Dialogue(*steps) as server, open_post(tmp_path, server.port) as post:
        post.configure(password="secret-word")
        poller = PopPoller(post.runtime, post.collector)
        with capture_logs() as lines:
            told = [await poller.poll_now(post.settings.directory.accounts, lambda _: lambda *_: None) for _ in steps]
    assert {"poll_failed", "mail_received", "mail_not_given"} == {line["event"] for line in lines}
    stored = _database(tmp_path)
    for secret in echo.split():
        assert secret not in repr(lines)
        assert secret not in repr(told)
        assert secret.encode() not in stored


def _database(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("relay.db*") if path.is_file())


async def test_a_message_at_which_we_fail_keeps_no_other_away(
    mailbox: Mailbox, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.mails = [mail(n) for n in range(3)]
    real = Receiver.receive

    async def fail(self: Receiver, message: Listed, body: AsyncIterator[bytes]) -> None:
        if message.n == 2:
            raise ZeroDivisionError("a fault of ours")
        await real(self, message, body)

    monkeypatch.setattr(Receiver, "receive", fail)
    with pytest.raises(ZeroDivisionError):
        await post.poll()
    assert len(post.inbox()) == 1
