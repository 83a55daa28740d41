"""What the queue knows and does beside mail that comes and goes: delays, alerts, quotas, pauses, history."""

import os
from collections.abc import Sequence

from relay.model.ids import first_id
from relay.storage import accepting, arrivals, expiry, outbox, pausing, quota, settling
from relay.storage.access import Access, asks, writes, writes_as
from relay.storage.operation import Rank


class Upkeep(Access):
    """The part of the queue that looks after it.

    What is made by `asks`, `writes` and `writes_as` is documented by the function that it is made of.
    """

    # What waits for long

    oldest_since = asks(expiry.oldest_since)
    delayed = asks(expiry.delayed)
    tell_delay = writes_as(Rank.TELL_DELAY, expiry.tell_delay)
    queued_before = asks(expiry.queued_before)
    give_up = writes_as(Rank.GIVE_UP, expiry.give_up)

    async def pull_back(self, *, now: int, latest: int) -> int:
        """Make due now what is due after `latest`: a wrong clock has put it there; gives how many."""
        return await self._write(Rank.PULL_BACK, expiry.pull_back, (now, latest))

    async def bring_forward(self, account: str, *, now: int) -> int:
        """Make due now what an account has put off, its intervals from the beginning; gives how many.

        For an account whose server or login is another now. What is in doubt stays where it is.
        """
        return await self._write(Rank.BRING_FORWARD, expiry.bring_forward, (account, now))

    last_attempts = asks(expiry.last_attempts)
    outcomes = asks(expiry.outcomes)

    # What the relay has to say

    was_said = asks(accepting.was_said)
    pending_alerts = asks(outbox.pending_alerts)
    mark_sent = writes_as(Rank.MARK_SENT, outbox.mark_sent)
    queued_notices = asks(outbox.queued_notices)
    move_notice = writes(Rank.MOVE_NOTICE, outbox.move_notices)

    # Recipients of a day, mails of a minute

    count_recipients = writes(Rank.COUNT_RECIPIENTS, quota.count)
    count_part = writes_as(Rank.COUNT_PART, quota.count_part)

    async def starts_since(self, accounts: Sequence[str], *, after: int, oldest: int) -> dict[str, list[int]]:
        """Give when transactions of accounts began after a moment, of mails that are not older than `oldest`."""
        return await self._read(quota.starts_since, accounts, after, first_id(oldest))

    uncount_recipients = writes(Rank.UNCOUNT_RECIPIENTS, quota.uncount)

    # Pauses

    pauses = asks(pausing.lasting_pauses)

    async def pauses_between(self, account: str, start: int, end: int) -> list[tuple[int, int]]:
        """Give the times between two moments in which an account was paused, for this node."""
        return await self._read(pausing.pauses_between, account, self.node, start, end)

    probes_before = asks(pausing.probes_before)
    pause = writes(Rank.PAUSE, pausing.pause)
    begin_probe = writes(Rank.BEGIN_PROBE, pausing.begin_probe)

    async def fingerprint_key(self) -> bytes:
        """Give the key of the fingerprints in this database, the same for every node and after every restart."""
        return await self._write(Rank.FINGERPRINT_KEY, pausing.fingerprint_key, os.urandom(32))

    async def resume(self, account: str, now: int) -> bool:
        """End a pause of the service's own; false where there is none."""
        return await self._write(Rank.RESUME, pausing.resume, (account, now))

    # The past

    async def purge_history(self, before: int, limit: int) -> int:
        """Delete at most `limit` mails that were received before a moment and wait for nothing; gives how many."""
        return await self._write(Rank.PURGE_HISTORY, settling.purge_history, (before, limit))

    async def purge_arrivals(self, before: int, limit: int) -> int:
        """Forget at most `limit` copies of collected mail that came before a moment; gives how many.

        What is in the quarantine stays known.
        """
        return await self._write(Rank.PURGE_ARRIVALS, arrivals.purge, (before, limit))

    async def drop_spent(self, before: int, limit: int) -> int:
        """Drop bodies of delivered mail whose last attempt was before a moment; gives how many."""
        return await self._write(Rank.DROP_SPENT, settling.drop_spent, (before, limit))
