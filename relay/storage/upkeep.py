"""What the queue knows and does beside mail that comes and goes: delays, alerts, quotas, pauses, history."""

import os
from collections.abc import Sequence
from functools import partial

from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, Pause, RecipientState, Settlement
from relay.storage import accepting, arrivals, expiry, outbox, pausing, quota, settling
from relay.storage.access import Access
from relay.storage.expiry import DelayTold, LastAttempt
from relay.storage.operation import Rank
from relay.storage.outbox import OtherWay, PendingAlert, SentAlert
from relay.storage.pausing import Probe
from relay.storage.quota import Count, Part


class Upkeep(Access):
    """The part of the queue that looks after it."""

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
        return await self._write(Rank.TELL_DELAY, partial(expiry.tell_delay, by=self._by), told)

    async def queued_before(self, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give what is queued for an account since a moment or longer, of `limit` mails at most; nothing is claimed."""
        return await self._read(expiry.queued_before, account, before, limit)

    async def give_up(self, settlements: Sequence[Settlement]) -> bool:
        """Settle all of a mail's queued deliveries without an attempt; false, and nothing done, if one is claimed."""
        return await self._write(Rank.GIVE_UP, partial(expiry.give_up, by=self._by), settlements)

    async def pull_back(self, *, now: int, latest: int) -> int:
        """Make due now what is due after `latest`: a wrong clock has put it there; gives how many."""
        return await self._write(Rank.PULL_BACK, expiry.pull_back, (now, latest))

    async def bring_forward(self, account: str, *, now: int) -> int:
        """Make due now what an account has put off, its intervals from the beginning; gives how many.

        For an account whose server or login is another now. What is in doubt stays where it is.
        """
        return await self._write(Rank.BRING_FORWARD, expiry.bring_forward, (account, now))

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
        return await self._write(Rank.MARK_SENT, partial(outbox.mark_sent, by=self._by), told)

    async def queued_notices(self, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
        """Give the notices that are queued for an account since a moment or longer."""
        return await self._read(outbox.queued_notices, account, before, limit)

    async def move_notice(self, way: OtherWay) -> bool:
        """Send a queued notice another way; false where it is not queued any more."""
        return await self._write(Rank.MOVE_NOTICE, outbox.move_notices, way)

    # Recipients of a day, mails of a minute

    async def count_recipients(self, count: Count) -> bool:
        """Count recipients of an account's day; false, and nothing counted, where it has no room for them."""
        return await self._write(Rank.COUNT_RECIPIENTS, quota.count, count)

    async def count_part(self, part: Part) -> int:
        """Count as many of a delivery's first recipients as the day has room for; gives how many.

        Where there is room for some, the others become a delivery of their own.
        """
        return await self._write(Rank.COUNT_PART, partial(quota.count_part, by=self._by), part)

    async def starts_since(self, accounts: Sequence[str], *, after: int, oldest: int) -> dict[str, list[int]]:
        """Give when transactions of accounts began after a moment, of mails that are not older than `oldest`."""
        return await self._read(quota.starts_since, accounts, after, make_id(max(0, oldest), bytes(10)))

    async def uncount_recipients(self, count: Count) -> None:
        """Take recipients off again whom the provider did not take."""
        await self._write(Rank.UNCOUNT_RECIPIENTS, quota.uncount, count)

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
        return await self._write(Rank.PAUSE, pausing.pause, pause)

    async def begin_probe(self, probe: Probe) -> bool:
        """Note that a probe of a paused account begins; false where another node has begun it, or the pause ended."""
        return await self._write(Rank.BEGIN_PROBE, pausing.begin_probe, probe)

    async def fingerprint_key(self) -> bytes:
        """Give the key of the fingerprints in this database, the same for every node and after every restart."""
        return await self._write(Rank.FINGERPRINT_KEY, pausing.fingerprint_key, os.urandom(32))

    async def resume(self, account: str, now: int) -> bool:
        """End a pause of the service's own; false where there is none."""
        return await self._write(Rank.RESUME, pausing.resume, (account, now))

    # The past

    async def purge_history(self, before: int, limit: int, *, first_kept: str = "") -> int:
        """Delete at most `limit` mails that were received before a moment and wait for nothing; gives how many.

        Ids begin with the time, so that only what is old is looked at: `first_kept` is the first id that stays.
        """
        first_kept = first_kept or make_id(before, bytes(10))
        return await self._write(Rank.PURGE_HISTORY, settling.purge_history, (first_kept, before, limit))

    async def purge_arrivals(self, before: int, limit: int) -> int:
        """Forget at most `limit` copies of collected mail that came before a moment; gives how many.

        What is in the quarantine stays known.
        """
        return await self._write(Rank.PURGE_ARRIVALS, arrivals.purge, (make_id(before, bytes(10)), before, limit))

    async def drop_spent(self, before: int, limit: int, *, first_kept: str = "") -> int:
        """Drop bodies of delivered mail whose last attempt was before a moment; gives how many."""
        first_kept = first_kept or make_id(before, bytes(10))
        return await self._write(Rank.DROP_SPENT, settling.drop_spent, (first_kept, before, limit))
