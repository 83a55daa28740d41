"""What a poll is given and what it is limited to: its settings, its time, and the room on the disk."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.demo.provider import Mailbox
from relay.model.errors import SourceError, StorageFullError
from tests.collection.test_poll import THREE, TWO, Post, deleted, given, mail, mailbox, open_post, post
from tests.peers.dialogue import Dialogue

__all__ = ["mailbox", "post"]


async def test_a_full_disk_asks_for_nothing_and_the_mail_stays(mailbox: Mailbox, post: Post) -> None:
    mailbox.mails = [mail(1)]
    settings = post.settings
    post.settings = replace(settings, limits=replace(settings.limits, free_space=1 << 62))
    with pytest.raises(StorageFullError, match="free_space"):
        await post.poll()
    assert (mailbox.sessions, mailbox.mails) == (0, [mail(1)])
    post.settings = settings
    post.collector._disk._looked = -1.0
    assert (await post.poll()).fetched == 1


async def test_a_poll_has_an_end(tmp_path: Path) -> None:
    async with (
        Dialogue(TWO + "C: RETR 1\nS: +OK\nS: half\n! silence") as server,
        open_post(tmp_path, server.port) as post,
    ):
        post.collector._longest = 0.1
        with pytest.raises(SourceError, match="did not end within"):
            await post.poll()
    assert post.inbox() == []


async def test_in_its_second_half_a_poll_asks_for_no_more_and_deletes_what_it_has(tmp_path: Path) -> None:
    async with Dialogue(THREE + given(1) + deleted(1)) as server, open_post(tmp_path, server.port) as post:

        def tell(_done: int, _of: int) -> None:
            post.seconds = 1801

        result = await post.collector.poll(post.settings.directory.accounts[0], tell)
    assert (result.fetched, result.left, result.deleted) == (1, 2, 1)


async def test_a_message_that_is_too_large_is_left_and_said_once(mailbox: Mailbox, post: Post) -> None:
    post.configure(max_message_size="1 KiB")
    mailbox.mails = [mail(1, body=b"x" * 2000 + b"\r\n"), mail(2)]
    with capture_logs() as lines:
        results = [await post.poll() for _ in range(2)]
    assert [(r.fetched, r.left, r.deleted) for r in results] == [(1, 1, 1), (0, 1, 0)]
    assert ["max_message_size" in line["reason"] for line in lines if line["event"] == "mail_left"] == [True]
    post.configure(max_message_size="1 MiB")
    assert (await post.poll()).fetched == 1
