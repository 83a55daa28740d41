"""What is remembered of a mail that was collected: beside the unique id, once, and whatever the process dies of."""

import os
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from relay.demo.provider import Mailbox
from relay.model.errors import StorageError
from relay.model.maildrop import Arrival, Place
from relay.storage import arrivals
from relay.storage.engine import open_engine, transaction
from relay.storage.statement import Statement
from relay.storage.tables import arrival
from tests.collection.test_poll import IN, Post, mail, mailbox, open_post, post
from tests.peers.dialogue import Dialogue

__all__ = ["mailbox", "post"]


def rows(folder: Path) -> list[Arrival]:
    with transaction(open_engine(f"sqlite:///{folder}/relay.db", create=False), write=False) as tx:
        return [arrivals.read_arrival(row) for row in tx.records(Statement(select(arrival).order_by(arrival.c.id)))]


def lines_of(lines: Sequence[MutableMapping[str, Any]], event: str) -> list[MutableMapping[str, Any]]:
    return [line for line in lines if line["event"] == event]


async def test_each_users_copy_is_remembered_with_what_people_look_for(mailbox: Mailbox, post: Post) -> None:
    post.configure(distribute=True)
    header = (
        b"From: =?utf-8?q?M=C3=BCller?= <m@kunde.example>\r\nTo: a.schmidt@example.com, bert@example.com\r\n"
        b"Message-ID: <4711@kunde.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe=0D=0AX?=\r\n"
    )
    mailbox.mails = [header + b"\r\nhello\r\n"]
    with capture_logs() as lines:
        result = await post.poll()
    anna, bert = rows(post.folder)
    assert (anna.user, anna.address, bert.user, bert.address) == (
        "anna", "a.schmidt@example.com", "bert", "bert@example.com",
    )  # fmt: skip
    assert anna.why == "a.schmidt@example.com stands in To, Cc, Bcc or Resent-*."
    assert anna.mail == bert.mail
    for one in (anna, bert):
        assert (one.at, one.account, one.place, one.reason) == (post.now, "sales", Place.INBOX, "")
        assert (one.header_message_id, one.sender) == ("<4711@kunde.example>", "Müller <m@kunde.example>")
        assert one.subject == "Grüße X"
        assert (post.folder / "inboxes" / one.user / "new" / one.file).exists()
    (said,) = lines_of(lines, "mail_received")
    assert (said["queue_id"], said["users"], said["uidl"]) == (anna.id, ["anna", "bert"], anna.uidl)
    assert not [line for line in lines if "Gr" in str(line)]
    assert result.ids == (anna.id,)


async def test_a_mail_without_header_fields_is_remembered_too(mailbox: Mailbox, post: Post) -> None:
    mailbox.mails = [b"\r\nonly a body \xff\x00\r\n", b"Subject: \x00\xff\xed\xa0\x80\r\nFrom: \x00@\r\n\r\n"]
    await post.poll()
    assert [(one.header_message_id, one.why) for one in rows(post.folder)] == [
        ("", "The mailbox of 'sales' belongs to anna.")
    ] * 2


async def test_what_is_in_the_quarantine_is_said_and_remembered(mailbox: Mailbox, post: Post) -> None:
    post.configure(distribute=True)
    (post.folder / "inboxes").mkdir()
    (post.folder / "inboxes/bert").write_text("in the way")
    mailbox.mails = [mail(1, "anna@example.com, bert@example.com"), mail(2, "bert@example.com"), mail(3)]
    with capture_logs() as lines:
        result = await post.poll()
    reason = f"inbox {post.folder}/inboxes/bert: Not a directory"
    assert (result.fetched, result.quarantined, result.reasons) == (3, 2, {"bert": reason})
    kept = [one for one in rows(post.folder) if one.place is Place.QUARANTINE]
    assert [(one.user, one.reason) for one in kept] == [("bert", reason)] * 2
    assert {one.file for one in kept} == {path.name for path in (post.folder / "quarantine/new").iterdir()}
    said = lines_of(lines, "mail_quarantined")
    told = {(line["queue_id"], line["user"], line["file"]) for line in said}
    assert told == {(one.id, "bert", one.file) for one in kept}
    # Nobody is said to have what he has not.
    assert [line["users"] for line in lines_of(lines, "mail_received")] == [["anna"], ["anna"]]


async def test_a_mail_whose_file_another_removes_stays_on_the_server_and_the_others_come(
    mailbox: Mailbox, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.configure(distribute=True)
    mailbox.mails = [mail(1, "anna@example.com"), mail(2, "bert@example.com"), mail(3, "anna@example.com")]
    link = os.link

    def spoil(source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        for path in (post.folder / "inboxes/bert/tmp").iterdir():
            path.unlink()
        link(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(os, "link", spoil)
        result = await post.poll()
    assert (result.fetched, result.failed, result.deleted) == (2, 1, 2)
    (said,) = lines_of(lines, "mail_not_written")
    assert said["reason"].endswith("inboxes/bert/tmp: the file of a mail was removed while it was written")
    assert [one.user for one in rows(post.folder)] == ["anna", "anna"]
    result = await post.poll()
    assert (result.fetched, result.failed, result.deleted) == (1, 0, 1)
    assert sorted(one.user for one in rows(post.folder)) == ["anna", "anna", "bert"]


@pytest.mark.parametrize("read", [True, False])
async def test_a_process_that_dies_between_link_and_commit_leaves_one_row_in_the_end(
    mailbox: Mailbox, post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, read: bool
) -> None:
    post.configure(leave_on_server=True)
    mailbox.mails = [mail(1)]

    def die(*_: object) -> None:
        raise RuntimeError("dead")

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "insert", die)
        with pytest.raises(StorageError):
            await post.poll()
    assert (rows(tmp_path), len(post.inbox())) == ([], 1)
    if read:
        (file,) = (tmp_path / "inboxes/anna/new").iterdir()
        file.rename(tmp_path / "inboxes/anna/cur" / f"{file.name}:2,S")
    async with open_post(tmp_path, mailbox.port) as again:
        again.configure(leave_on_server=True)
        assert (await again.poll()).fetched == 1
        assert (await again.poll()).fetched == 0
    (one,) = rows(tmp_path)
    assert len([*(tmp_path / "inboxes/anna").glob(f"???/{one.file}*")]) == 1


async def test_a_server_without_unique_ids_that_gives_a_mail_again_makes_no_second_row(tmp_path: Path) -> None:
    script = IN + "S: 1 9\nS: .\nC: UIDL\nS: -ERR\n"
    fetch = "C: RETR 1\nS: +OK\nS: one\nS: .\nC: DELE 1\nS: +OK\nC: QUIT\n"
    sessions = (script + fetch + "! close", script + fetch + "S: +OK")
    async with Dialogue(*sessions) as server, open_post(tmp_path, server.port) as post:
        with pytest.raises(Exception, match="quit"):
            await post.poll()
        post.now += 1
        with capture_logs() as lines:
            await post.poll()
    (one,) = rows(tmp_path)
    assert one.uidl.startswith("sha256-")
    assert [line["queue_id"] for line in lines_of(lines, "mail_received")] == [one.id]
