"""The messages of one poll on their way from the source into the inboxes: small ones in batches, large ones streamed.

Guarantee: a message is in `recorded` only once it stands in its inboxes, durably, and its key is committed. A message
that turns out to be larger than it may be ends the session; nothing of it becomes visible.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.collection.lease import Lease
from relay.collection.maildir_writer import Arriving, MaildirWriter
from relay.collection.troubles import Troubles
from relay.emitting import emit
from relay.events.mailboxes import MailNotWritten, MailQuarantined, MailReceived
from relay.model.account import Account, MailboxServer
from relay.model.errors import SourceError, StorageFullError
from relay.model.ids import make_copy_ids
from relay.model.maildrop import Arrival, Listed, Place, PollResult
from relay.rules.distribution import Distribution, plan_distribution
from relay.rules.summary import Summary, summarise
from relay.runtime import Runtime
from relay.settings import Settings
from relay.storage.mailboxes import Mailboxes
from relay.storage.room import DiskRoom

_SHORT_HEADER = 8_192
"""Octets that are read at once."""

MOST_TOLD: Final = 20
"""Mails of a poll whose ids are in its result."""
_BATCH_OCTETS: Final = 1 << 20
"""Octets of small messages that are written together, with one fsync of the folder; a larger one is streamed."""
_BATCH_FILES: Final = 64
"""Files that are open at a time for small messages; one message for more users has as many as it needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PollContext:
    """One poll of one account's mailbox: its settings, which stay as they are until it ends, and its helpers."""

    account: Account
    server: MailboxServer
    settings: Settings
    runtime: Runtime
    mailboxes: Mailboxes
    lease: Lease
    troubles: Troubles
    disk: DiskRoom

    def require_room(self) -> None:
        """Raise StorageFullError if the disk has less room than `[limits] free_space`."""
        if not self.disk.has(0):
            raise StorageFullError("the disk has less room than [limits] free_space: mail stays on the server for now")


class Receiver:
    """What one poll receives."""

    def __init__(self, context: PollContext, result: PollResult, may_log: Callable[[str], bool]) -> None:
        """Count `result` up; `may_log` counts a line about a message, by its event, and says whether to log it."""
        self._context = context
        self._result = result
        self._may_log = may_log
        self._limit = context.server.max_message_size
        self._inboxes = MaildirWriter(context.account.name, context.settings)
        self._batch: list[Arriving] = []
        self._octets = self._files = 0
        """Of the batch."""
        self._writing: asyncio.Task[None] | None = None
        self.recorded: list[Listed] = []
        self.count = 0
        """How many messages have come whole, recorded or about to be."""

    async def receive(self, listed: Listed, body: AsyncIterator[bytes]) -> None:
        """Read one message to its end.

        Raises SourceError if the session breaks or the message is larger than it may be, StorageError, or
        MailboxElsewhereError.
        """
        message, is_large = Arriving(listed), False
        async for piece in body:
            message.add(piece)
            if message.total > self._limit:
                self._refuse(listed)
            if message.octets < _BATCH_OCTETS:
                continue
            self._context.require_room()
            if not is_large:
                is_large = True
                await self.finish()
                await self._address(message)
            await self._inboxes.add(message)
        if is_large:
            self._context.lease.check()
            await self._keep([message])
            self.count += 1
            return
        await self._address(message)
        self._batch.append(message)
        self._octets += message.total
        self._files += len(message.plan.shares)
        self.count += 1
        if self._octets >= _BATCH_OCTETS or self._files >= _BATCH_FILES:
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
        self._context.troubles.note_outgrown(message, limit=self._limit)
        raise SourceError(
            f"retrieve: message {message.n} was listed with {message.size} octets and is larger than max_message_size,"
            f" which is {self._limit}: from now on it is left on the server",
        )

    async def _address(self, message: Arriving) -> None:
        """Decide who gets a message, from what has come of it."""
        header, directory = message.read_header(), self._context.settings.directory

        def read() -> tuple[Distribution, Summary]:
            plan = plan_distribution(directory=directory, account=self._context.account, header=header)
            return plan, summarise(header)

        # A long header must not make others wait while it is read.
        message.plan, message.summary = read() if len(header) <= _SHORT_HEADER else await asyncio.to_thread(read)

    async def _write_batch(self) -> None:
        """Write the batch while the next messages come in; at most one is on its way."""
        await self._settle()
        batch, self._batch = self._batch, []
        self._octets = self._files = 0
        if batch:
            self._context.require_room()
            self._context.lease.check()
            self._writing = asyncio.create_task(self._keep(batch))

    async def _settle(self) -> None:
        """Wait for the batch that is on its way."""
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def _keep(self, batch: list[Arriving]) -> None:
        await self._inboxes.write(batch)
        await self._record(batch)

    async def _record(self, arrived: Sequence[Arriving]) -> None:
        context, account, now = self._context, self._context.account.name, self._context.runtime.now()
        for one in (one for one in arrived if one.fault):
            self._result.failed += 1
            self.count -= 1
            if self._may_log(MailNotWritten.name):
                emit(MailNotWritten(account=account, uidl=one.key.uid, reason=one.fault))
        batch = [one for one in arrived if not one.fault]
        if not batch:
            return
        described = [describe_copies(account, one, now, context.mailboxes.node) for one in batch]
        known = await context.mailboxes.record(
            account,
            context.lease.token,
            [one.key for one in batch],
            now=now,
            arrivals=[arrival for arrivals in described for arrival in arrivals],
            repeated=frozenset(
                arrival.id
                for one, arrivals in zip(batch, described, strict=True)
                for arrival, copy in zip(arrivals, one.copies, strict=True)
                if copy.repeated
            ),
        )
        context.troubles.note_fetched(one.listed for one in batch)
        for one, arrivals in zip(batch, described, strict=True):
            self.recorded.append(one.listed)
            self._result.fetched += 1
            self._tell([replace(copy, id=known[copy.id]) if copy.id in known else copy for copy in arrivals])

    def _tell(self, copies: Sequence[Arrival]) -> None:
        """Log what became of a mail, now that it is durable."""
        quarantined = [one for one in copies if one.place is Place.QUARANTINE]
        users = [one.user for one in copies if one.place is Place.INBOX]
        first = copies[0]
        if users:
            emit(MailReceived(queue_id=first.id, account=first.account, users=users, uidl=first.uidl, size=first.size))
        for one in quarantined:
            emit(MailQuarantined(queue_id=one.id, account=one.account, user=one.user, uidl=one.uidl, file=one.file,
                                 reason=one.reason))  # fmt: skip
            self._result.reasons[one.user] = one.reason
        self._result.quarantined += bool(quarantined)
        if len(self._result.ids) < MOST_TOLD:
            self._result.ids += (first.id,)


def describe_copies(account: str, arrived: Arriving, now: int, node: str) -> list[Arrival]:
    """Return what is to be remembered of each user's copy of a message that stands where it is to stand."""
    return [
        Arrival(
            id=id_,
            at=now,
            user=copy.share.user,
            address=str(copy.share.address),
            why="\n".join(copy.share.why),
            account=account,
            uidl=arrived.key.uid,
            folder=arrived.key.folder,
            validity=arrived.key.validity,
            header_message_id=arrived.summary.header_message_id,
            sender=arrived.summary.sender,
            subject=arrived.summary.subject,
            size=arrived.listed.size,
            place=Place.QUARANTINE if copy.reason else Place.INBOX,
            file=copy.file,
            reason=copy.reason,
            node=node,
        )
        for id_, copy in zip(make_copy_ids(now, os.urandom(10), len(arrived.copies)), arrived.copies, strict=True)
    ]
