"""One attempt of one claimed delivery: reserve, deliver, decide.

Nothing is settled here: an attempt returns what is to be written, and what follows once that is stored. It has told the
lane by then what it learnt of the other side.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from relay.delivery import settlements
from relay.delivery.clock import ClockWatch
from relay.delivery.event_log import log_disposition, log_lost
from relay.delivery.lanes import Lane
from relay.delivery.pauses import PauseBook
from relay.delivery.quota import Quota
from relay.delivery.settlements import Facts
from relay.delivery.storing import log_and_continue, log_failure
from relay.events.event import Event
from relay.model.destination import Destination
from relay.model.errors import ClaimLostError, RelayError
from relay.model.mail import Body, ClaimedDelivery, Created, DeliveryState, Settlement
from relay.model.reply import Reply
from relay.notifications import Notifications
from relay.notifications.policy import Notices, announce
from relay.rules.disposition import Disposition, Schedule, decide_disposition
from relay.rules.retry import counted_time, has_expired, next_attempt
from relay.runtime import Runtime
from relay.transports.registry import Transports
from relay.transports.transport import Login, Progress, Transport, failed


async def _nothing() -> None:
    pass


@dataclass(kw_only=True, slots=True)
class Attempted:
    """What an attempt came to."""

    goes_on: bool = False
    """Whether its worker may take the next delivery of the lane."""
    settlement: Settlement | None = None
    """What is to be written; None: the delivery is requeued as it was."""
    lost: bool = False
    """Whether nothing is to be written, since the delivery is somebody else's by now."""
    then: Callable[[], Awaitable[None]] = _nothing
    """Runs once that is stored: logs, wakes and tells."""
    release: Callable[[], Awaitable[None]] = _nothing
    """Runs in any case at the end: gives back what was reserved of the day."""


class Attempter:
    """Attempts deliveries; the settings are read anew each time."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        transports: Transports,
        pauses: PauseBook,
        notifications: Notifications,
        clock: ClockWatch,
        wake: Callable[[Iterable[Destination]], None],
    ) -> None:
        """`wake` is told which destinations may have something to send."""
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._monotonic, self._random = runtime.now, runtime.monotonic, runtime.random
        self._transports = transports
        self._pauses = pauses
        self._notifications = notifications
        self._clock = clock
        self._wake = wake
        self._quota = Quota(runtime, wake=wake)

    async def attempt(self, lane: Lane, delivery: ClaimedDelivery, body: Body, progress: Progress) -> Attempted:
        """Attempt a delivery and return what follows, which the caller makes durable.

        Raises what cancels it, and a fault of ours after which nothing certain can be written; `progress` tells then
        whether the delivery may have arrived.
        """
        if not delivery.recipients:
            # A settlement that came too late has said that they have it, and the one behind it kept it waiting.
            over = Disposition(outcomes=(), state=DeliveryState.DONE, uncertain=delivery.uncertain)
            reply, settings = Reply(code=0, text="everybody has it already"), self._settings()
            settlement = settlements.settlement_of(delivery, over, reply=reply, at=self._now(), settings=settings)
            return Attempted(goes_on=True, settlement=settlement)
        transport = self._transports.at(delivery.destination)
        if transport is None:
            return Attempted(then=partial(self._after_orphaned, delivery))
        try:
            grant = await self._quota.reserve(lane, transport.terms, delivery)
        except ClaimLostError as error:
            return self._lose(delivery, error)
        except RelayError as error:
            log_failure("attempt", error, queue_id=delivery.message.id)
            lane.failed(self._monotonic())
            return Attempted()
        if not grant.delivery.recipients:
            return Attempted(then=partial(self._quota.stand_back, lane)) if grant.contended else Attempted()
        taken: int | None = 0
        try:
            attempted, taken = await self._attempt(lane, transport, grant.delivery, body, progress)
            attempted.release = partial(self._quota.settle, lane, grant.count, taken=taken)
        except BaseException:
            taken = None if progress.may_have_arrived else 0
            await self._quota.settle(lane, grant.count, taken=taken)
            raise
        return attempted

    async def _attempt(
        self, lane: Lane, transport: Transport, delivery: ClaimedDelivery, body: Body, progress: Progress
    ) -> tuple[Attempted, int | None]:
        """Deliver and decide; returns also how many recipients took it, None where that is in doubt."""
        at, begun = self._now(), self._monotonic()
        account = self._settings().directory.account(delivery.account)  # a reload may remove it meanwhile
        try:
            result = await transport.deliver(delivery, body, progress)
        except ClaimLostError as error:  # before the dot: somebody else has it, or takes it up
            return self._lose(delivery, error), 0
        except Exception as error:  # noqa: BLE001 - a fault of ours, or of the database, defers the mail
            log_failure("attempt", error, queue_id=delivery.message.id)
            result = failed(delivery, progress, error)
            if isinstance(error, RelayError):
                lane.failed(self._monotonic())  # it would refuse the next mail as well
        goes_on = lane.learn(transport.terms, result, self._monotonic())
        if result.learnt.connections is not None and not result.learnt.connected and result.transactions == 1:
            return Attempted(then=partial(self._after_narrowed, delivery)), 0  # whoever has a connection may take it
        again = paused = False
        if result.learnt.login_refused and transport.login is not None:
            if result.learnt.connected:
                with log_and_continue("attempt"):
                    again = await self._pauses.probes_before(delivery.destination.name) > 0
            later = result.learnt.connected
            paused = await self.pause(delivery.destination.name, transport.login, result.reply, later=later)
            if not paused:
                lane.failed(self._monotonic())
        facts = Facts(
            account=account,
            terms=transport.terms,
            delivery=delivery,
            result=result,
            at=at,
            seconds=self._monotonic() - begun,
            paused=paused,
            again=again,
        )
        attempted = await self._decide(facts)
        attempted.goes_on = goes_on
        return attempted, None if result.doubtful else result.delivered

    async def pause(
        self, account: str, login: Login, reply: Reply, *, later: bool = False, fingerprint: str | None = None
    ) -> bool:
        """Pause an account whose login was refused, `later` where it was behind the login.

        `fingerprint`: of what was refused, where that is known to be another one than there is now. False where the
        database does not take it. What is told later is owed from now on.
        """
        try:
            refused = await login.fingerprint() if fingerprint is None else fingerprint
            new = await self._pauses.login_refused(account, reply, refused, later=later)
        except RelayError as error:
            log_failure(f"pause {account}", error)
            return False
        finally:
            login.settled()
        if new:
            with log_and_continue("alert"):
                self._wake(await self._notifications.outbox.send_pending())
        return True

    # What is written

    async def _decide(self, facts: Facts) -> Attempted:
        try:
            return await self._decide_by_rules(facts)
        except Exception as error:  # what was taken is not forgotten, nor sent again, for a fault of ours
            log_failure("conclusion", error, queue_id=facts.delivery.message.id)
            if facts.result.doubtful:
                raise  # it stays active, and is taken up as possibly sent
            settings = self._settings()
            disposition = settlements.without_rules(facts, due=self._now() + settings.retry.intervals[-1])
            settlement = settlements.settlement_of_attempt(facts, disposition, settings)
            return Attempted(settlement=settlement, then=partial(self._after_settled, facts, settlement, disposition))

    async def _decide_by_rules(self, facts: Facts) -> Attempted:
        delivery, result, terms = facts.delivery, facts.result, facts.terms
        settings, now = self._settings(), self._now()
        counted = await self._counted(delivery, now) if facts.counts and terms.gives_up else 0
        disposition = decide_disposition(
            delivery,
            result,
            Schedule(policy=settings.retry, hours=settings.hours, on_uncertain=terms.on_uncertain),
            counted=0 if delivery.message.notice else counted,  # a notice is not dropped, but takes another way
            now=now,
            jitter=self._random(),
        )
        if facts.again and disposition.state is DeliveryState.QUEUED:
            # Late, so that the others' mail goes between two pauses; what it waits there counts for giving up.
            disposition = replace(disposition, due=self._next(len(settings.retry.intervals), now))
        elif facts.paused and disposition.state is DeliveryState.QUEUED:
            disposition = replace(disposition, due=now)  # it goes when the pause ends, which may be over by now
        bounced_notice = delivery.message.notice and bool(disposition.failures)
        if bounced_notice:
            disposition = settlements.wait_instead(disposition, self._next(delivery.attempts + 1, now))
        told = Notices()
        try:
            told = await self._notifications.policy.of_attempt(
                facts.account,
                delivery,
                disposition,
                result.reply,
                of_account=result.setting or (result.reply if result.sender_refused else None),
                confirms=result.confirms,
            )
        except Exception as error:  # noqa: BLE001 - a bounce that nobody is told of would be a mail lost in silence
            log_failure("notice", error, queue_id=delivery.message.id)
            disposition = settlements.wait_instead(disposition, self._next(delivery.attempts + 1, now))
        rescue = None
        waits = disposition.state is DeliveryState.QUEUED
        if delivery.message.notice and waits and (bounced_notice or has_expired(settings.retry, counted)):
            rescue = partial(self._notifications.rerouter.rescue, [delivery], bounced=bounced_notice)
        creates: tuple[Created, ...] = (*settlements.splits_of(delivery, result, disposition, now), *told.notices)
        events = settlements.events_of(result, disposition)
        settlement = settlements.settlement_of_attempt(facts, disposition, settings, creates=creates, events=events)
        then = partial(self._after_settled, facts, settlement, disposition, told.events, rescue)
        return Attempted(settlement=settlement, then=then)

    def _next(self, attempts: int, now: int) -> int:
        settings = self._settings()
        return next_attempt(policy=settings.retry, hours=settings.hours, attempts=attempts, now=now,
                            jitter=self._random())  # fmt: skip

    async def _counted(self, delivery: ClaimedDelivery, now: int) -> int:
        """Return the time that counts for giving up; 0 where it can't be read, since the attempt must be settled."""
        settings = self._settings()
        if now - delivery.since < settings.retry.give_up_after:
            return 0
        with log_and_continue("attempt"):
            await self._clock.look()  # the machine may have slept while the provider was asked
            pauses = await self._queue.pauses_between(delivery.destination.name, delivery.since, now)
            return counted_time(hours=settings.hours, pauses=pauses, since=delivery.since, now=now)
        return 0

    # What follows

    def _lose(self, delivery: ClaimedDelivery, error: ClaimLostError) -> Attempted:
        """Leave a delivery to whoever has it now; nothing of it was sent here."""
        log_lost(delivery, str(error))
        self._queue.abandon(delivery, doubtful=False)
        return Attempted(goes_on=True, lost=True)

    async def _after_settled(
        self,
        facts: Facts,
        settlement: Settlement,
        disposition: Disposition,
        events: Iterable[Event] = (),
        rescue: Callable[[], Awaitable[set[Destination]]] | None = None,
    ) -> None:
        delivery, result = facts.delivery, facts.result
        log_disposition(delivery, disposition, result.reply, seconds=facts.seconds, uncertain=bool(result.doubtful))
        self._wake(announce(settlement.notices, *events))
        if rescue is not None:
            with log_and_continue("notice"):  # the next attempt comes to it again
                self._wake(await rescue())
        if disposition.state is DeliveryState.QUEUED or settlement.splits:
            self._wake({delivery.destination})

    async def _after_narrowed(self, delivery: ClaimedDelivery) -> None:
        self._wake({delivery.destination})

    async def _after_orphaned(self, delivery: ClaimedDelivery) -> None:
        """Hold what has lost its account, and tell the postmaster. Where that fails, the next look does it."""
        with log_and_continue(f"hold {delivery.destination.name}"):
            self._wake(await self._notifications.outbox.hold_orphaned([delivery.destination.name]))
