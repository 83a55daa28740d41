"""One attempt of one claimed delivery: exchange, conclude, settle.

Guarantee: an attempt that ran to its end is settled in one transaction, tried until the database takes it; one that a
crash ends leaves its row `active`, which is what names it as possibly sent.
"""

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum, auto

import structlog

from relay.delivery.exchange import Body, Exchange, Exchanger, Progress
from relay.delivery.journal import log_conclusion, log_notices
from relay.delivery.lanes import Lane
from relay.delivery.notices import Notifier
from relay.delivery.pauses import PauseBook
from relay.model.account import Account
from relay.model.errors import RelayError
from relay.model.ids import make_id
from relay.model.mail import ClaimedDelivery, DeliveryState, NewDelivery, Recipient, Settlement
from relay.model.outcome import Outcome, Verdict
from relay.model.reply import Reply
from relay.rules.conclusion import Conclusion, conclude
from relay.rules.hours import day_of
from relay.rules.retry import counted_time
from relay.rules.settlement import Answers, judge
from relay.settings import Settings
from relay.storage.counting import Count
from relay.storage.queue import Queue

log = structlog.get_logger()

SETTLE_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between the tries to settle while the database refuses; the last one repeats."""


class Result(Enum):
    """What an attempt says about its account."""

    DONE = auto()
    """The server answered; the next delivery may go."""
    UNREACHABLE = auto()
    """No connection came about; the lane rests."""
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
        *,
        settings: Callable[[], Settings],
        queue: Queue,
        exchanger: Exchanger,
        pauses: PauseBook,
        notifier: Notifier,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._exchanger = exchanger
        self._pauses = pauses
        self._notifier = notifier
        self._now = now
        self._monotonic = monotonic
        self._jitter = jitter

    async def attempt(
        self, lane: Lane, delivery: ClaimedDelivery, body: Body, progress: Progress, *, meanwhile: Meanwhile
    ) -> None:
        """Attempt a delivery and settle it. Raises nothing but what cancels it.

        `meanwhile` runs once, with the result, beside the settlement: what it writes shares its commit. It raises
        nothing.
        """
        account = self._settings().directory.account(delivery.account)
        if account is None or account.excluded or account.smtp is None:
            await self._hold_homeless(delivery)
            await meanwhile(Result.STOPPED)
            return
        count = self._count(account, len(delivery.recipients))
        if count is not None and not await self._queue.count_recipients(count):
            await self._queue.unclaim([delivery.id])
            await meanwhile(Result.FULL)
            return
        at, begun = self._now(), self._monotonic()
        try:
            exchange = await self._exchanger.exchange(lane, account, delivery, body, progress)
        except Exception as error:  # a fault of ours defers the mail, it never loses it
            log.exception("activity_failed", activity="attempt", queue_id=delivery.message.id, error=repr(error))
            exchange = _failed(delivery, progress)
        if exchange.login_refused:
            await self._pause(account, exchange.reply)
        await self._conclude(
            account,
            delivery,
            exchange,
            at=at,
            seconds=self._monotonic() - begun,
            meanwhile=lambda: meanwhile(_result(lane, exchange)),
        )
        if count is not None and not exchange.uncertain:
            taken = sum(outcome.verdict is Verdict.DELIVERED for outcome in exchange.outcomes.values())
            await self._queue.uncount_recipients(replace(count, recipients=count.recipients - taken))

    async def _pause(self, account: Account, reply: Reply) -> None:
        assert account.smtp is not None
        settings = await self._exchanger.fingerprint(account.smtp)
        if await self._pauses.login_refused(account.name, reply, settings):
            await self._notifier.tell_paused(account, reply)

    def _count(self, account: Account, recipients: int) -> Count | None:
        if account.smtp is None or account.smtp.recipients_per_day is None:
            return None
        day = day_of(self._settings().hours, self._now())
        return Count(account.name, day, recipients, account.smtp.recipients_per_day)

    async def give_up(self, delivery: ClaimedDelivery, reply: Reply) -> None:
        """Give a delivery up whose account can't be reached, where its time is over; else it waits on."""
        account = self._settings().directory.account(delivery.account)
        if account is None:
            await self._hold_homeless(delivery)
            return
        deferred = Outcome(verdict=Verdict.DEFERRED, reply=reply)
        exchange = Exchange(outcomes={r.n: deferred for r in delivery.recipients}, reply=reply, unreachable=True)
        await self._conclude(account, delivery, exchange, at=self._now(), seconds=0.0)

    async def _conclude(
        self,
        account: Account,
        delivery: ClaimedDelivery,
        exchange: Exchange,
        *,
        at: int,
        seconds: float,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        settings, now = self._settings(), self._now()
        counted = 0
        if not exchange.login_refused and now - delivery.since > settings.retry.give_up_after:
            pauses = await self._queue.pauses_between(account.name, delivery.since, now)
            counted = counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
        conclusion = conclude(
            delivery,
            outcomes=exchange.outcomes,
            uncertain=exchange.uncertain,
            more_at_once=exchange.more_at_once,
            on_uncertain=account.on_uncertain,
            policy=settings.retry,
            hours=settings.hours,
            counted=counted,
            now=now,
            jitter=self._jitter(),
        )
        if exchange.login_refused and conclusion.state is DeliveryState.QUEUED:
            conclusion = replace(conclusion, due=now)
        split = _split(delivery, exchange.leaving, now)
        reply = exchange.reply
        refusal = reply if exchange.judgement is not None and exchange.judgement.sender_refused else None
        try:
            notices = await self._notifier.compose(
                account, delivery, conclusion, reply, sender_refused=refusal, confirms=exchange.confirms
            )
        except Exception as error:  # a bounce that nobody is told of would be a mail lost in silence
            log.exception("activity_failed", activity="notice", queue_id=delivery.message.id, error=repr(error))
            notices, conclusion = [], _hold_instead(conclusion)
        await self._settle(
            Settlement(
                delivery_id=delivery.id,
                key=make_id(at, os.urandom(10)),
                at=at,
                seconds=seconds,
                reply=exchange.reply,
                outcomes=conclusion.outcomes,
                state=conclusion.state,
                due=conclusion.due,
                uncertain=conclusion.uncertain,
                counts=not exchange.login_refused,
                split=split,
                notices=tuple(notices),
                events=_events(exchange, split),
                keep_body=settings.limits.keep_delivered > 0,
            ),
            meanwhile,
        )
        log_conclusion(delivery, conclusion, exchange.reply, seconds=seconds, uncertain=exchange.uncertain)
        log_notices(notices)
        self._notifier.wake({new.account for notice in notices for new in notice.deliveries})
        if conclusion.state is DeliveryState.QUEUED or split is not None:
            self._notifier.wake({delivery.account})

    async def _settle(self, settlement: Settlement, meanwhile: Callable[[], Awaitable[None]] | None) -> None:
        """Settle, again and again while the database refuses: what the provider took must not be forgotten."""
        for n in itertools.count():
            try:
                settled = self._queue.begin_to_settle(settlement)
                if meanwhile is not None:
                    await meanwhile()
                    meanwhile = None
                await settled
            except RelayError as error:
                log.error("activity_failed", activity="settle", error=str(error))
                await asyncio.sleep(SETTLE_PAUSES[min(n, len(SETTLE_PAUSES) - 1)])
            else:
                return

    async def _hold_homeless(self, delivery: ClaimedDelivery) -> None:
        """Hold what has lost its account, and tell the postmaster."""
        await self._queue.unclaim([delivery.id])
        await self._notifier.tell_homeless(await self._queue.hold_accounts([delivery.account]))


def _result(lane: Lane, exchange: Exchange) -> Result:
    if exchange.login_refused:
        return Result.STOPPED
    if exchange.slow_down:
        log.warning("provider_asks_for_less", account=lane.account, code=exchange.reply.code,
                    reply=str(exchange.reply))  # fmt: skip
        return Result.SLOWED
    if exchange.unreachable:
        return Result.UNREACHABLE
    if exchange.reply.is_positive:
        lane.took()
    return Result.DONE


def _events(exchange: Exchange, split: NewDelivery | None) -> tuple[tuple[str, str], ...]:
    """Name what `relay trace` shows beside the attempt itself."""
    found = []
    if exchange.uncertain:
        found.append(("possible_duplicate", f"no answer to the final dot: {exchange.reply}"))
    if split is not None:
        found.append(("archive_split", f"the blind copy goes by itself: {exchange.reply}"))
    return tuple(found)


def _hold_instead(conclusion: Conclusion) -> Conclusion:
    """Keep what was delivered, and leave the rest to a person."""
    delivered = tuple((n, o) for n, o in conclusion.outcomes if o.verdict is Verdict.DELIVERED)
    state = conclusion.state if len(delivered) == len(conclusion.outcomes) else DeliveryState.HELD
    return replace(conclusion, outcomes=delivered, state=state, failures=())


def _split(delivery: ClaimedDelivery, leaving: tuple[Recipient, ...], now: int) -> NewDelivery | None:
    if not leaving:
        return None
    return NewDelivery(
        id=make_id(now, os.urandom(10)), account=delivery.account, recipients=leaving, version=delivery.version, due=now
    )


def _failed(delivery: ClaimedDelivery, progress: Progress) -> Exchange:
    """Make of a fault of ours what a lost connection would be."""
    taken = Reply(code=250) if progress.dot else None
    answers = Answers(
        mail=taken,
        recipients=tuple(taken for _ in delivery.recipients),
        data=None,
        final=None,
        lost=True,
        uncertain=progress.dot,
        error="a fault inside of the relay; its log says more",
    )
    judgement = judge(delivery.recipients, answers)
    return Exchange(outcomes=judgement.outcomes, reply=judgement.reply, judgement=judgement)
