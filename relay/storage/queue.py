"""The durable queue as the service sees it: writes go through the group commit, reads have connections of their own.

Guarantee: a write that returns is on the disk. Nothing is removed before its successor is durable. Every method
raises StorageError where the database does not do its part; nothing has changed then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Engine

from relay.model.errors import StorageError
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, NewMessage, Pause, Settlement
from relay.model.reply import Reply
from relay.storage import accepting, claiming, counting, pausing, settling, waiting
from relay.storage.accepting import Chunk
from relay.storage.claiming import Claim
from relay.storage.counting import Count
from relay.storage.engine import Transaction, transaction
from relay.storage.waiting import DelayTold, OldClaim
from relay.storage.writer import Operation, Writer

_READERS = 2
_PAGE: Final = 2
"""Chunks that are read at a time: a small mail, which is one, costs one query."""
_SELECT_CHUNKS: Final = (
    "SELECT data FROM content WHERE message_id = ? AND version = ? AND seq >= ? ORDER BY seq LIMIT ?"
)

R = TypeVar("R")


class Queue:
    """The queue of one process. `node` names it among several on one PostgreSQL database."""

    def __init__(self, engine: Engine, writer: Writer, *, node: str = "") -> None:
        self._engine = engine
        self._writer = writer
        self._node = node
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="queue-read")
        # What adds comes before what takes away, so that a write and the one that undoes it may share a batch.
        self._write_chunks = Operation(0, accepting.write_chunks)
        self._accept = Operation(1, partial(accepting.accept, node=node))
        self._settle = Operation(2, partial(settling.settle, node=node))
        self._mark = Operation(3, claiming.mark_uncertain)
        self._unclaim = Operation(4, claiming.unclaim)
        self._hold = Operation(5, claiming.hold_accounts)
        self._recover = Operation(6, partial(claiming.recover, node=node))
        self._claim = Operation(7, partial(claiming.claim, node=node))
        self._renew = Operation(8, claiming.renew_leases)
        self._pause = Operation(9, pausing.pause)
        self._resume = Operation(10, pausing.resume)
        self._discard = Operation(11, accepting.discard)
        self._purge = Operation(12, settling.purge_history)
        self._drop_spent = Operation(13, settling.drop_spent)
        self._tell_delay = Operation(14, partial(waiting.tell_delay, node=node))
        self._claim_old = Operation(15, partial(waiting.claim_old, node=node))
        self._pull_back = Operation(16, waiting.pull_back)
        self._count = Operation(17, counting.take)
        self._uncount = Operation(18, counting.give_back)
        self._take = Operation(19, partial(claiming.take, node=node))

    async def close(self) -> None:
        """Finish the writes that wait, then end all threads."""
        await self._writer.close()
        await asyncio.to_thread(self._readers.shutdown)

    # A mail comes in

    async def write_chunk(self, message_id: str, version: int, seq: int, data: bytes) -> None:
        """Write a piece of a body ahead; nobody sees it until its message is accepted."""
        await self._writer.run(self._write_chunks, Chunk(message_id, version, seq, data), octets=len(data))

    async def accept(self, new: NewMessage) -> None:
        """Accept a mail: when this returns, it will be delivered or its user told."""
        octets = len(new.message.header) + sum(len(data) for _, _, data in new.chunks)
        await self._writer.run(self._accept, new, octets=octets)

    async def discard(self, message_id: str) -> None:
        """Drop the chunks of a mail that was aborted."""
        await self._writer.run(self._discard, message_id)

    # A mail goes out

    async def claim(
        self, account: str, *, now: int, limit: int, open_now: bool, after: str = "", newest: bool = False
    ) -> list[ClaimedDelivery]:
        """Claim what is due: `AT_ONCE` always, the rest only while the office is open.

        Sources (who handed in, from where) take turns: the one behind `after` is next, with what is due longest, or
        with its `newest`. `attempts` counts those before this one.
        """
        return await self._writer.run(self._claim, Claim(account, now, limit, open_now, after, newest))

    async def settle(self, settlement: Settlement) -> None:
        """Write what an attempt came to, with its split and its notices, in one transaction.

        May be repeated: an attempt is known by its key. When all deliveries of a mail are done, its body is deleted.
        """
        await self.begin_to_settle(settlement)

    def begin_to_settle(self, settlement: Settlement) -> "asyncio.Future[None]":
        """Settle; what is written in the same turn of the loop shares the commit, after which the future is done."""
        return self._writer.submit(self._settle, settlement)

    async def take(self, account: str, delivery_id: str) -> bool:
        """Claim one that is known to be due; false where it is not queued for this account any more."""
        return await self._writer.run(self._take, (account, delivery_id))

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        """Give deliveries back that were surely not sent: queued as they were, nothing counted."""
        await self._writer.run(self._unclaim, delivery_ids)

    async def mark_uncertain(self, delivery_id: str) -> None:
        """Note, before the final dot, that a crash from now on means held (`on_uncertain = "hold"`)."""
        await self._writer.run(self._mark, delivery_id)

    def chunks(self, message_id: str, version: int) -> AsyncIterator[bytes]:
        """Give a body, two chunks in memory at a time."""
        return self._chunks(message_id, version)

    async def _chunks(self, message_id: str, version: int) -> AsyncIterator[bytes]:
        seq, page = 0, [b""] * _PAGE
        while len(page) == _PAGE:
            page = await self._read(_read_chunks, message_id, version, seq)
            for data in page:
                yield data
            seq += len(page)

    # What waits

    async def recover(self, *, now: int) -> list[ClaimedDelivery]:
        """Take up, at the start, what was being sent when the last process died; it may have been sent.

        It is queued at once, or held where that is the second doubt: `uncertain` of what is returned tells. What goes
        into an inbox is queued and not returned, since writing it again adds nothing. On PostgreSQL this takes what
        this node had, and what others had whose leases are over.
        """
        return await self._writer.run(self._recover, now)

    async def renew_leases(self) -> None:
        """Prolong this node's leases (10 minutes each); without effect on SQLite."""
        await self._writer.run(self._renew, self._node)

    async def next_due(self) -> dict[str, int]:
        """Give the smallest `due` among what is queued, for each account that has something queued."""
        return await self._read(claiming.next_due)

    async def queued_accounts(self) -> set[str]:
        """Give the accounts that have something queued."""
        return set(await self.next_due())

    async def hold_accounts(self, accounts: Collection[str]) -> list[ClaimedDelivery]:
        """Hold all that is queued for accounts that are gone or excluded, and give it."""
        return await self._writer.run(self._hold, list(accounts))

    async def purge_history(self, before: int, limit: int, *, youngest: str = "") -> int:
        """Delete at most `limit` mails that were received before a moment and wait for nothing; gives how many.

        Ids begin with the time, so that only what is old is looked at: `youngest` is the first id that stays.
        """
        first = youngest or make_id(before, bytes(10))
        return await self._writer.run(self._purge, (first, before, limit))

    async def drop_spent(self, before: int, limit: int, *, youngest: str = "") -> int:
        """Drop bodies of delivered mail whose last attempt was before a moment; gives how many."""
        first = youngest or make_id(before, bytes(10))
        return await self._writer.run(self._drop_spent, (first, before, limit))

    # What waits for long

    async def waiting_since(self, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give what is queued since a moment and whose sender has not been told; nothing is claimed."""
        return await self._read(waiting.waiting_since, before, limit)

    async def tell_delay(self, told: DelayTold) -> None:
        """Note that a sender has been told, with the notice that tells him."""
        await self._writer.run(self._tell_delay, told)

    async def claim_old(self, account: str, *, before: int, limit: int) -> list[ClaimedDelivery]:
        """Claim what has waited since a moment, whenever it is due."""
        return await self._writer.run(self._claim_old, OldClaim(account, before, limit))

    async def pull_back(self, *, now: int, latest: int) -> int:
        """Make due now what is due after `latest`: a wrong clock has put it there; gives how many."""
        return await self._writer.run(self._pull_back, (now, latest))

    async def last_replies(self, delivery_ids: Sequence[str]) -> dict[str, Reply]:
        """Give what the last attempt of each delivery got."""
        return await self._read(waiting.last_replies, delivery_ids)

    # Recipients of a day

    async def count_recipients(self, count: Count) -> bool:
        """Count recipients of an account's day; false, and nothing counted, where it has no room for them."""
        return await self._writer.run(self._count, count)

    async def uncount_recipients(self, count: Count) -> None:
        """Take recipients off again whom the provider did not take."""
        await self._writer.run(self._uncount, count)

    # Pauses

    async def pauses(self) -> list[Pause]:
        """Give the pauses that last."""
        return await self._read(pausing.lasting_pauses)

    async def pauses_between(self, account: str, start: int, end: int) -> list[tuple[int, int]]:
        """Give the times between two moments in which an account was paused."""
        return await self._read(pausing.pauses_between, account, start, end)

    async def pause(self, pause: Pause) -> None:
        """Pause an account, or write down the last probe of one that is paused; a person's pause stays as it is."""
        await self._writer.run(self._pause, pause)

    async def resume(self, account: str, now: int) -> bool:
        """End a pause of the service's own; false where there is none."""
        return await self._writer.run(self._resume, (account, now))

    async def _read(self, query: Callable[..., R], *arguments: object) -> R:
        def run() -> R:
            with transaction(self._engine, write=False) as tx:
                return query(tx, *arguments)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except RuntimeError:
            raise StorageError("the queue is closed") from None


def _read_chunks(tx: Transaction, message_id: str, version: int, seq: int) -> list[bytes]:
    return [row[0] for row in tx.rows(_SELECT_CHUNKS, message_id, version, seq, _PAGE)]
