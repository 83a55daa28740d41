"""The whole collection with a source that has folders and validities, as IMAP has; a fake, for no POP3 server has them.

What holds for every source: the order of the calls, what is fetched once, what a new validity means, and when a source
is kept, waited for and closed.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from relay.accounts.credentials import Credentials
from relay.collection import Collector
from relay.model.account import Account
from relay.model.errors import SourceError
from relay.model.maildrop import MessageKey
from relay.pop_poller import LEAST_PAUSE, PopPoller
from relay.storage import arrivals
from relay.storage.engine import open_engine, transaction
from relay.storage.mailboxes import find_seen
from tests.collection.test_poll import Post, mail, open_post
from tests.sources.memory import Folder, MemorySource

POLL = ["list", "retrieve", "mark_collected", "delete", "commit"]


class Office:
    """An office that collects from a source in memory."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.source = MemorySource({"INBOX": Folder("1"), "Lists/a b": Folder("7")})
        self.opened = 0
        self.collector = Collector(post.runtime, post.collector._mailboxes, open_source=self._open)

    def _open(self, _account: Account, _credentials: Credentials) -> MemorySource:
        self.opened += 1
        return self.source

    @property
    def account(self) -> Account:
        return self.post.settings.directory.accounts[0]

    async def poll(self) -> list[bytes]:
        """Poll, and return the subjects of what stands in the inbox."""
        result = await self.collector.poll(self.account, lambda *_: None)
        assert result.failed == 0
        return sorted(one.partition(b"Subject: ")[2].partition(b"\n")[0] for one in self.post.inbox())


@pytest.fixture
async def office(tmp_path: Path) -> AsyncGenerator[Office]:
    async with open_post(tmp_path, 1) as post:
        yield Office(post)


async def test_a_poll_makes_its_calls_in_order_and_deletes_what_it_has_recorded(office: Office) -> None:
    office.source.folders["INBOX"].mails = {"1": mail(1), "2": mail(2)}
    office.source.folders["Lists/a b"].mails = {"1": mail(3)}
    assert await office.poll() == [b"1", b"2", b"3"]
    assert office.source.calls == POLL
    assert {key.folder for key in office.source.read} == {"INBOX", "Lists/a b"}
    assert not any(folder.mails for folder in office.source.folders.values())
    with transaction(open_engine(f"sqlite:///{office.post.folder}/relay.db", create=False), write=False) as tx:
        kept = [arrivals.read_arrival(row) for row in tx.records(arrivals._BY_UIDL, wanted="1", limit=9)]
    assert sorted((one.folder, one.validity) for one in kept) == [("INBOX", "1"), ("Lists/a b", "7")]
    assert await office.poll() == [b"1", b"2", b"3"]
    assert (office.opened, office.source.calls) == (1, POLL * 2)
    found = find_seen(open_engine(f"sqlite:///{office.post.folder}/relay.db", create=False), kept[0])
    assert found is not None
    assert found.gone_at == office.post.now


@pytest.mark.parametrize("step", ["mark_collected", "delete", "commit"])
async def test_what_was_recorded_and_not_deleted_is_deleted_by_the_next_poll_and_not_fetched_again(
    office: Office, step: str
) -> None:
    office.source.folders["INBOX"].mails = {"1": mail(1)}
    office.source.fault = step
    with pytest.raises(SourceError, match=step):
        await office.poll()
    assert office.source.calls[-2:] == [step, "close"]
    assert (len(office.post.inbox()), len(office.source.folders["INBOX"].mails)) == (1, 1)
    assert await office.poll() == [b"1"]
    assert (office.opened, office.source.folders["INBOX"].mails) == (2, {})


@pytest.mark.parametrize(("first_poll", "found"), [("new", [b"2", b"4"]), ("all", [b"1", b"2", b"2", b"3", b"4"])])
async def test_a_folder_whose_validity_changes_is_a_new_one_to_which_first_poll_applies(
    office: Office, first_poll: str, found: list[bytes]
) -> None:
    office.post.configure(first_poll=first_poll, leave_on_server=True)
    inbox = office.source.folders["INBOX"]
    inbox.mails = {"1": mail(1)}
    await office.poll()
    inbox.mails["2"] = mail(2)
    await office.poll()
    # The server has lost its index: other ids, and those that are the same name other mails.
    inbox.validity, inbox.mails = "2", {"1": mail(2), "2": mail(3)}
    office.source.folders["Lists/a b"].mails = {"1": mail(4)}
    for _ in range(2):
        assert await office.poll() == found


async def test_a_validity_that_changes_within_a_poll_ends_it(office: Office) -> None:
    inbox = office.source.folders["INBOX"]
    inbox.mails = {"1": mail(1), "2": mail(2)}

    def change(_done: int, _of: int) -> None:
        inbox.validity = "2"

    with pytest.raises(SourceError, match="validity"):
        await office.collector.poll(office.account, change)
    assert list(await office.collector._mailboxes.seen("sales")) == [MessageKey("1", "INBOX", "1")]
    assert len(inbox.mails) == 2


async def test_a_source_is_kept_until_its_settings_change(office: Office) -> None:
    for _ in range(2):
        await office.poll()
    assert (office.opened, office.source.calls.count("close")) == (1, 0)
    office.post.configure(interval="1 h")
    await office.poll()
    assert (office.opened, office.source.calls.count("close")) == (2, 1)
    office.collector.forget("sales")
    assert office.source.calls[-1] == "close"


async def test_what_a_source_announces_is_collected_before_the_interval_is_over(office: Office) -> None:
    post, polled = office.post, asyncio.Event()
    runtime = replace(post.runtime, random=lambda: 0.5)
    poller = PopPoller(runtime, office.collector, polled=polled.set)
    poller.start_due()
    post.seconds += 10
    poller.start_due()
    await polled.wait()
    mailbox = poller._known["sales"]
    assert mailbox.task is not None
    await mailbox.task
    assert mailbox.waiting is not None
    office.source.folders["INBOX"].mails = {"1": mail(1)}
    office.source.announced.set()
    await mailbox.waiting
    assert (mailbox.due, LEAST_PAUSE > 0) == (post.seconds + LEAST_PAUSE, True)
    post.seconds += LEAST_PAUSE
    poller.start_due()
    await mailbox.task
    assert len(post.inbox()) == 1
    # Whoever asks for a poll ends the wait; so does the end.
    await poller.poll_now([office.account], lambda _: lambda *_: None)
    await poller.drain(1)
    assert office.source.calls == [*POLL, "wait", *POLL, "wait", *POLL, "wait", "close"]
