"""The durable queue as the service sees it: writes go through the group commit, reads have connections of their own.

Guarantee: a write that returns is on the disk. Nothing is removed before its successor is durable. Every method
raises StorageError where the database does not do its part; nothing has changed then, but where its answer to COMMIT or
all patience was lost: then it is not known, and the words say so (`Writer`).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

from sqlalchemy import Engine

from relay.model.destination import Destination
from relay.model.errors import ClaimLostError, StorageError
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, DeliveryState, NewMessage, Pause, RecipientState, Settlement, Work
from relay.storage import accepting, arrivals, claiming, expiry, outbox, pausing, prefetch, quota, settling
from relay.storage.accepting import Chunk, Claimant
from relay.storage.claiming import Claim, Held
from relay.storage.claims import Claims
from relay.storage.engine import transaction
from relay.storage.expiry import DelayTold, LastAttempt
from relay.storage.outbox import OtherWay, PendingAlert, SentAlert
from relay.storage.pausing import Probe
from relay.storage.prefetch import Prefetch
from relay.storage.quota import Count, Part
from relay.storage.transaction import Transaction
from relay.storage.writer import Operation, Writer

PATIENCE: Final = 30.0
"""Seconds after which a client is asked to come again whose mail the database has not taken."""
_READERS = 2
_PAGE: Final = 2
"""Chunks that are read at a time: a small mail, which is one, costs one query."""
_SELECT_CHUNKS: Final = (
    "SELECT data FROM content WHERE message_id = ? AND version = ? AND seq >= ? ORDER BY seq LIMIT ?"
)

R = TypeVar("R")


class Queue:
    """The queue of one process. `node` names it among several on one PostgreSQL database.

    `lease` is the milliseconds for which a claim holds there without being renewed.
    """

    def __init__(self, engine: Engine, writer: Writer, *, node: str = "", lease: int = 60_000) -> None:
        self._engine = engine
        self._writer = writer
        self.node, self.lease = node, lease
        self._start = ""
        by = Claimant(node, lease)
        self._claims = Claims(lease=lease / 1000)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="queue-read")
        # What adds comes before what takes away, so that a write and the one that undoes it may share a batch.
        # Chunks count for nothing until their message is accepted: that commit syncs them as well. But a server that
        # crashes and comes back may have lost them, while we live on and accept the rest.
        self._write_chunks = Operation(0, accepting.write_chunks, synced=self.is_shared)
        self._accept = Operation(1, partial(accepting.accept, by=by))
        self._settle = Operation(2, partial(settling.settle, by=by))
        self._mark = Operation(3, claiming.mark_uncertain)
        self._unclaim = Operation(4, claiming.requeue)
        self._hold = Operation(5, claiming.hold_accounts)
        self._take_up = Operation(23, partial(claiming.reclaim, by=by, claims=self._claims))
        self._recover = Operation(6, partial(claiming.recover, by=by))
        self._claim = Operation(7, partial(claiming.claim, by=by))
        self._renew = Operation(8, partial(claiming.renew_leases, by=by))
        self._pause = Operation(9, pausing.pause)
        self._resume = Operation(10, pausing.resume)
        self._discard = Operation(11, accepting.discard)
        self._purge = Operation(12, settling.purge_history)
        self._drop_spent = Operation(13, settling.drop_spent)
        self._purge_arrivals = Operation(27, arrivals.purge)
        self._tell_delay = Operation(14, partial(expiry.tell_delay, by=by))
        self._give_up = Operation(15, partial(expiry.give_up, by=by))
        self._pull_back = Operation(16, expiry.pull_back)
        self._bring_forward = Operation(24, expiry.bring_forward)
        self._begin_probe = Operation(25, pausing.begin_probe)
        self._fingerprint_key = Operation(26, pausing.fingerprint_key)
        self._count = Operation(17, quota.count)
        self._uncount = Operation(18, quota.uncount)
        self._take = Operation(19, partial(claiming.claim_by_id, by=by))
        self._tell_owed = Operation(20, partial(outbox.mark_sent, by=by))
        self._count_part = Operation(22, partial(quota.count_part, by=by))
        self._move_notice = Operation(21, outbox.move_notices)

    async def close(self) -> None:
        """Finish the writes that wait, then end all threads."""
        await self._writer.close()
        await asyncio.to_thread(self._readers.shutdown)

    # A mail comes in

    def write_chunk(self, message_id: str, version: int, seq: int, data: bytes) -> "asyncio.Future[None]":
        """Write a piece of a body ahead; nobody sees it until its message is accepted. The future is done with it."""
        chunk = Chunk(message_id, version, seq, data)
        return asyncio.ensure_future(self._writer.run(self._write_chunks, chunk, octets=len(data), patience=PATIENCE))

    async def accept(self, new: NewMessage) -> None:
        """Accept a mail: when this returns, it will be delivered or its user told.

        What is `active` in it belongs to the caller, who attempts it or abandons it.
        """
        octets = len(new.message.header) + sum(len(data) for _, _, data in new.chunks)
        active = [one for one in new.deliveries if one.state is DeliveryState.ACTIVE]
        until = self._claims.begin()
        for one in active:
            self._claims.hold(one.id, one.token, until)
        try:
            await self._writer.run(self._accept, new, octets=octets, patience=PATIENCE)
        except BaseException:
            for one in active:
                self._claims.abandon(one.id, one.token)
            raise

    async def discard(self, message_id: str) -> None:
        """Drop the chunks of a mail that was aborted."""
        await self._writer.run(self._discard, message_id)

    # A mail goes out

    async def claim(
        self,
        destination: Destination,
        *,
        now: int,
        limit: int,
        open_now: bool,
        served: str = "",
        turns: Mapping[str, str] = MappingProxyType({}),
        newest: bool = False,
    ) -> list[ClaimedDelivery]:
        """Claim what is due: `AT_ONCE` always, the rest only while the office is open.

        Users take turns, then the sources of each: behind the source that was `served` last the next user, of his
        sources the one behind that in `turns`, with what is due longest; or, `newest`, the newest of all of his.
        `attempts` counts those before this one.
        """
        token, until = self._claims.make_token(), self._claims.begin()
        wish = Claim(destination, now, limit, open_now, served, turns, newest, token)
        try:
            claimed = await self._writer.run(self._claim, wish)
        except BaseException:
            self._claims.forget_token(token)
            self._claims.orphans = True
            raise
        for delivery in claimed:
            self._claims.hold(delivery.id, token, until)
        self._claims.forget_token(token)
        return claimed

    async def settle(self, settlement: Settlement) -> bool:
        """Write what an attempt came to, with its split and its notices, in one transaction.

        Tells whether the claim still held; else nothing is settled but for who surely has the mail. May be repeated: an
        attempt is known by its key. When all deliveries of a mail are done, its body is deleted.
        """
        return await self.begin_to_settle(settlement)

    def begin_to_settle(self, settlement: Settlement) -> "asyncio.Future[bool]":
        """Settle; what is written in the same turn of the loop shares the commit, after which the future is done."""
        settled = self._writer.submit(self._settle, settlement)
        settled.add_done_callback(partial(self._end_claim, settlement))
        return settled

    def _end_claim(self, settlement: Settlement, settled: "asyncio.Future[bool]") -> None:
        if not settled.cancelled() and settled.exception() is None:
            self._claims.drop(settlement.delivery_id, settlement.token)

    @property
    def is_shared(self) -> bool:
        """Whether other nodes claim from this queue as well."""
        return self._engine.dialect.name == "postgresql"

    async def prefetch(self, wish: Prefetch) -> list[Work]:
        """Read what is due, for `take`: as little is changed by it as is promised."""
        return await self._read(prefetch.prefetch, wish)

    async def claim_by_id(self, delivery: ClaimedDelivery) -> ClaimedDelivery | None:
        """Claim one that is known to be due, and give it; None where it is not queued any more as it is known."""
        wish, until = replace(delivery, token=self._claims.make_token()), self._claims.begin()
        try:
            granted = await self._writer.run(self._take, wish)
        except BaseException:
            self._claims.forget_token(wish.token)
            self._claims.orphans = True
            raise
        if not granted:
            self._claims.forget_token(wish.token)
            return None
        self._claims.hold(wish.id, wish.token, until)
        return wish

    async def requeue(self, delivery: ClaimedDelivery) -> bool:
        """Give a delivery back that was surely not sent: queued as it was, nothing counted.

        Tells whether its claim still held.
        """
        held = await self._writer.run(self._unclaim, (delivery.id, delivery.token))
        self._claims.drop(delivery.id, delivery.token)
        return held

    def abandon(self, delivery: ClaimedDelivery, *, doubtful: bool) -> None:
        """Say that nobody runs a claimed delivery any more; the next look takes it up. `doubtful`: its dot may be out.

        One that is settled meanwhile stays settled.
        """
        self._claims.abandon(delivery.id, delivery.token, doubtful=doubtful)

    async def mark_uncertain(self, delivery: ClaimedDelivery) -> None:
        """Note, before the final dot, that a crash from now on means held (`on_uncertain = "hold"`).

        Raises ClaimLostError where the claim does not hold any more.
        """
        if not await self._writer.run(self._mark, (delivery.id, delivery.token)):
            raise ClaimLostError(f"delivery {delivery.id} is not ours any more")

    async def confirm(self, delivery: ClaimedDelivery) -> None:
        """Make sure, before the final dot, that the claim holds for some seconds more. Raises ClaimLostError.

        Costs nothing on SQLite, where nobody else claims. On a shared database it is asked whether the claim is still
        there, and this machine's own clock how long it will be, sleep included.
        """
        if not self.is_shared:
            return
        if self._claims.is_good(delivery.id, delivery.token) is None:
            await self.renew_leases({delivery.id: delivery.token})
        held = await self._read(claiming.is_held, delivery.id, delivery.token)
        if not held or not self._claims.is_good(delivery.id, delivery.token):
            raise ClaimLostError(f"delivery {delivery.id} is not ours any more")

    async def chunks(self, message_id: str, version: int) -> AsyncIterator[bytes]:
        """Give a body, two chunks in memory at a time."""
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
        self._start = os.urandom(8).hex()
        return await self._writer.run(self._recover, (now, self._start))

    async def is_alone(self) -> bool:
        """Tell whether no other process was started in this node's name since, as with a copy of its machine."""
        return not (self.is_shared and self._start) or await self._read(claiming.latest_start, self.node) == self._start

    @property
    def has_orphans(self) -> bool:
        """Whether something may be claimed that nobody runs any more: then `reclaim` is worth its while at once."""
        return self._claims.orphans

    async def reclaim(self, *, now: int) -> list[ClaimedDelivery]:
        """Take up what is claimed and run by nobody: here, or on another node that has died or lost the database.

        What was surely not sent is queued as it was; the rest as `recover` does, and it is returned.
        """
        self._claims.orphans = False
        doubts = self._claims.doubts
        try:
            doubtful = await self._writer.run(self._take_up, now)
        except BaseException:
            self._claims.orphans = True
            raise
        self._claims.forget_doubts(doubts)
        return doubtful

    async def renew_leases(self, claims: Mapping[str, str] | None = None) -> None:
        """Prolong the claims that really run, or these (delivery id -> token); without effect on SQLite."""
        running = self._claims.running if claims is None else claims
        if not running or not self.is_shared:
            return
        until = self._claims.begin()
        kept = await self._writer.run(self._renew, running)
        self._claims.renewed(running, kept, until)

    async def next_due(self) -> dict[Destination, int]:
        """Give the smallest `due` among what is queued, for each destination that has something queued."""
        return await self._read(claiming.next_due)

    async def queued_accounts(self) -> set[str]:
        """Give the accounts that have something queued."""
        return {destination.name for destination in await self.next_due() if destination.is_account}

    async def hold_accounts(self, accounts: Collection[str], *, now: int, limit: int = 500) -> list[Held]:
        """Hold at most so many that are queued for accounts that are gone or excluded, and give them."""
        return await self._writer.run(self._hold, (list(accounts), now, limit))

    async def purge_history(self, before: int, limit: int, *, first_kept: str = "") -> int:
        """Delete at most `limit` mails that were received before a moment and wait for nothing; gives how many.

        Ids begin with the time, so that only what is old is looked at: `first_kept` is the first id that stays.
        """
        first_kept = first_kept or make_id(before, bytes(10))
        return await self._writer.run(self._purge, (first_kept, before, limit))

    async def purge_arrivals(self, before: int, limit: int) -> int:
        """Forget at most `limit` copies of collected mail that came before a moment; gives how many.

        What is in the quarantine stays known.
        """
        return await self._writer.run(self._purge_arrivals, (make_id(before, bytes(10)), before, limit))

    async def drop_spent(self, before: int, limit: int, *, first_kept: str = "") -> int:
        """Drop bodies of delivered mail whose last attempt was before a moment; gives how many."""
        first_kept = first_kept or make_id(before, bytes(10))
        return await self._writer.run(self._drop_spent, (first_kept, before, limit))

    # What waits for long

    async def oldest_since(self, account: str) -> int | None:
        """Tell since when the oldest of what is queued for an account waits; None where nothing is."""
        return await self._read(expiry.oldest_since, account)

    async def delayed(self, account: str, *, after: int, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give what waits since later than `after` and not later than `before`, and whose sender has not been told.

        Of `limit` mails at most, each whole; nothing is claimed.
        """
        return await self._read(expiry.delayed, account, after, before, limit)

    async def tell_delay(self, told: DelayTold) -> bool:
        """Note that a sender has been told, with the notice that tells him; false where he has been told before."""
        return await self._writer.run(self._tell_delay, told)

    async def queued_before(self, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give what is queued for an account since a moment or longer, of `limit` mails at most; nothing is claimed."""
        return await self._read(expiry.queued_before, account, before, limit)

    async def give_up(self, settlements: Sequence[Settlement]) -> bool:
        """Settle all of a mail's queued deliveries without an attempt; false, and nothing done, if one is claimed."""
        return await self._writer.run(self._give_up, settlements)

    async def pull_back(self, *, now: int, latest: int) -> int:
        """Make due now what is due after `latest`: a wrong clock has put it there; gives how many."""
        return await self._writer.run(self._pull_back, (now, latest))

    async def bring_forward(self, account: str, *, now: int) -> int:
        """Make due now what an account has put off, its intervals from the beginning; gives how many.

        For an account whose server or login is another now. What is in doubt stays where it is.
        """
        return await self._writer.run(self._bring_forward, (account, now))

    async def last_attempts(self, delivery_ids: Sequence[str]) -> dict[str, LastAttempt]:
        """Give the last attempt of each delivery."""
        return await self._read(expiry.last_attempts, delivery_ids)

    async def outcomes(self, message_id: str) -> dict[int, RecipientState]:
        """Give what became so far of each real recipient of a mail, by his number."""
        return await self._read(expiry.outcomes, message_id)

    # What the relay has to say

    async def was_said(self, once: str, *, now: int) -> bool:
        """Tell whether people were told something a moment ago (`NewMessage.once`), by whichever node."""
        return await self._read(accepting.was_said, once, now)

    async def pending_alerts(self) -> list[tuple[PendingAlert, ClaimedDelivery | None]]:
        """Give the alerts that nobody has got yet, each with its delivery where that is still there."""
        return await self._read(outbox.pending_alerts)

    async def mark_sent(self, told: SentAlert) -> bool:
        """Queue the notices of an alert, which is owed no more; false, and nothing done, where it was not."""
        return await self._writer.run(self._tell_owed, told)

    async def queued_notices(self, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give the notices that are queued for an account since a moment or longer."""
        return await self._read(outbox.queued_notices, account, before, limit)

    async def move_notice(self, way: OtherWay) -> bool:
        """Send a queued notice another way; false where it is not queued any more."""
        return await self._writer.run(self._move_notice, way)

    # Recipients of a day, mails of a minute

    async def count_recipients(self, count: Count) -> bool:
        """Count recipients of an account's day; false, and nothing counted, where it has no room for them."""
        return await self._writer.run(self._count, count)

    async def count_part(self, part: Part) -> int:
        """Count as many of a delivery's first recipients as the day has room for; gives how many.

        Where there is room for some, the others become a delivery of their own.
        """
        return await self._writer.run(self._count_part, part)

    async def starts_since(self, accounts: Sequence[str], *, after: int, oldest: int) -> dict[str, list[int]]:
        """Give when transactions of accounts began after a moment, of mails that are not older than `oldest`."""
        return await self._read(quota.starts_since, accounts, after, make_id(max(0, oldest), bytes(10)))

    async def uncount_recipients(self, count: Count) -> None:
        """Take recipients off again whom the provider did not take."""
        await self._writer.run(self._uncount, count)

    # Pauses

    async def pauses(self) -> list[Pause]:
        """Give the pauses that last."""
        return await self._read(pausing.lasting_pauses)

    async def pauses_between(self, account: str, start: int, end: int) -> list[tuple[int, int]]:
        """Give the times between two moments in which an account was paused, for this node."""
        return await self._read(pausing.pauses_between, account, self.node, start, end)

    async def probes_before(self, account: str, start: int, end: int) -> int:
        """Tell how many probes the pause had seen that a probe ended last, between two moments; 0: there is none."""
        return await self._read(pausing.probes_before, account, start, end)

    async def pause(self, pause: Pause) -> Pause:
        """Pause an account; gives the pause as it stands then: one that lasts goes on, with the new reason.

        A person's pause stays as it is.
        """
        return await self._writer.run(self._pause, pause)

    async def begin_probe(self, probe: Probe) -> bool:
        """Note that a probe of a paused account begins; false where another node has begun it, or the pause ended."""
        return await self._writer.run(self._begin_probe, probe)

    async def fingerprint_key(self) -> bytes:
        """Give the key of the fingerprints in this database, the same for every node and after every restart."""
        return await self._writer.run(self._fingerprint_key, os.urandom(32))

    async def resume(self, account: str, now: int) -> bool:
        """End a pause of the service's own; false where there is none."""
        return await self._writer.run(self._resume, (account, now))

    async def _read(self, query: Callable[..., R], *arguments: object) -> R:
        def run() -> R:
            with transaction(self._engine, write=False) as tx:
                return query(tx, *arguments)

        try:
            reading = asyncio.get_running_loop().run_in_executor(self._readers, run)
        except RuntimeError:
            raise StorageError("the queue is closed") from None
        return await reading


def _read_chunks(tx: Transaction, message_id: str, version: int, seq: int) -> list[bytes]:
    return [row[0] for row in tx.rows(_SELECT_CHUNKS, message_id, version, seq, _PAGE)]
