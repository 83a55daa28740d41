"""One poll of one mailbox: fetch what is new, write it into the inboxes, and only then let the server delete it.

Guarantee: RETR, file (fsync, link, fsync of the folder), unique id committed, DELE, QUIT: in this order. Whatever ends
a poll early leaves the rest on the server. A file's name is made of account, unique id and user, so that a message
which was written, but not yet recorded when the process died, is recognised and not written again; unless its user has
moved it out of the inbox meanwhile: then it comes a second time.
"""

import asyncio
import errno
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from relay.model.account import Account, FirstPoll, Pop3Server
from relay.model.errors import StorageError
from relay.model.maildrop import Listed
from relay.rules.distribution import Share, plan_distribution
from relay.rules.sections import Sections
from relay.rules.uidl import PollPlan, name_twins, plan_poll
from relay.settings import Settings
from relay.settings.secrets import read_secret
from relay.storage.mailboxes import Mailboxes
from relay.storage.maildir import MailFile, list_names, open_maildir, sync_new
from relay.upstream.pop3 import Pop3Error, Pop3Session, Pop3Stage, Retrieved, open_pop3

log = structlog.get_logger()

QUARANTINE = "quarantine"
"""A Maildir in the storage folder, for mail whose user's inbox can't be used at all."""
_HEADER_LIMIT = 262_144
_BATCH_OCTETS = 1 << 20
"""Octets of small messages that are written together, with one fsync of the folder; a larger one is streamed."""
_BATCH_MESSAGES = 64
_PASSING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Troubles of the whole disk or process: the poll ends, and the mail waits on the server."""

Tell = Callable[[int, int], None]
"""Told how many messages have been fetched, of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """What one poll did."""

    fetched: int
    failed: int
    """Messages that the server listed and did not give."""
    deleted: int
    seconds: float


@dataclass(kw_only=True, slots=True)
class _Arrived:
    """A message on its way into the inboxes."""

    listed: Listed
    shares: tuple[Share, ...]
    pieces: list[bytes]
    key: str = ""


@dataclass(kw_only=True)
class _Poll:
    """The state of one poll."""

    account: Account
    settings: Settings
    names: dict[Path, set[str]] = field(default_factory=dict)
    """What stands in each Maildir, read once."""
    batch: list[_Arrived] = field(default_factory=list)
    octets: int = 0
    writing: asyncio.Task[None] | None = None
    fetched: list[Listed] = field(default_factory=list)
    failed: int = 0


class Collector:
    """Polls mailboxes; an account's settings are those of the moment."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        mailboxes: Mailboxes,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._mailboxes = mailboxes
        self._now = now

    async def poll(self, account: Account, tell: Tell) -> PollResult:
        """Poll an account's mailbox. Raises Pop3Error, StorageError, or RelayError where a password can't be read."""
        pop3, began = account.pop3, time.monotonic()
        assert pop3 is not None
        password = await asyncio.to_thread(read_secret, pop3.password)
        session = await open_pop3(pop3, password)
        poll = _Poll(account=account, settings=self._settings())
        try:
            listing, has_ids = await session.list_messages()
            plan = await self._plan(account, pop3, listing, has_ids=has_ids)
            await self._fetch(session, poll, plan.fetch, tell)
            go = [*plan.delete, *(poll.fetched if pop3.leave_on_server is False else ())]
            deleted = await session.delete(go)
            await session.quit()
        finally:
            session.close()
            if poll.writing is not None:
                await asyncio.gather(poll.writing, return_exceptions=True)
        if has_ids:
            gone = [*plan.gone, *(one.key for one in deleted)]
            await self._mailboxes.note_listing(
                account.name, gone=gone, back=plan.back, forget=plan.forget, now=self._now()
            )
        return PollResult(
            fetched=len(poll.fetched), failed=poll.failed, deleted=len(deleted), seconds=time.monotonic() - began
        )

    async def _plan(self, account: Account, pop3: Pop3Server, listing: Sequence[Listed], *, has_ids: bool) -> PollPlan:
        """Decide what to do with each message; the first contact with a mailbox forgets an earlier one."""
        known = await self._mailboxes.find(account.name)
        first = known is None or (known.host, known.login) != (pop3.host, pop3.username)
        if not has_ids:
            if pop3.leave_on_server is not False or pop3.first_poll is FirstPoll.NEW:
                raise Pop3Error(Pop3Stage.LIST, "the server has no unique ids (UIDL): mail can't be left on it")
            if first:
                await self._mailboxes.begin(account.name, pop3.host, pop3.username, skip=(), now=self._now())
            return PollPlan(fetch=tuple(listing))
        seen = {} if first else await self._mailboxes.seen(account.name)
        plan = plan_poll(
            name_twins(listing),
            seen,
            leave=pop3.leave_on_server,
            only_new=first and pop3.first_poll is FirstPoll.NEW,
            now=self._now(),
        )
        if first:
            await self._mailboxes.begin(account.name, pop3.host, pop3.username, skip=plan.skip, now=self._now())
        return plan

    async def _fetch(self, session: Pop3Session, poll: _Poll, wanted: Sequence[Listed], tell: Tell) -> None:
        async for retrieved in session.retrieve(wanted):
            if retrieved.body is None:
                poll.failed += 1
                log.warning("mail_not_given", account=poll.account.name, uidl=retrieved.message.key,
                            reply=retrieved.text)  # fmt: skip
                continue
            await self._receive(poll, retrieved)
            tell(len(poll.fetched) + len(poll.batch), len(wanted))
        await self._write_batch(poll)
        if poll.writing is not None:
            await poll.writing
        tell(len(poll.fetched), len(wanted))

    async def _receive(self, poll: _Poll, retrieved: Retrieved) -> None:
        """Read one message to its end: a small one joins the batch, a large one streams into its files."""
        assert retrieved.body is not None
        sections, pieces, octets = Sections(header_limit=_HEADER_LIMIT), [], 0
        digest = None if retrieved.message.key else hashlib.sha256()
        large: _Copies | None = None
        with ExitStack() as stack:
            async for piece in retrieved.body:
                if digest is not None:
                    digest.update(piece)
                if sections.header is None and not sections.too_large:
                    for _ in sections.feed(piece):
                        pass
                pieces.append(piece)
                octets += len(piece)
                if octets < _BATCH_OCTETS:
                    continue
                if large is None:
                    await self._write_batch(poll)
                    arrived = self._arrive(poll, retrieved.message, sections, pieces)
                    large = stack.enter_context(_Copies(poll, arrived))
                    await asyncio.to_thread(large.open)
                await asyncio.to_thread(large.write, pieces)
                pieces, octets = [], 0
            arrived = self._arrive(poll, retrieved.message, sections, pieces) if large is None else large.arrived
            arrived.key = retrieved.message.key if digest is None else f"sha256-{digest.hexdigest()}"
            if large is not None:
                await asyncio.to_thread(large.write, pieces)
                await asyncio.to_thread(large.publish)
                await self._record(poll, [arrived])
                return
        poll.batch.append(arrived)
        poll.octets += sum(map(len, pieces))
        if poll.octets >= _BATCH_OCTETS or len(poll.batch) >= _BATCH_MESSAGES:
            await self._write_batch(poll)

    def _arrive(self, poll: _Poll, listed: Listed, sections: Sections, pieces: list[bytes]) -> _Arrived:
        if sections.header is None and not sections.too_large:
            sections.close()
        directory = poll.settings.directory
        plan = plan_distribution(directory=directory, account=poll.account, header=sections.header or b"")
        return _Arrived(listed=listed, shares=plan.shares, pieces=pieces)

    async def _write_batch(self, poll: _Poll) -> None:
        """Write the batch while the next messages come in; at most one is on its way."""
        if poll.writing is not None:
            await poll.writing
            poll.writing = None
        batch, poll.batch, poll.octets = poll.batch, [], 0
        if batch:
            poll.writing = asyncio.create_task(self._keep(poll, batch))

    async def _keep(self, poll: _Poll, batch: list[_Arrived]) -> None:
        await asyncio.to_thread(_write_small, poll, batch)
        await self._record(poll, batch)

    async def _record(self, poll: _Poll, batch: Sequence[_Arrived]) -> None:
        account = poll.account.name
        await self._mailboxes.record(account, [one.key for one in batch], now=self._now())
        for one in batch:
            poll.fetched.append(one.listed)
            log.info(
                "mail_received",
                account=account,
                users=[share.user for share in one.shares],
                uidl=one.key,
                size=one.listed.size,
            )


def _write_small(poll: _Poll, batch: Sequence[_Arrived]) -> None:
    """Write small messages: first all bytes, then sync each file, then link them, then sync each folder.

    The first sync takes most of the others' bytes along: several times as fast as one file after the other.
    """
    touched: set[Path] = set()
    with ExitStack() as stack:
        several = [stack.enter_context(_Copies(poll, arrived)) for arrived in batch]
        for copies in several:
            copies.open()
            copies.write(copies.arrived.pieces)
            copies.arrived.pieces = []
        for copies in several:
            copies.sync()
        for copies in several:
            touched |= copies.publish(sync=False)
    for maildir in touched:
        sync_new(maildir)


class _Copies:
    """One message on its way into the inboxes of its users. Blocks."""

    def __init__(self, poll: _Poll, arrived: _Arrived) -> None:
        self._poll = poll
        self.arrived = arrived
        self._files: list[tuple[Path, Share, MailFile]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def open(self) -> None:
        """Open a file for each user, with the address for which he gets the mail on top."""
        for share in self.arrived.shares:
            maildir = self._maildir(share.user)
            if maildir not in self._poll.names:
                self._poll.names[maildir] = list_names(maildir)
            file = self._stack.enter_context(MailFile(maildir))
            file.write(f"Delivered-To: {share.address.wire}\r\n".encode())
            self._files.append((maildir, share, file))

    def write(self, pieces: Sequence[bytes]) -> None:
        """Write into all of them."""
        for _, _, file in self._files:
            for piece in pieces:
                file.write(piece)

    def sync(self) -> None:
        """Make the bytes of all of them durable."""
        for _, _, file in self._files:
            file.sync()

    def publish(self, *, sync: bool = True) -> set[Path]:
        """Make the message visible where it does not stand already; gives the Maildirs."""
        for maildir, share, file in self._files:
            name = make_name(self._poll.account.name, self.arrived.key, share.user)
            if name not in self._poll.names[maildir]:
                file.publish(name)
                self._poll.names[maildir].add(name)
            if sync:
                sync_new(maildir)
        return {maildir for maildir, _, _ in self._files}

    def _maildir(self, user: str) -> Path:
        settings = self._poll.settings
        try:
            return open_maildir(settings.inboxes, user)
        except StorageError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno in _PASSING:
                raise
            log.error("mail_quarantined", account=self._poll.account.name, user=user, uidl=self.arrived.listed.key,
                      reason=str(error))  # fmt: skip
            return open_maildir(settings.folder, QUARANTINE)


def make_name(account: str, key: str, user: str) -> str:
    """Name a message's file: the same message of the same account has the same name in the same inbox."""
    return "P" + hashlib.sha256(f"{account}\0{key}\0{user}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
