"""The messages of one poll on their way from the server into the inboxes: small ones in batches, large ones streamed.

Guarantee: a message is in `recorded` only once it stands in its inboxes, durably, and its unique id is committed. What
a message turns out to have beyond the limit of size ends the session; nothing of it becomes visible.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from relay.collection.inboxes import Arrived, Inboxes
from relay.collection.lease import Lease
from relay.collection.troubles import Troubles
from relay.model.account import Account
from relay.model.arrival import Arrival, Place
from relay.model.ids import make_copy_ids
from relay.model.maildrop import Listed
from relay.rules.distribution import Distribution, plan_distribution
from relay.rules.message_splitter import MessageSplitter
from relay.rules.summary import Summary, summarise
from relay.settings import Settings
from relay.storage.mailboxes import Mailboxes
from relay.upstream.pop3 import Pop3Error, Pop3Stage

log = structlog.get_logger()

_SHORT_HEADER = 8_192
"""Octets that are read at once."""

_HEADER_LIMIT: Final = 262_144
MOST_TOLD: Final = 20
"""Mails of a poll whose ids are told to whoever asked for it."""
_BATCH_OCTETS: Final = 1 << 20
"""Octets of small messages that are written together, with one fsync of the folder; a larger one is streamed."""
_BATCH_FILES: Final = 64
"""Files that are open at a time for small messages; one message for more users has as many as it needs."""


class Receiver:
    """What one poll receives."""

    def __init__(
        self,
        *,
        account: Account,
        settings: Settings,
        mailboxes: Mailboxes,
        lease: Lease,
        troubles: Troubles,
        require_room: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        assert account.pop3 is not None
        self._account = account
        self._limit = account.pop3.max_message_size
        self._directory = settings.directory
        self._mailboxes = mailboxes
        self._lease = lease
        self._troubles = troubles
        self._require_room = require_room
        self._now = now
        self._inboxes = Inboxes(account.name, settings)
        self._batch: list[Arrived] = []
        self._octets = 0
        self._writing: asyncio.Task[None] | None = None
        self.recorded: list[Listed] = []
        self.count = 0
        """How many messages have come whole, recorded or about to be."""
        self.quarantined = 0
        """Of how many a copy is in the quarantine."""
        self.unwritten = 0
        """How many an inbox did not take; the server keeps them, and the next poll tries them again."""
        self.reasons: dict[str, str] = {}
        """Why mail came into the quarantine, by user."""
        self.ids: list[str] = []
        """The ids of the first that were recorded."""

    async def receive(self, message: Listed, body: AsyncIterator[bytes]) -> None:
        """Read one message to its end.

        Raises what the session raises, Pop3Error where the message is larger than it may be, StorageError, or
        MailboxElsewhereError.
        """
        splitter, pieces, octets, total = MessageSplitter(header_limit=_HEADER_LIMIT), [], 0, 0
        digest = None if message.key else hashlib.sha256()
        large: Arrived | None = None
        async for piece in body:
            total += len(piece)
            if total > self._limit:
                self._refuse(message)
            if digest is not None:
                digest.update(piece)
            if splitter.header is None and not splitter.too_large:
                for _ in splitter.feed(piece):
                    pass
            pieces.append(piece)
            octets += len(piece)
            if octets < _BATCH_OCTETS:
                continue
            self._require_room()
            if large is None:
                await self.finish()
                large = await self._arrive(message, splitter, pieces)
                await self._inboxes.begin(large)
            else:
                await self._inboxes.add(pieces)
            pieces, octets = [], 0
        arrived = await self._arrive(message, splitter, pieces) if large is None else large
        arrived.key = message.key if digest is None else f"sha256-{digest.hexdigest()}"
        if large is not None:
            large.pieces = pieces
            self._lease.check()
            await self._inboxes.finish(large)
            await self._record([large])
            self.count += 1
            return
        self._batch.append(arrived)
        self._octets += total
        self.count += 1
        if self._octets >= _BATCH_OCTETS or sum(len(one.plan.shares) for one in self._batch) >= _BATCH_FILES:
            await self._write_batch()

    async def finish(self) -> None:
        """Write what waits, and wait until it is recorded."""
        await self._write_batch()
        await self._settle()

    async def close(self) -> None:
        """Let a batch that is being written come to its end; what was not whole goes."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._inboxes.close()

    def _refuse(self, message: Listed) -> None:
        self._troubles.note_outgrown(message, limit=self._limit)
        raise Pop3Error(
            Pop3Stage.RETRIEVE,
            f"message {message.n} was listed with {message.size} octets and is larger than max_message_size,"
            f" which is {self._limit}: from now on it is left on the server",
        )

    async def _arrive(self, message: Listed, splitter: MessageSplitter, pieces: list[bytes]) -> Arrived:
        if splitter.header is None and not splitter.too_large:
            splitter.close()
        header = splitter.header or b""
        read = partial(self._read_header, header)
        # Whoever writes a long header must not make others wait while it is read.
        plan, summary = read() if len(header) <= _SHORT_HEADER else await asyncio.to_thread(read)
        return Arrived(listed=message, plan=plan, summary=summary, pieces=pieces)

    def _read_header(self, header: bytes) -> tuple[Distribution, Summary]:
        plan = plan_distribution(directory=self._directory, account=self._account, header=header)
        return plan, summarise(header)

    async def _write_batch(self) -> None:
        """Write the batch while the next messages come in; at most one is on its way."""
        await self._settle()
        batch, self._batch, self._octets = self._batch, [], 0
        if batch:
            self._require_room()
            self._lease.check()
            self._writing = asyncio.create_task(self._keep(batch))

    async def _settle(self) -> None:
        """Wait for the batch that is on its way."""
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def _keep(self, batch: list[Arrived]) -> None:
        await self._inboxes.write(batch)
        await self._record(batch)

    async def _record(self, arrived: Sequence[Arrived]) -> None:
        account, now = self._account.name, self._now()
        for one in (one for one in arrived if one.fault):
            self.unwritten += 1
            self.count -= 1
            if self.unwritten <= MOST_TOLD:
                log.error("mail_not_written", account=account, uidl=one.key, reason=one.fault)
        batch = [one for one in arrived if not one.fault]
        if not batch:
            return
        arrivals = [
            describe_copies(account, one, now=now, random=os.urandom(10), node=self._mailboxes.node) for one in batch
        ]
        known = await self._mailboxes.record(
            account,
            self._lease.token,
            [one.key for one in batch],
            now=now,
            arrivals=[one for copies in arrivals for one in copies],
            repeated=frozenset(
                arrival.id
                for one, copies in zip(batch, arrivals, strict=True)
                for arrival, copy in zip(copies, one.copies, strict=True)
                if copy.repeated
            ),
        )
        self._troubles.note_fetched(one.listed for one in batch)
        for one, copies in zip(batch, arrivals, strict=True):
            self.recorded.append(one.listed)
            self._tell([replace(copy, id=known[copy.id]) if copy.id in known else copy for copy in copies])

    def _tell(self, copies: Sequence[Arrival]) -> None:
        """Log what became of a mail, now that it is durable."""
        quarantined = [one for one in copies if one.place is Place.QUARANTINE]
        users = [one.user for one in copies if one.place is Place.INBOX]
        first = copies[0]
        if users:
            log.info("mail_received", queue_id=first.id, account=first.account, users=users, uidl=first.uidl,
                     size=first.size)  # fmt: skip
        for one in quarantined:
            log.error("mail_quarantined", queue_id=one.id, account=one.account, user=one.user, uidl=one.uidl,
                      file=one.file, reason=one.reason)  # fmt: skip
        self.quarantined += bool(quarantined)
        for one in quarantined:
            self.reasons[one.user] = one.reason
        if len(self.ids) < MOST_TOLD:
            self.ids.append(first.id)


def describe_copies(account: str, arrived: Arrived, *, now: int, random: bytes, node: str) -> list[Arrival]:
    """Tell what is to be remembered of each user's copy of a message that stands where it is to stand."""
    return [
        Arrival(
            id=id_,
            at=now,
            user=copy.share.user,
            address=str(copy.share.address),
            why="\n".join(arrived.plan.reasons(copy.share)),
            account=account,
            uidl=arrived.key,
            header_message_id=arrived.summary.header_message_id,
            sender=arrived.summary.sender,
            subject=arrived.summary.subject,
            size=arrived.listed.size,
            place=copy.place,
            file=copy.file,
            reason=copy.reason,
            node=node,
        )
        for id_, copy in zip(make_copy_ids(now, random, len(arrived.copies)), arrived.copies, strict=True)
    ]
