"""What waits for long: its sender is told once, and what an account can't send is given up in time.

The retry schedule alone would not do: while a server is down, or asks for less, only one mail of its account is tried
now and then. Only what is over by open, unpaused time is touched; the rest waits as if nobody had looked.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from relay.delivery.clock import ClockWatch
from relay.delivery.event_log import log_disposition, log_notices
from relay.delivery.lanes import Lane
from relay.delivery.notices import Notifier
from relay.delivery.retry_policy import contain_faults
from relay.model.account import Account
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, Settlement
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.disposition import Answered, Disposition, Schedule, decide_disposition
from relay.rules.hours import open_after
from relay.rules.retry import counted_since, counted_time, wants_warning
from relay.runtime import Runtime
from relay.storage.expiry import DelayTold, LastAttempt

log = structlog.get_logger()

_AT_ONCE = 500
"""Mails of an account that one look takes; the next look comes within a minute."""
_NEVER = -1
"""A moment before every mail."""
_SLOWED = Reply(code=0, enhanced="4.4.5", text="the provider takes less from this account than it has to send")


class Overdue:
    """Looks through what waits, at most once a minute."""

    def __init__(self, runtime: Runtime, *, notifier: Notifier, clock: ClockWatch) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._notifier = notifier
        self._clock = clock

    async def look(self, lanes: Iterable[Lane]) -> None:
        """Tell whom waiting concerns, then give up what is over, and help notices on. Raises StorageError."""
        for account in await self._queue.queued_accounts():
            with contain_faults(f"delays of {account}"):
                await self._tell_delays(account)
        paused = {pause.account for pause in await self._queue.pauses()}
        for lane in lanes:
            if lane.account in paused:
                lane.outage = None  # its server answers, if only to refuse the login
            elif not lane.destination.is_account:
                continue
            elif lane.is_hindered:
                with contain_faults(f"end of {lane.account}"):
                    await self._give_up(lane)
                if not lane.is_narrowed:  # else notices go over the connections that it has
                    with contain_faults(f"notices of {lane.account}"):
                        await self._notifier.mover.leave(lane.account)
        for account in paused:
            with contain_faults(f"notices of {account}"):
                await self._notifier.mover.leave(account)

    async def _since(self, account: str, span: int) -> int | None:
        """Give the latest moment since which so much counted time has passed for an account; None: for nothing of it.

        So the database is asked for exactly those mails, and hours and pauses are reckoned with once for them all.
        """
        now, oldest = self._now(), await self._queue.oldest_since(account)
        if oldest is None or now - oldest < span:
            return None
        await self._clock.look()  # the machine may have slept since the last look
        pauses = await self._queue.pauses_between(account, oldest, now)
        return counted_since(hours=self._settings().hours, pauses=pauses, span=span, oldest=oldest, now=now)

    # Delays

    async def _tell_delays(self, account: str) -> None:
        policy = self._settings().retry
        before = await self._since(account, policy.warn_after)
        if before is None:
            return
        over = await self._since(account, policy.give_up_after)
        after = _NEVER if over is None else over
        waiting = await self._queue.delayed(account, after=after, before=before, limit=_AT_ONCE)
        for queue_id, group in itertools.groupby(waiting, key=lambda delivery: delivery.message.id):
            with contain_faults(f"delay of {queue_id}"):
                await self._tell_delay([*group])

    async def _tell_delay(self, deliveries: list[ClaimedDelivery]) -> None:
        settings, now = self._settings(), self._now()
        await self._clock.look()
        due = []
        for delivery in deliveries:
            pauses = await self._queue.pauses_between(delivery.account, delivery.since, now)
            counted = counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
            if wants_warning(settings.retry, counted, warned=delivery.warned):
                due.append((counted, delivery))
        if not due:
            return
        told = [delivery for _, delivery in due]
        left = settings.retry.give_up_after - max(counted for counted, _ in due)
        account = settings.directory.account(told[0].account)
        notice = await self._notifier.compose_delay(told, account, open_after(settings.hours, now, left))
        message = told[0].message
        wish = DelayTold(message_id=message.id, delivery_ids=tuple(d.id for d in told), at=now, notice=notice)
        if not await self._queue.tell_delay(wish):
            return  # another node has told it
        log.warning("mail_delayed", queue_id=message.id, account=told[0].account, deliveries=len(told),
                    told=notice is not None)  # fmt: skip
        if notice is not None:
            log_notices([notice])
            self._notifier.wake({delivery.destination for delivery in notice.deliveries})

    # The end

    async def _give_up(self, lane: Lane) -> None:
        settings = self._settings()
        account = settings.directory.account(lane.account)
        before = await self._since(lane.account, settings.retry.give_up_after)
        if account is None or before is None:
            return
        waiting = await self._queue.queued_before(lane.account, before, _AT_ONCE)
        await self._notifier.mover.rescue(one for one in waiting if one.message.notice)
        mails = [delivery for delivery in waiting if not delivery.message.notice]
        last = await self._queue.last_attempts([delivery.id for delivery in mails])
        for queue_id, group in itertools.groupby(mails, key=lambda delivery: delivery.message.id):
            with contain_faults(f"end of {queue_id}"):
                await self._give_up_mail(lane, account, [*group], last)

    async def _give_up_mail(
        self, lane: Lane, account: Account, deliveries: list[ClaimedDelivery], last: dict[str, LastAttempt]
    ) -> None:
        """Give a mail up: one notice tells of all its recipients, one transaction writes it all, or nothing."""
        settings, now = self._settings(), self._now()
        ends = [(one, self._reply(lane, last.get(one.id))) for one in deliveries]
        dispositions = [(one, reply, self._conclude(account, one, reply)) for one, reply in ends]
        tried = {r.n: last[one.id].at for one in deliveries if one.id in last for r in one.recipients}
        notices = await self._notifier.compose(
            account,
            replace(deliveries[0], uncertain=max(one.uncertain for one in deliveries)),
            _together([disposition for _, _, disposition in dispositions]),
            ends[0][1],
            tried=tried,
        )
        settlements = [
            Settlement(
                delivery_id=one.id,
                key=make_id(now, os.urandom(10)),
                at=now,
                seconds=0.0,
                reply=reply,
                outcomes=disposition.outcomes,
                state=disposition.state,
                uncertain=disposition.uncertain,
                attempted=False,
                counts=False,
                events=(("given_up", str(reply)),),
                keep_body=settings.limits.keep_delivered > 0,
            )
            for one, reply, disposition in dispositions
        ]
        settlements[0] = replace(settlements[0], notices=tuple(notices))
        if not await self._queue.give_up(settlements):
            return  # one of them is being sent just now: the next look comes
        for one, reply, disposition in dispositions:
            log_disposition(one, disposition, reply, seconds=0.0, uncertain=False)
        log_notices(notices)
        self._notifier.wake({new.destination for notice in notices for new in notice.deliveries})

    def _reply(self, lane: Lane, last: LastAttempt | None) -> Reply:
        """Give the reason: why the server can't be reached, else what the mail itself was told last."""
        return lane.outage or (_SLOWED if last is None else last.reply)

    def _conclude(self, account: Account, delivery: ClaimedDelivery, reply: Reply) -> Disposition:
        settings = self._settings()
        deferred = Outcome(verdict=Verdict.DEFERRED, reply=reply)
        return decide_disposition(
            delivery,
            Answered(outcomes={recipient.n: deferred for recipient in delivery.recipients}),
            Schedule(policy=settings.retry, hours=settings.hours, on_uncertain=account.on_uncertain),
            counted=settings.retry.give_up_after,
            now=self._now(),
            jitter=0.0,
        )


def _together(dispositions: Sequence[Disposition]) -> Disposition:
    """Put the failures of a mail's deliveries together, for the notices that tell of them."""
    return replace(
        dispositions[0],
        failures=tuple(failure for one in dispositions for failure in one.failures),
        archive_failures=tuple(failure for one in dispositions for failure in one.archive_failures),
    )
