"""One attempt of one claimed delivery: send, decide, settle.

Guarantee: an attempt that ran to its end is settled in one transaction, tried until the database takes it; a delivery
whose attempt could not begin is given back the same way. One that a crash ends leaves its row `active`, which is what
names it as possibly sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum, auto

import structlog

from relay.delivery import endings
from relay.delivery.clock import ClockWatch
from relay.delivery.event_log import log_disposition, log_lost, log_notices
from relay.delivery.exchange import Exchange, Exchanger, Progress
from relay.delivery.lanes import Lane
from relay.delivery.notices import Notifier
from relay.delivery.pauses import PauseBook
from relay.delivery.quota import Quota
from relay.delivery.retry_policy import log_and_continue, retry_until_stored
from relay.model.account import Account
from relay.model.errors import ClaimLostError, RelayError
from relay.model.mail import Body, ClaimedDelivery, DeliveryState, Settlement
from relay.model.outcome import Verdict
from relay.rules.disposition import Answered, Schedule, decide_disposition
from relay.rules.retry import counted_time, has_expired, next_attempt
from relay.runtime import Runtime

log = structlog.get_logger()


class Result(Enum):
    """What an attempt says about its account."""

    DONE = auto()
    """The server answered; the next delivery may go."""
    UNREACHABLE = auto()
    """No connection came about; the lane rests."""
    NARROWED = auto()
    """The provider refuses one more connection than those that are open; nothing was tried."""
    SLOWED = auto()
    """The provider asks the whole account to send less."""
    FULL = auto()
    """The day's recipients are used up; nothing was tried."""
    STOPPED = auto()
    """The login was refused, or the account is gone: nothing more of it goes."""


Meanwhile = Callable[[Result], Awaitable[None]]
"""What may run while an attempt is being settled."""


class Attempter:
    """Attempts deliveries; an account's settings are read anew each time."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        exchanger: Exchanger,
        pauses: PauseBook,
        notifier: Notifier,
        clock: ClockWatch,
    ) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic, self._jitter = runtime.now, runtime.monotonic, runtime.random
        self._exchanger = exchanger
        self._pauses = pauses
        self._notifier = notifier
        self._clock = clock
        self._quota = Quota(runtime, wake=notifier.wake)

    async def attempt(
        self, lane: Lane, delivery: ClaimedDelivery, body: Body, progress: Progress, *, meanwhile: Meanwhile
    ) -> None:
        """Attempt a delivery and settle it, or give it back where the database fails before anything was sent.

        `meanwhile` runs once, with the result, beside the settlement: what it writes shares its commit. It raises
        nothing. Raises nothing but what cancels it.
        """
        account = self._settings().directory.account(delivery.account)
        if account is None or account.excluded or account.smtp is None:
            await self._hold_homeless(delivery)
            await meanwhile(Result.STOPPED)
            return
        try:
            grant = await self._quota.reserve(lane, account, delivery)
        except ClaimLostError as error:
            self._lose(delivery, error)
            await meanwhile(Result.DONE)
            return
        except RelayError as error:
            log.error("activity_failed", activity="attempt", queue_id=delivery.message.id, error=str(error))
            await self._give_back(delivery)
            await meanwhile(Result.UNREACHABLE)
            return
        if not grant.delivery.recipients:
            await self._give_back(delivery)
            await meanwhile(Result.STOPPED if grant.contended else Result.FULL)
            if grant.contended:
                self._quota.stand_back(lane)
            return
        taken: int | None = None
        try:
            taken = await self._attempt(lane, account, grant.delivery, body, progress, meanwhile)
        except ClaimLostError as error:
            taken = 0
            self._lose(delivery, error)
            await meanwhile(Result.DONE)
        except asyncio.CancelledError:
            taken = None if progress.dot else 0
            raise
        finally:
            await self._quota.settle(lane, grant.count, taken=taken)

    async def _attempt(
        self,
        lane: Lane,
        account: Account,
        delivery: ClaimedDelivery,
        body: Body,
        progress: Progress,
        meanwhile: Meanwhile,
    ) -> int | None:
        """Exchange and settle; gives how many recipients the provider took, None where that is in doubt."""
        at, begun = self._now(), self._monotonic()
        try:
            exchange = await self._exchanger.exchange(lane, account, delivery, body, progress)
        except ClaimLostError:
            raise  # before the dot: somebody else has it, or takes it up
        except Exception as error:  # a fault of ours defers the mail, it never loses it
            log.exception("activity_failed", activity="attempt", queue_id=delivery.message.id, error=repr(error))
            exchange = endings.failed_exchange(delivery, progress)
        if exchange.repeated:
            lane.start_mail(self._monotonic())  # that is a mail more, for the pace
        result = _result(lane, account, exchange, self._monotonic())
        if result is Result.NARROWED and not exchange.repeated:
            await self._give_back(delivery)
            lane.backlog = True  # whoever has a connection may take it
            lane.kick()
            await meanwhile(result)
            return 0
        again = exchange.refused_later and await self._is_refused_again(account)
        paused = exchange.login_refused and await self._pause(account, exchange)
        if exchange.login_refused and not paused:
            result = Result.UNREACHABLE  # so it rests
        await self._conclude(
            account,
            delivery,
            exchange,
            at=at,
            seconds=self._monotonic() - begun,
            paused=paused,
            again=again,
            meanwhile=lambda: meanwhile(result),
        )
        if exchange.uncertain:
            return None
        return sum(outcome.verdict is Verdict.DELIVERED for outcome in exchange.outcomes.values())

    async def _is_refused_again(self, account: Account) -> bool:
        with log_and_continue("attempt"):
            return await self._pauses.probes_before(account.name) > 0
        return False

    async def _pause(self, account: Account, exchange: Exchange) -> bool:
        """Pause an account; false where the database does not take it. What is told later is owed from now on."""
        assert account.smtp is not None
        try:
            settings = await self._exchanger.fingerprint(account.smtp)
            new = await self._pauses.login_refused(account.name, exchange.reply, settings, later=exchange.refused_later)
        except RelayError as error:
            log.error("activity_failed", activity=f"pause {account.name}", error=str(error))
            return False
        finally:
            self._exchanger.paused(account)
        if new:
            with log_and_continue("alert"):
                await self._notifier.tell_owed()
        return True

    async def _conclude(
        self,
        account: Account,
        delivery: ClaimedDelivery,
        exchange: Exchange,
        *,
        at: int,
        seconds: float,
        paused: bool = False,
        again: bool = False,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Settle what an exchange came to, and say so."""
        about = endings.About(
            account=account, delivery=delivery, exchange=exchange, at=at, seconds=seconds, paused=paused, again=again
        )
        try:
            ending = await self._decide(about)
        except Exception as error:  # what the provider took is not forgotten, nor sent again, for a fault of ours
            log.exception("activity_failed", activity="conclusion", queue_id=delivery.message.id, error=repr(error))
            if exchange.uncertain:
                raise  # it stays active, and is taken up as possibly sent
            ending = endings.plain_ending(about, now=self._now(), settings=self._settings())
        settlement, disposition = ending.settlement, ending.disposition
        if not await self._settle(settlement, meanwhile):
            log_lost(delivery, "settled too late", outcomes=settlement.outcomes)
            return
        log_disposition(delivery, disposition, exchange.reply, seconds=seconds, uncertain=exchange.uncertain)
        log_notices(settlement.notices)
        waits = disposition.state is DeliveryState.QUEUED
        self._notifier.wake({new.destination for notice in settlement.notices for new in notice.deliveries})
        if (ending.is_over or ending.bounced_notice) and delivery.message.notice and waits:
            with log_and_continue("notice"):  # the next attempt comes to it again
                await self._notifier.mover.rescue([delivery], bounced=ending.bounced_notice)
        if waits or settlement.splits:
            self._notifier.wake({delivery.destination})

    async def _decide(self, about: endings.About) -> endings.Ending:
        account, delivery, exchange = about.account, about.delivery, about.exchange
        settings, now = self._settings(), self._now()
        counted = await self._counted(delivery, now) if about.counts else 0
        is_over = has_expired(settings.retry, counted)
        disposition = decide_disposition(
            delivery,
            Answered(outcomes=exchange.outcomes, doubtful=exchange.doubtful, more_at_once=exchange.more_at_once),
            Schedule(policy=settings.retry, hours=settings.hours, on_uncertain=account.on_uncertain),
            counted=0 if delivery.message.notice else counted,  # a notice is not dropped, but takes another way
            now=now,
            jitter=self._jitter(),
        )
        if about.again and disposition.state is DeliveryState.QUEUED:
            # Late, so that the others' mail goes between two pauses; what it waits there counts for giving up.
            due = next_attempt(policy=settings.retry, hours=settings.hours, attempts=len(settings.retry.intervals),
                               now=now, jitter=self._jitter())  # fmt: skip
            disposition = replace(disposition, due=due)
        elif about.paused and disposition.state is DeliveryState.QUEUED:
            disposition = replace(disposition, due=now)  # it goes when the pause ends, which may be over by now
        bounced_notice = delivery.message.notice and bool(disposition.failures)
        if bounced_notice:
            disposition = endings.wait_instead(disposition, self._next(delivery, now))
        reply = exchange.reply
        refusal = reply if exchange.judgement is not None and exchange.judgement.sender_refused else None
        try:
            notices = await self._notifier.compose(
                account, delivery, disposition, reply, sender_refused=refusal, confirms=exchange.confirms
            )
        except Exception as error:  # a bounce that nobody is told of would be a mail lost in silence
            log.exception("activity_failed", activity="notice", queue_id=delivery.message.id, error=repr(error))
            notices, disposition = [], endings.wait_instead(disposition, self._next(delivery, now))
        settlement = replace(
            endings.settlement_of(about, disposition, settings=settings),
            splits=endings.splits_of(delivery, exchange, disposition, now),
            notices=tuple(notices),
            events=endings.events_of(exchange, disposition),
        )
        return endings.Ending(
            settlement=settlement, disposition=disposition, is_over=is_over, bounced_notice=bounced_notice
        )

    def _next(self, delivery: ClaimedDelivery, now: int) -> int:
        settings = self._settings()
        return next_attempt(policy=settings.retry, hours=settings.hours, attempts=delivery.attempts + 1, now=now,
                            jitter=self._jitter())  # fmt: skip

    async def _counted(self, delivery: ClaimedDelivery, now: int) -> int:
        """Give the time that counts for giving up; 0 where it can't be read, since the attempt must be settled."""
        settings = self._settings()
        if now - delivery.since < settings.retry.give_up_after:
            return 0
        with log_and_continue("attempt"):
            await self._clock.look()  # the machine may have slept while the provider was asked
            pauses = await self._queue.pauses_between(delivery.account, delivery.since, now)
            return counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
        return 0

    async def _settle(self, settlement: Settlement, meanwhile: Callable[[], Awaitable[None]] | None) -> bool:
        """Settle, again and again while the database refuses: what the provider took must not be forgotten.

        Tells whether the claim still held.
        """

        async def settle() -> bool:
            nonlocal meanwhile
            settled = self._queue.begin_to_settle(settlement)
            if meanwhile is not None:
                await meanwhile()
                meanwhile = None
            return await settled

        return await retry_until_stored("settle", settle)

    def _lose(self, delivery: ClaimedDelivery, error: ClaimLostError) -> None:
        """Leave a delivery to whoever has it now; nothing of it was sent here."""
        log_lost(delivery, str(error))
        self._queue.abandon(delivery, doubtful=False)

    async def _give_back(self, delivery: ClaimedDelivery) -> None:
        """Give back what was surely not sent."""
        await retry_until_stored("unclaim", lambda: self._queue.requeue(delivery))

    async def _hold_homeless(self, delivery: ClaimedDelivery) -> None:
        """Hold what has lost its account, and tell the postmaster. Where that fails, the next look does it."""
        await self._give_back(delivery)
        with log_and_continue(f"hold {delivery.account}"):
            await self._notifier.hold_homeless([delivery.account])


def _result(lane: Lane, account: Account, exchange: Exchange, now: float) -> Result:
    if exchange.login_refused:
        return Result.STOPPED
    if exchange.allowed is not None:
        lane.narrowed(exchange.allowed, now)
        log.warning("account_narrowed", account=lane.account, connections=exchange.allowed, code=exchange.reply.code,
                    reply=str(exchange.reply))  # fmt: skip
        return Result.NARROWED
    if exchange.slow_down:
        log.warning("provider_asks_for_less", account=lane.account, code=exchange.reply.code,
                    reply=str(exchange.reply))  # fmt: skip
        return Result.SLOWED
    if exchange.unreachable:
        if account.smtp is not None and not lane.is_adopted(account.smtp):
            lane.renewed = True  # the settings were corrected meanwhile: it goes at once by those
            return Result.DONE
        return Result.UNREACHABLE
    if exchange.reply.is_positive:
        lane.delivered()
    return Result.DONE
