"""What waits for long: its sender is told once, and what an account can't send is given up in time.

The retry schedule alone would not do: while a server is down, or asks for less, only one mail of its account is tried
now and then. Only what is over by open, unpaused time is touched; the rest waits as if nobody had looked.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from relay.delivery.event_log import log_disposition
from relay.delivery.lanes import Lane
from relay.delivery.settlements import settlement_of
from relay.emitting import emit
from relay.events.delivery import MailDelayed
from relay.model.account import Account
from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery
from relay.model.reply import Outcome, Reply, Verdict
from relay.notifications.policy import Policy, announce
from relay.notifications.reroute import Rerouter
from relay.rules.disposition import Answered, Disposition, Schedule, decide_disposition
from relay.rules.hours import open_after
from relay.rules.retry import counted_since, counted_time, wants_warning
from relay.runtime import Runtime, contain_faults
from relay.storage.expiry import LastAttempt

_AT_ONCE = 500
"""Mails of an account that one look takes; the next look comes within a minute."""
_NEVER = -1
"""A moment before every mail."""
_THROTTLED = Reply(code=0, enhanced="4.4.5", text="the provider takes less from this account than it has to send")


class Expiry:
    """Looks through what waits, at most once a minute."""

    def __init__(
        self, runtime: Runtime, *, policy: Policy, rerouter: Rerouter, look_at_clock: Callable[[], Awaitable[None]]
    ) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._policy = policy
        self._rerouter = rerouter
        self._look_at_clock = look_at_clock

    async def look(self, hindered: Iterable[Lane]) -> set[Destination]:
        """Tell senders whose mail waits, then give up what is over, and help notices on. Raises StorageError.

        `hindered`: the lanes whose mail may wait for long. Returns the destinations that have something new.
        """
        woken: set[Destination] = set()
        for account in await self._queue.queued_accounts():
            with contain_faults(f"delays of {account}"):
                woken |= await self._tell_delays(account)
        paused = {pause.account for pause in await self._queue.pauses()}
        leave = set(paused)
        for lane in hindered:
            if lane.account in paused or not lane.is_hindered:  # it may go on again since the look began
                continue
            with contain_faults(f"end of {lane.account}"):
                woken |= await self._give_up(lane)
            if not lane.is_narrowed:  # else notices go over the connections that it has
                leave.add(lane.account)
        for account in leave:
            with contain_faults(f"notices of {account}"):
                woken |= await self._rerouter.leave(account)
        return woken

    async def _since(self, account: str, span: int) -> int | None:
        """Return the latest moment since which so much counted time has passed for an account; None: for no mail of it.

        So the database is asked for exactly those mails, and hours and pauses are reckoned with once for them all.
        """
        now, oldest = self._now(), await self._queue.oldest_since(account)
        if oldest is None or now - oldest < span:
            return None
        await self._look_at_clock()  # the machine may have slept since the last look
        pauses = await self._queue.pauses_between(account, oldest, now)
        return counted_since(hours=self._settings().hours, pauses=pauses, span=span, oldest=oldest, now=now)

    # Delays

    async def _tell_delays(self, account: str) -> set[Destination]:
        policy = self._settings().retry
        before = await self._since(account, policy.warn_after)
        if before is None:
            return set()
        over = await self._since(account, policy.give_up_after)
        after = _NEVER if over is None else over
        waiting = await self._queue.delayed(account, after=after, before=before, limit=_AT_ONCE)
        woken: set[Destination] = set()
        for queue_id, group in itertools.groupby(waiting, key=lambda delivery: delivery.message.id):
            with contain_faults(f"delay of {queue_id}"):
                woken |= await self._tell_delay([*group])
        return woken

    async def _tell_delay(self, deliveries: list[ClaimedDelivery]) -> set[Destination]:
        settings, now = self._settings(), self._now()
        await self._look_at_clock()
        due = []
        for delivery in deliveries:
            pauses = await self._queue.pauses_between(delivery.account, delivery.since, now)
            counted = counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
            if wants_warning(settings.retry, counted, warned=delivery.warned):
                due.append((counted, delivery))
        if not due:
            return set()
        late = [delivery for _, delivery in due]
        left = settings.retry.give_up_after - max(counted for counted, _ in due)
        account, message = settings.directory.account(late[0].account), late[0].message
        told = await self._policy.delay(late, account, open_after(settings.hours, now, left))
        emit(*told.events)
        notice = next(iter(told.notices), None)
        if not await self._queue.tell_delay(message.id, [one.id for one in late], notice, at=now):
            return set()  # another node has told it
        name, count = late[0].account, len(late)
        event = MailDelayed(queue_id=message.id, account=name, deliveries=count, told=notice is not None)
        return announce(told.notices, event)

    # The end

    async def _give_up(self, lane: Lane) -> set[Destination]:
        settings, outage = self._settings(), lane.outage
        account = settings.directory.account(lane.account)
        before = await self._since(lane.account, settings.retry.give_up_after)
        if account is None or before is None:
            return set()
        waiting = await self._queue.queued_before(lane.account, before, _AT_ONCE)
        woken = await self._rerouter.rescue(one for one in waiting if one.message.notice)
        mails = [delivery for delivery in waiting if not delivery.message.notice]
        last = await self._queue.last_attempts([delivery.id for delivery in mails])
        for queue_id, group in itertools.groupby(mails, key=lambda delivery: delivery.message.id):
            with contain_faults(f"end of {queue_id}"):
                woken |= await self._give_up_mail(outage, account, [*group], last)
        return woken

    async def _give_up_mail(
        self, outage: Reply | None, account: Account, deliveries: list[ClaimedDelivery], last: dict[str, LastAttempt]
    ) -> set[Destination]:
        """Give a mail up: one notice tells of all its recipients, one transaction writes it all, or nothing.

        The reason is why the server can't be reached, else what the mail itself was told last.
        """
        settings, now = self._settings(), self._now()
        ends = [(one, outage or (last[one.id].reply if one.id in last else _THROTTLED)) for one in deliveries]
        dispositions = [(one, reply, self._decide(account, one, reply)) for one, reply in ends]
        told = await self._policy.of_attempt(
            account,
            replace(deliveries[0], uncertain=max(one.uncertain for one in deliveries)),
            _together([disposition for _, _, disposition in dispositions]),
            ends[0][1],
            tried={r.n: last[one.id].at for one in deliveries if one.id in last for r in one.recipients},
        )
        emit(*told.events)
        settlements = [
            replace(
                settlement_of(one, disposition, reply=reply, at=now, settings=settings),
                attempted=False,
                events=(("given_up", str(reply)),),
            )
            for one, reply, disposition in dispositions
        ]
        settlements[0] = replace(settlements[0], creates=told.notices)
        if not await self._queue.give_up(settlements):
            return set()  # one of them is being sent just now: the next look comes
        for one, reply, disposition in dispositions:
            log_disposition(one, disposition, reply, seconds=0.0, uncertain=False)
        return announce(told.notices)

    def _decide(self, account: Account, delivery: ClaimedDelivery, reply: Reply) -> Disposition:
        settings = self._settings()
        deferred = Outcome(verdict=Verdict.DEFERRED, reply=reply)
        return decide_disposition(
            delivery,
            Answered(outcomes={recipient.n: deferred for recipient in delivery.recipients}, reply=reply),
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
