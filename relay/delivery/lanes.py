"""One lane for each destination: its workers, what is due, and what keeps it from sending. Nothing is durable.

Only the lane sets its fields. Others tell it what happened, by its methods and those of what is due; the day's quota is
told beside the queue's count, by its own. `now` is a monotonic time in seconds.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from relay.delivery.due_mail import DueMail
from relay.delivery.event_log import said_by
from relay.delivery.rate_limit import RateLimit
from relay.delivery.restraints import USED_UP_SECONDS, Backoff, ConnectionLimit, DayQuota
from relay.emitting import emit
from relay.events.accounts import AccountNarrowed, AccountSlowed, AccountUnreachable, ProviderAsksForLess
from relay.model.destination import Destination
from relay.model.mail import Body, ClaimedDelivery, Work
from relay.model.reply import Reply
from relay.transports.transport import Terms, TransportResult


@dataclass(kw_only=True)
class Lane:
    """The sending side of one destination. Its workers go on until nothing is due."""

    destination: Destination
    work: Callable[["Lane", Work | None], Coroutine[Any, Any, None]]
    """The worker: takes the first piece of work, if there is one, then claims more until the queue has none."""
    due: DueMail = field(default_factory=DueMail)
    """What is due."""
    again: bool = False
    """Whether something came while a worker was about to stop."""
    prefetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while one worker reads ahead for all."""
    outage: Reply | None = None
    """Why the server could not be reached the last time."""
    max_size: int | None = None
    """The largest mail that this server takes, as its last EHLO said; None: not known."""
    renewed: bool = False
    """Whether what waits is to go at once: the settings are others than those that failed."""
    busy: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    reserved: int = 0
    """Places that are kept for mails which are just being accepted."""
    _claims: int = 0
    """How many workers are just claiming."""
    _terms: Terms | None = None
    """The settings by which all this was learnt; None: none yet."""
    _backoff: Backoff = field(default_factory=lambda: Backoff(first=5.0, longest=60.0))
    """After the server could not be reached, or a fault of ours."""
    _throttle: Backoff = field(default_factory=lambda: Backoff(first=30.0, longest=900.0))
    """After the provider asked for less; until it takes a mail one connection is enough."""
    _rate: RateLimit = field(default_factory=RateLimit)
    _limit: ConnectionLimit = field(default_factory=ConnectionLimit)
    quota: DayQuota = field(default_factory=DayQuota)

    @property
    def account(self) -> str:
        """The account through which its mail leaves; empty for an inbox."""
        return self.destination.account

    # What keeps it from sending

    @property
    def is_free(self) -> bool:
        """Whether one more worker may start."""
        return self.busy + self.reserved < self._most

    @property
    def is_overfull(self) -> bool:
        """Whether more workers run than may by now, so that one of them is to end."""
        return self.busy > self._most

    @property
    def _most(self) -> int:
        return 1 if self._throttle.failures else self._limit.most

    @property
    def is_narrowed(self) -> bool:
        """Whether the provider allows fewer connections than are configured."""
        return self._limit.allowed is not None

    @property
    def is_hindered(self) -> bool:
        """Whether mail may wait since the provider is not reached, or takes less than there is."""
        return self.outage is not None or self._throttle.failures > 0 or self.is_narrowed

    def wait(self, now: float, wall: int) -> float:
        """Return how many seconds are left until one more mail may begin. `wall`: milliseconds since 1970."""
        self._limit.expire(now)
        rate = self._rate.wait(now, pending=self.reserved + self._claims)
        return max(self.rest(now), rate, self.quota.wait(wall))

    def rest(self, now: float) -> float:
        """Return how many seconds are left of a rest after trouble with the server."""
        return max(self._backoff.wait(now), self._throttle.wait(now))

    @property
    def any_hour(self) -> bool:
        """Whether it sends outside of the opening hours as well."""
        return self._terms is not None and self._terms.any_hour

    def adopt(self, terms: Terms) -> None:
        """Take up the settings as they are now; what was learnt of another server or login is forgotten."""
        before, self._terms = self._terms, terms
        if terms is before:
            return
        self._limit.configured, self._rate.per_minute = terms.connections, terms.messages_per_minute
        if before is None:
            return
        if terms.recipients_per_day != before.recipients_per_day:
            self.quota.reset()
        if terms.access != before.access:
            self.renew()
            self.answered()
        if terms.endpoint != before.endpoint:
            self.max_size = None
            self.flush()

    def is_current(self, terms: Terms) -> bool:
        """Tell whether an attempt was made with the server and login of the settings that hold now."""
        return self._terms is None or terms.access == self._terms.access

    # What happened

    def learn(self, terms: Terms, result: TransportResult, now: float) -> bool:
        """Learn from what came of a mail that was sent by these terms; returns whether more of it may go."""
        learnt, reply, account = result.learnt, result.reply, self.destination.name
        self.start_mail(now, result.transactions - 1)  # the first was counted when it began
        if learnt.connected:
            self.connected(terms, learnt.max_size)
        if learnt.answers:
            self.answered()
        elif learnt.unreachable and self.unreachable(reply, connected=learnt.connected):
            emit(AccountUnreachable(account=account, **said_by(reply)))
        if learnt.login_refused:
            return False
        if learnt.connections is not None:
            self.narrowed(learnt.connections, now)
            emit(AccountNarrowed(account=account, connections=learnt.connections, **said_by(reply)))
            return False
        if learnt.throttles or learnt.used_up:
            emit(ProviderAsksForLess(account=account, **said_by(reply)))
            emit(AccountSlowed(account=account, seconds=self.throttled(now, used_up=learnt.used_up)))
            return False
        if learnt.unreachable and self.is_current(terms):
            self.failed(now)
            return False
        if learnt.unreachable:
            self.renew()  # the settings were corrected meanwhile: it goes at once by those
        elif reply.is_positive:
            self.delivered()
        return True

    def connected(self, terms: Terms, max_size: int | None) -> None:
        """Note that a connection came about, and what its server takes, unless the settings are out of date."""
        self.outage = None
        if self._terms is None or terms.endpoint == self._terms.endpoint:
            self.max_size = max_size

    def answered(self) -> None:
        """Note that the server answers."""
        self._backoff.reset()
        self.outage = None

    def delivered(self) -> None:
        """Note that the provider took a mail: it asks for less no more."""
        self._throttle.relax()

    def unreachable(self, reply: Reply, *, connected: bool) -> bool:
        """Note why the server is of no use; return whether that is new. `connected`: it was lost only later."""
        if self.outage is not None:
            return False
        self.outage = reply
        return not (connected and self._backoff.failures)

    def failed(self, now: float) -> None:
        """Rest, since nothing came about; a rest that runs is not made longer."""
        if self.rest(now) <= 0:
            self._limit.lift()
            self._backoff.fail(now)
            self.due.drop()

    def throttled(self, now: float, *, used_up: bool = False) -> float:
        """Rest since the provider asks for less, or `used_up` since all is sent that may be; return the seconds."""
        self.due.drop()
        return self._throttle.rest(now, USED_UP_SECONDS) if used_up else self._throttle.fail(now)

    def narrowed(self, connections: int, now: float) -> None:
        """Note that the provider refused one connection more than these: no more are used for a while."""
        self._limit.narrow(connections, now)

    def flush(self) -> None:
        """Forget every rest: all is to go on now."""
        self.answered()
        self._limit.lift()
        self._throttle.reset()
        self.quota.reset()

    # The rate, and whose turn it is

    def start_mail(self, now: float, mails: int = 1) -> None:
        """Count a mail that begins, or so many."""
        self._rate.start(now, mails)

    def restore_starts(self, starts: Iterable[float]) -> None:
        """Count mails that began before this process did, in order."""
        self._rate.restore(starts)

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        """Count a mail that is being claimed as one that is about to begin."""
        self._claims += 1
        try:
            yield
        finally:
            self._claims -= 1

    def renew(self) -> None:
        """Say that what waits is to go at once."""
        self.renewed = True

    def take_renewal(self) -> bool:
        """Whether what waits is to go at once; whoever asks sees to it."""
        renewed, self.renewed = self.renewed, False
        return renewed

    def begin_mail(self, now: float) -> None:
        """Count a mail that begins, of those that were due."""
        self.start_mail(now)
        self.due.note_start()

    # Workers and work

    def start(self, first: Work | None) -> None:
        """Start a worker."""
        self.busy += 1
        task = asyncio.create_task(self._run(first), name=f"lane {self.account}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, first: Work | None) -> None:
        try:
            await self.work(self, first)
        finally:
            self.busy -= 1  # in the turn of the loop in which it saw nothing more: no kick falls between
        if self.again and self.is_free:
            self.start(None)  # it ended for want of a place, and the others may have ended since

    def begin_round(self) -> None:
        """Say that a worker looks for the next mail: what comes from now on says so."""
        self.again = False

    def kick(self) -> None:
        """Say that there may be work: a worker starts, or a running one looks once more before it stops."""
        self.again = True
        if self.is_free:
            self.start(None)

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a mail that is queued and due."""
        self.due.add(delivery, body)
        self.kick()

    def rescan(self) -> None:
        """Say that the queue has something due."""
        self.due.note_look()
        self.kick()


class LaneSlot:
    """A place in a lane, kept for a mail that is just being accepted."""

    def __init__(self, lane: Lane, monotonic: Callable[[], float]) -> None:
        self._lane = lane
        self._monotonic = monotonic
        lane.reserved += 1

    def start(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Attempt a delivery at once."""
        self._lane.reserved -= 1
        self._lane.start_mail(self._monotonic())
        self._lane.start((delivery, body))

    def release(self) -> None:
        """Give the place back; what waits may have it."""
        self._lane.reserved -= 1
        self._lane.kick()
