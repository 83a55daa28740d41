"""The durable queue as the service sees it: writes go through the group commit, reads have connections of their own.

Guarantee: a write that returns is on the disk. Nothing is removed before its successor is durable. Every method
raises StorageError where the database does not do its part; nothing has changed then, but where its answer to COMMIT or
all patience was lost: then it is not known, and the words say so (`Writer`).
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from sqlalchemy import Engine

from relay.model.destination import Destination
from relay.model.errors import ClaimLostError, StorageError
from relay.model.mail import AT_ONCE, ClaimedDelivery, DeliveryState, NewMessage, Settlement, Work
from relay.rules.turns import Cursor
from relay.storage import accepting, backups, claiming, expiry, outbox, pausing, quota, reclaiming, settling, turns
from relay.storage.access import Access, asks, writes, writes_as
from relay.storage.arrivals import purge
from relay.storage.bodies import BodyFiles, read_body
from relay.storage.claims import Claims
from relay.storage.committer import Operation, Rank
from relay.storage.lock import database_file
from relay.storage.transaction import Transaction
from relay.storage.turns import DueDeliveries
from relay.storage.writer import Writer

PATIENCE: Final = 30.0
"""Seconds after which a client is asked to come again whose mail the database has not taken."""


class Queue(Access):
    """The queue of one process: how mail comes in, is claimed, settled and taken up again, and what is known beside it.

    A method without a body is documented by the function that it is made of.
    """

    def __init__(self, engine: Engine, writer: Writer, *, node: str = "", lease: int = 60_000) -> None:
        super().__init__(engine, writer, node=node, lease=lease)
        self._start = ""
        file = database_file(engine.url)
        self._bodies = None if file is None else BodyFiles(engine, file, self._readers)
        self._claims = Claims(lease=lease / 1000)
        # Synced: a server that crashes and comes back may have lost what was not, while we live on and accept the rest.
        self._write_chunks = Operation(Rank.WRITE_CHUNK, accepting.write_chunks)
        self._accept = Operation(Rank.ACCEPT, partial(accepting.accept, by=self._by))
        self._settle = Operation(Rank.SETTLE, partial(settling.settle, by=self._by))
        self._claim_by_id = Operation(Rank.CLAIM_BY_ID, partial(claiming.claim_by_id, by=self._by))
        self._confirm = Operation(Rank.CONFIRM, claiming.are_claimed, asks=True)

    # A mail comes in

    def write_chunk(self, message_id: str, version: int, seq: int, data: bytes) -> "asyncio.Future[None]":
        """Write a piece of a body ahead; nobody sees it until its message is accepted. The future is done with it."""
        if self._bodies is not None:
            return self._bodies.write(message_id, version, data)
        chunk = accepting.chunk_row(message_id, version, seq, data)
        return asyncio.ensure_future(self._writer.run(self._write_chunks, chunk, octets=len(data), patience=PATIENCE))

    async def accept(self, new: NewMessage) -> None:
        """Accept a mail: when this returns, it will be delivered or its user told.

        What is `active` in it belongs to the caller, who attempts it or abandons it.
        """
        if self._bodies is not None:
            new = await self._bodies.seal(new)
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
        if self._bodies is not None:
            self._bodies.let_go(new.message.id)

    _discard = writes(Rank.DISCARD, accepting.discard)

    async def discard(self, message_id: str) -> None:
        """Drop what was written ahead of a mail that was aborted; an accepted mail keeps its body."""
        if self._bodies is None:
            await self._discard(message_id)
            return
        with contextlib.suppress(StorageError):  # then the sweep says so
            await self._discard(message_id)  # behind what may still accept it
        self._bodies.let_go(message_id)
        await self.sweep_bodies()

    # A mail goes out

    async def claim(
        self,
        destination: Destination,
        *,
        now: int,
        limit: int,
        open_now: bool,
        cursor: Cursor | None = None,
        newest: bool = False,
    ) -> list[ClaimedDelivery]:
        """Claim what is due: `AT_ONCE` always, the rest only while the office is open.

        `cursor` and `newest` say whose mail it is (`claiming.claim`); `attempts` counts those before this one.
        """
        latest, where = now if open_now else AT_ONCE, cursor or Cursor()
        with self._claims.making() as (token, until):

            def claim(tx: Transaction) -> list[ClaimedDelivery]:
                due = DueDeliveries(tx, destination, latest, by=self._by)
                return claiming.claim(due, where, limit, newest=newest, token=token, by=self._by)

            claimed = await self._write(Rank.CLAIM, claim)
            for delivery in claimed:
                self._claims.hold(delivery.id, token, until)
        return claimed

    async def settle(self, settlement: Settlement) -> bool:
        """Write what an attempt came to, with its split and its notices, in one transaction.

        Tells whether the claim still held; else nothing is settled but for who surely has the mail. May be repeated: an
        attempt is known by its key. When all deliveries of a mail are done, its body is deleted.
        """
        settled = self._writer.submit(self._settle, settlement)
        settled.add_done_callback(partial(self._end_claim, settlement))
        return await settled

    def _end_claim(self, settlement: Settlement, settled: "asyncio.Future[bool]") -> None:
        if not settled.cancelled() and settled.exception() is None:
            self._claims.drop(settlement.delivery_id, settlement.token)

    async def prefetch(self, destination: Destination, *, now: int, limit: int, cursor: Cursor) -> list[Work]:
        """Read about `limit` mails ahead that are due; nodes that share a database reserve them (`turns.prefetch`)."""
        read = partial(turns.prefetch, destination=destination, now=now, limit=limit, cursor=cursor, by=self._by)
        return await (self._write(Rank.RESERVE, read, synced=False) if self.is_shared else self._read(read))

    async def claim_by_id(self, delivery: ClaimedDelivery) -> ClaimedDelivery | None:
        """Claim one that is known to be due, and give it; None where it is not queued any more as it is known."""
        with self._claims.making() as (token, until):
            claimed = replace(delivery, token=token)
            granted = await self._writer.run(self._claim_by_id, claimed)
            if granted:
                self._claims.hold(claimed.id, token, until)
        return claimed if granted else None

    _requeue = writes(Rank.REQUEUE, claiming.requeue)

    async def requeue(self, delivery: ClaimedDelivery) -> bool:
        """Give a delivery back that was surely not sent, as it was; return whether its claim still held."""
        held = await self._requeue(delivery.id, delivery.token)
        self._claims.drop(delivery.id, delivery.token)
        return held

    def abandon(self, delivery: ClaimedDelivery, *, doubtful: bool) -> None:
        """Say that nobody runs a claimed delivery any more; a look takes it up. `doubtful`: its dot may be out."""
        self._claims.abandon(delivery.id, delivery.token, doubtful=doubtful)

    _mark_uncertain = writes(Rank.MARK_UNCERTAIN, claiming.mark_uncertain)

    async def mark_uncertain(self, delivery: ClaimedDelivery) -> None:
        """Note, before the final dot, that a crash now means held (`on_uncertain = "hold"`). Raises ClaimLostError."""
        if not await self._mark_uncertain(delivery.id, delivery.token):
            raise ClaimLostError(f"delivery {delivery.id} is not ours any more")

    async def confirm(self, delivery: ClaimedDelivery) -> None:
        """Make sure, before the final dot, that the claim holds for some seconds more. Raises ClaimLostError.

        Costs nothing on SQLite, where nobody else claims. On a shared database it is asked whether the claim is still
        there, together with all who ask meanwhile, and this machine's own clock how long it will be, sleep included.
        """
        if not self.is_shared:
            return
        if self._claims.is_good(delivery.id, delivery.token) is None:
            await self.renew_leases({delivery.id: delivery.token})
        is_ours = await self._writer.run(self._confirm, delivery)
        if not is_ours or not self._claims.is_good(delivery.id, delivery.token):
            raise ClaimLostError(f"delivery {delivery.id} is not ours any more")

    def chunks(self, message_id: str, version: int) -> AsyncIterator[bytes]:
        """Return a body; see `read_body`."""
        return read_body(self._read, self._bodies, message_id, version)

    # What waits

    async def recover(self, *, now: int) -> list[ClaimedDelivery]:
        """Take up, at the start, what was being sent when the last process died; it may have been sent.

        It is queued at once, or held where that is the second doubt: `uncertain` of what is returned tells. What goes
        into an inbox is queued and not returned, since writing it again adds nothing. On PostgreSQL this takes what
        this node had, and what others had whose leases are over.
        """
        self._start = os.urandom(8).hex()
        await self.sweep_bodies()
        return await self._write(Rank.RECOVER, lambda tx: reclaiming.recover(tx, now, self._start, by=self._by))

    async def is_alone(self) -> bool:
        """Return whether no other process was started in this node's name since, as with a copy of its machine."""
        return (
            not (self.is_shared and self._start) or await self._read(reclaiming.latest_start, self.node) == self._start
        )

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
            doubtful = await self._write(
                Rank.RECLAIM, lambda tx: reclaiming.reclaim(tx, now, by=self._by, claims=self._claims)
            )
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
        kept = await self._write(Rank.RENEW_LEASES, lambda tx: reclaiming.renew_leases(tx, running, by=self._by))
        self._claims.renewed(running, kept, until)

    hold_accounts = writes(Rank.HOLD_ACCOUNTS, claiming.hold_accounts)
    next_due = asks(claiming.next_due)

    async def queued_accounts(self) -> set[str]:
        """Return the accounts that have something queued."""
        return {destination.name for destination in await self.next_due() if destination.is_account}

    # What waits for long
    oldest_since = asks(expiry.oldest_since)
    delayed = asks(expiry.delayed)
    tell_delay = writes_as(Rank.TELL_DELAY, expiry.tell_delay)
    queued_before = asks(expiry.queued_before)
    give_up = writes_as(Rank.GIVE_UP, expiry.give_up)
    pull_back = writes(Rank.PULL_BACK, expiry.pull_back)
    bring_forward = writes(Rank.BRING_FORWARD, expiry.bring_forward)
    last_attempts = asks(expiry.last_attempts)
    outcomes = asks(expiry.outcomes)

    # What the relay has to say
    was_said = asks(accepting.was_said)
    pending_alerts = asks(outbox.pending_alerts)
    mark_sent = writes_as(Rank.MARK_SENT, outbox.mark_sent)
    queued_notices = asks(outbox.queued_notices)
    move_notice = writes(Rank.MOVE_NOTICE, outbox.move_notice)
    take_watch_step = writes_as(Rank.WATCH, outbox.take_step)

    # Recipients of a day, mails of a minute
    count_recipients = writes(Rank.COUNT_RECIPIENTS, quota.count)
    count_part = writes_as(Rank.COUNT_PART, quota.count_part)
    starts_since = asks(quota.starts_since)
    uncount_recipients = writes(Rank.UNCOUNT_RECIPIENTS, quota.uncount)

    # Pauses
    pauses = asks(pausing.lasting_pauses)
    probes_before = asks(pausing.probes_before)
    pause = writes(Rank.PAUSE, pausing.pause)
    begin_probe = writes(Rank.BEGIN_PROBE, pausing.begin_probe)
    fingerprint_key = writes(Rank.FINGERPRINT_KEY, pausing.fingerprint_key)
    resume = writes(Rank.RESUME, pausing.resume)

    async def pauses_between(self, account: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return the times between two moments in which an account was paused, for this node."""
        return await self._read(pausing.pauses_between, account, self.node, start, end)

    # The past
    purge_history = writes(Rank.PURGE_HISTORY, settling.purge_history)
    purge_arrivals = writes(Rank.PURGE_ARRIVALS, purge)
    drop_delivered_bodies = writes(Rank.DROP_DELIVERED_BODIES, settling.drop_delivered_bodies)

    async def sweep_bodies(self) -> None:
        """Remove the files of bodies that no mail has any more."""
        if self._bodies is not None:
            await self._bodies.run(self._bodies.folder, self._bodies.sweep)

    # Backups
    backup_state = asks(backups.read_state)
    backup_begun = writes(Rank.BACKUP_BEGUN, backups.note_begun)
    backup_done = writes(Rank.BACKUP_DONE, backups.note_done)
    backup_failed = writes(Rank.BACKUP_FAILED, backups.note_failed)
