"""What the queue knows and does beside mail that comes and goes: delays, alerts, quotas, pauses, history, backups."""

from relay.storage import accepting, arrivals, backups, expiry, outbox, pausing, quota, settling, watches
from relay.storage.access import Access, asks, writes, writes_as
from relay.storage.operation import Rank


class Upkeep(Access):
    """The part of the queue that looks after it; each method is documented by the function that it is made of."""

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
    take_watch_step = writes_as(Rank.WATCH, watches.take_step)

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
    purge_arrivals = writes(Rank.PURGE_ARRIVALS, arrivals.purge)
    drop_spent = writes(Rank.DROP_SPENT, settling.drop_spent)

    # Backups
    backup_state = asks(backups.read_state)
    backup_begun = writes(Rank.BACKUP_BEGUN, backups.note_begun)
    backup_done = writes(Rank.BACKUP_DONE, backups.note_done)
    backup_failed = writes(Rank.BACKUP_FAILED, backups.note_failed)
