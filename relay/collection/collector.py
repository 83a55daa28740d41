"""One poll of one mailbox, from the lease to QUIT.

Guarantee: RETR, file (fsync, link, fsync of the folder), unique id committed, DELE, QUIT: in this order. Whatever ends
a poll early leaves the rest on the server. A file's name is made of account, unique id and user, so that a message
which was written, but not yet recorded when the process died, is recognised and not written again; unless its user has
moved it out of the inbox meanwhile: then it comes a second time.
Time, size and number of what a server may send are bounded; what is beyond stays there, and holds up no other message.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from relay.collection.inboxes import Arrived, Inboxes
from relay.collection.lease import Lease
from relay.collection.troubles import Troubles
from relay.intake.room import DiskRoom
from relay.model.account import Account, FirstPoll, Pop3Server
from relay.model.errors import StorageFullError
from relay.model.maildrop import Listed
from relay.rules.distribution import plan_distribution
from relay.rules.sections import Sections
from relay.rules.uidl import Contact, PollPlan, hosts_of, name_twins, plan_poll, recognise
from relay.settings import Settings
from relay.settings.secrets import read_secret
from relay.storage.mailboxes import Mailboxes
from relay.upstream.pop3 import Pop3Error, Pop3Session, Pop3Stage, Retrieved, open_pop3

log = structlog.get_logger()

LONGEST_POLL = 3600.0
"""Seconds after which a poll is cut off; in their second half no further message is asked for."""
_HEADER_LIMIT = 262_144
_BATCH_OCTETS = 1 << 20
"""Octets of small messages that are written together, with one fsync of the folder; a larger one is streamed."""
_BATCH_FILES = 64
"""Files that are open at a time for small messages; one message for more users has as many as it needs."""

Tell = Callable[[int, int], None]
"""Told how many messages have been fetched, of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """What one poll did."""

    fetched: int
    failed: int
    """Messages that the server listed and did not give."""
    left: int = 0
    """Messages that stay on the server for now: too large, no room or time, or the connection breaks at them."""
    deleted: int
    seconds: float


@dataclass(kw_only=True)
class _Poll:
    """The state of one poll; of the event loop alone."""

    account: Account
    pop3: Pop3Server
    settings: Settings
    lease: Lease
    troubles: Troubles
    inboxes: Inboxes
    stop_asking: float
    """Monotonic seconds from which no further message is asked for."""
    batch: list[Arrived] = field(default_factory=list)
    octets: int = 0
    writing: asyncio.Task[None] | None = None
    fetched: list[Listed] = field(default_factory=list)
    come: int = 0
    """How many messages were given or refused."""
    failed: int = 0
    left: int = 0


class Collector:
    """Polls mailboxes; an account's settings are those of the moment."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        mailboxes: Mailboxes,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        longest: float = LONGEST_POLL,
    ) -> None:
        self._settings = settings
        self._mailboxes = mailboxes
        self._now = now
        self._monotonic = monotonic
        self._longest = longest
        self._troubles: dict[str, Troubles] = {}
        self._room = DiskRoom(
            lambda: (self._settings().inboxes, self._settings().folder), lambda: self._settings().limits.free_space
        )

    async def poll(self, account: Account, tell: Tell) -> PollResult:
        """Poll an account's mailbox.

        Raises Pop3Error, StorageError, MailboxElsewhereError, or RelayError where a password can't be read.
        """
        pop3, began = account.pop3, self._monotonic()
        assert pop3 is not None
        self._require_room()
        password = await asyncio.to_thread(read_secret, pop3.password)
        settings = self._settings()
        async with Lease(self._mailboxes, account.name) as lease:
            poll = _Poll(
                account=account,
                pop3=pop3,
                settings=settings,
                lease=lease,
                troubles=self._troubles.setdefault(account.name, Troubles()),
                inboxes=Inboxes(account.name, settings),
                stop_asking=began + self._longest / 2,
            )
            try:
                async with asyncio.timeout(self._longest):
                    deleted = await self._run(poll, password, tell)
            except TimeoutError:
                text = f"the poll did not end within {self._longest:g} s"
                raise Pop3Error(Pop3Stage.RETRIEVE, text) from None
            except Pop3Error:
                lease.check()  # who has lost it has cut the connection
                raise
            finally:
                await _end(poll)
        return PollResult(
            fetched=len(poll.fetched),
            failed=poll.failed,
            left=poll.left,
            deleted=deleted,
            seconds=self._monotonic() - began,
        )

    async def _run(self, poll: _Poll, password: str, tell: Tell) -> int:
        """Hold one session; gives how many messages the server has deleted."""
        session = await open_pop3(poll.pop3, password)
        poll.lease.on_lost = session.abort
        try:
            listing, has_ids = await session.list_messages()
            if session.passed_over:
                log.warning("mailbox_too_full", account=poll.account.name, messages=len(listing),
                            passed_over=session.passed_over)  # fmt: skip
            plan = await self._plan(poll, listing, has_ids=has_ids, whole=not session.passed_over)
            await self._fetch(session, poll, self._choose(poll, plan.fetch), tell)
            go = [*plan.delete, *(poll.fetched if poll.pop3.leave_on_server is False else ())]
            await poll.lease.confirm()
            deleted = await session.delete(go)
            await poll.lease.confirm()
            await session.quit()
        finally:
            session.close()
        if has_ids:
            gone = [*plan.gone, *(one.key for one in deleted)]
            await self._mailboxes.note_listing(
                poll.account.name, poll.lease.token, gone=gone, back=plan.back, forget=plan.forget, now=self._now()
            )
        return len(deleted)

    async def _plan(self, poll: _Poll, listing: Sequence[Listed], *, has_ids: bool, whole: bool) -> PollPlan:
        """Decide what to do with each message; the first contact with a mailbox forgets an earlier one."""
        account, pop3 = poll.account.name, poll.pop3
        known = await self._mailboxes.find(account)
        if not has_ids and (pop3.leave_on_server is not False or pop3.first_poll is FirstPoll.NEW):
            raise Pop3Error(Pop3Stage.LIST, "the server has no unique ids (UIDL): mail can't be left on it")
        named = name_twins(listing) if has_ids else ()
        seen = await self._mailboxes.seen(account)
        contact = recognise(known, seen, named, host=pop3.host, login=pop3.username)
        anew = contact is Contact.NEW
        plan = PollPlan(fetch=tuple(listing))
        if has_ids:
            plan = plan_poll(
                named,
                {} if anew else seen,
                leave=pop3.leave_on_server,
                only_new=anew and pop3.first_poll is FirstPoll.NEW,
                now=self._now(),
                whole=whole,
            )
        if contact is not Contact.SAME:
            hosts = hosts_of(known, contact, pop3.host)
            await self._mailboxes.begin(
                account, poll.lease.token, hosts, pop3.username, anew=anew, skip=plan.skip, now=self._now()
            )
        return plan

    def _choose(self, poll: _Poll, wanted: Sequence[Listed]) -> list[Listed]:
        """Sort out what stays on the server for now, and say so the first time."""
        fetch, left = poll.troubles.sort_out(wanted, limit=poll.pop3.max_message_size)
        fits = []
        for one in fetch:
            if self._room.has(one.size):
                fits.append(one)
            else:
                left.append((one, "the disk has no room for it beside [limits] free_space"))
        for one, reason in left:
            if poll.troubles.is_news(one):
                log.warning("mail_left", account=poll.account.name, uidl=one.key, size=one.size, reason=reason)
        poll.left = len(left)
        return fits

    async def _fetch(self, session: Pop3Session, poll: _Poll, wanted: Sequence[Listed], tell: Tell) -> None:
        def go_on() -> bool:
            return self._monotonic() < poll.stop_asking

        try:
            async for retrieved in session.retrieve(wanted, go_on):
                if retrieved.body is None:
                    poll.failed += 1
                    log.warning("mail_not_given", account=poll.account.name, uidl=retrieved.message.key,
                                reply=retrieved.text)  # fmt: skip
                else:
                    await self._receive(poll, retrieved)
                poll.come += 1
                tell(len(poll.fetched) + len(poll.batch), len(wanted))
        except (Pop3Error, asyncio.CancelledError) as error:
            for one in wanted[poll.come : poll.come + 1]:
                poll.troubles.note_break(one)
            if isinstance(error, Pop3Error):
                await self._finish_writing(poll)  # what came whole need not come again
            raise
        await self._finish_writing(poll)
        poll.left += len(wanted) - poll.come
        tell(len(poll.fetched), len(wanted))

    async def _receive(self, poll: _Poll, retrieved: Retrieved) -> None:
        """Read one message to its end: a small one joins the batch, a large one streams into its files."""
        assert retrieved.body is not None
        sections, pieces, octets, total = Sections(header_limit=_HEADER_LIMIT), [], 0, 0
        digest = None if retrieved.message.key else hashlib.sha256()
        large: Arrived | None = None
        async for piece in retrieved.body:
            total += len(piece)
            self._check_size(poll, retrieved.message, total)
            if digest is not None:
                digest.update(piece)
            if sections.header is None and not sections.too_large:
                for _ in sections.feed(piece):
                    pass
            pieces.append(piece)
            octets += len(piece)
            if octets < _BATCH_OCTETS:
                continue
            self._require_room()
            if large is None:
                await self._finish_writing(poll)
                large = self._arrive(poll, retrieved.message, sections, pieces)
                await poll.inboxes.begin(large)
            else:
                await poll.inboxes.add(pieces)
            pieces, octets = [], 0
        arrived = self._arrive(poll, retrieved.message, sections, pieces) if large is None else large
        arrived.key = retrieved.message.key if digest is None else f"sha256-{digest.hexdigest()}"
        if large is not None:
            large.pieces = pieces
            poll.lease.check()
            await poll.inboxes.finish(large)
            await self._record(poll, [large])
            return
        poll.batch.append(arrived)
        poll.octets += total
        if poll.octets >= _BATCH_OCTETS or sum(len(one.shares) for one in poll.batch) >= _BATCH_FILES:
            await self._write_batch(poll)

    def _check_size(self, poll: _Poll, message: Listed, octets: int) -> None:
        limit = poll.pop3.max_message_size
        if octets > limit:
            poll.troubles.note_outgrown(message, limit=limit)
            raise Pop3Error(
                Pop3Stage.RETRIEVE,
                f"message {message.n} was listed with {message.size} octets and is larger than max_message_size,"
                f" which is {limit}: from now on it is left on the server",
            )

    def _require_room(self) -> None:
        if not self._room.has(0):
            raise StorageFullError("the disk has less room than [limits] free_space: mail stays on the server for now")

    def _arrive(self, poll: _Poll, listed: Listed, sections: Sections, pieces: list[bytes]) -> Arrived:
        if sections.header is None and not sections.too_large:
            sections.close()
        directory = poll.settings.directory
        plan = plan_distribution(directory=directory, account=poll.account, header=sections.header or b"")
        return Arrived(listed=listed, shares=plan.shares, pieces=pieces)

    async def _finish_writing(self, poll: _Poll) -> None:
        """Write what is in the batch, and wait for it."""
        await self._write_batch(poll)
        if poll.writing is not None:
            await poll.writing
            poll.writing = None

    async def _write_batch(self, poll: _Poll) -> None:
        """Write the batch while the next messages come in; at most one is on its way."""
        if poll.writing is not None:
            await poll.writing
            poll.writing = None
        batch, poll.batch, poll.octets = poll.batch, [], 0
        if batch:
            self._require_room()
            poll.lease.check()
            poll.writing = asyncio.create_task(self._keep(poll, batch))

    async def _keep(self, poll: _Poll, batch: list[Arrived]) -> None:
        await poll.inboxes.write(batch)
        await self._record(poll, batch)

    async def _record(self, poll: _Poll, batch: Sequence[Arrived]) -> None:
        account = poll.account.name
        await self._mailboxes.record(account, poll.lease.token, [one.key for one in batch], now=self._now())
        poll.troubles.note_fetched(one.listed for one in batch)
        for one in batch:
            poll.fetched.append(one.listed)
            log.info(
                "mail_received",
                account=account,
                users=[share.user for share in one.shares],
                uidl=one.key,
                size=one.listed.size,
            )


async def _end(poll: _Poll) -> None:
    """Let a batch that is being written come to its end, then close the files."""
    if poll.writing is not None:
        await asyncio.gather(poll.writing, return_exceptions=True)
    await poll.inboxes.close()
