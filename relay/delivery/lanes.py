"""One lane for each account: its connections, its backlog, its pace, its troubles. Nothing here is durable."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from relay.delivery.fresh import FreshMail
from relay.model.account import SmtpServer
from relay.model.mail import Body, ClaimedDelivery, Work
from relay.model.reply import Reply
from relay.storage.claiming import who_of

FIRST_REST = 5.0
"""Seconds that a lane rests after its server could not be reached; doubled each time, up to `LONGEST_REST`."""
LONGEST_REST = 60.0
FIRST_SLOW_REST = 30.0
"""Seconds that a lane rests when its provider asks for less; doubled each time, up to `LONGEST_SLOW_REST`."""
LONGEST_SLOW_REST = 900.0
NARROW_SECONDS = 900.0
"""Seconds for which a lane keeps to the connections that its provider allowed, before it tries one more."""
MOST_TURNS = 1000
"""Users of whom a lane remembers the source that was served last: who was not served for longest begins anew."""
_MINUTE = 60.0


@dataclass(kw_only=True)
class Lane:
    """The sending side of one account. At most `width` workers run; each goes on until nothing is due."""

    account: str
    work: Callable[["Lane", Work | None], Coroutine[Any, Any, None]]
    """The worker: takes the first piece of work, if there is one, then claims more until the queue has none."""
    width: int = 1
    per_minute: int | None = None
    """How many mails may begin within any minute; None: as many as there are."""
    busy: int = 0
    reserved: int = 0
    """Places that are kept for mails which are just being accepted."""
    again: bool = False
    """Whether something came while a worker was about to stop."""
    fresh: FreshMail = field(default_factory=FreshMail)
    """What was just accepted and waits for a connection."""
    hidden: bool = False
    """Whether something was due when the queue was looked at, so that what is due later was not seen."""
    went_on: bool = False
    """Whether a mail was claimed since."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while one worker reads ahead for all."""
    backlog: bool = True
    """Whether the queue may have something due that is not in `fresh`."""
    rest_until: float = 0.0
    """Monotonic seconds before which no new worker starts."""
    troubles: int = 0
    slowness: int = 0
    """How often the provider asked for less since it last took a mail; meanwhile one connection is enough."""
    unreachable: Reply | None = None
    """Why the server could not be reached the last time."""
    full_until: int = 0
    """Milliseconds since 1970 before which the day's recipients are used up."""
    server: SmtpServer | None = None
    """The settings by which all this was learnt; None: none yet."""
    renewed: bool = False
    """Whether the server or the login is another since this was asked last."""
    reservations: int = 0
    """How many attempts hold recipients of the day that they may give back."""
    crowded: bool = False
    """Whether the day has no room only while these attempts run."""
    served: str = ""
    """The source that was served last."""
    turns: dict[str, str] = field(default_factory=dict)
    """For each user the source of his that was served last; who was served last of all comes last."""
    max_size: int | None = None
    """The largest mail that this server takes, as its last EHLO said; None: not known."""
    allowed: int | None = None
    """How many connections the provider allows, where it refused one more; None: as many as there are."""
    allowed_until: float = 0.0
    """Monotonic seconds until which that holds."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _starts: deque[float] = field(default_factory=deque)
    _claims: int = 0
    """How many workers are just claiming."""

    @property
    def _most(self) -> int:
        if self.slowness:
            return 1
        return self.width if self.allowed is None else min(self.width, self.allowed)

    @property
    def is_free(self) -> bool:
        """Whether one more worker may start."""
        return self.busy + self.reserved < self._most

    @property
    def is_overfull(self) -> bool:
        """Whether more workers run than may by now, so that one of them is to end."""
        return self.busy > self._most

    def adopt(self, server: SmtpServer) -> None:
        """Take up the account's settings as they are now; what was learnt of another server or login is forgotten."""
        before, self.server = self.server, server
        if server is before:
            return
        self.width, self.per_minute = server.connections, server.messages_per_minute
        if before is None:
            return
        if server.recipients_per_day != before.recipients_per_day:
            self.full_until = 0
        if not server.is_like(before):
            self.renewed = True
            self.recovered()
        if (server.host, server.port, server.username) != (before.host, before.port, before.username):
            self.max_size = self.allowed = None
            self.slowness = self.full_until = 0
            self.rest_until = 0.0

    def learn_size(self, server: SmtpServer, size: int | None) -> None:
        """Note what the server of some settings takes; that of settings which are out of date tells nothing."""
        if self.server is None or (server.host, server.port) == (self.server.host, self.server.port):
            self.max_size = size

    def wait(self, now: float) -> float:
        """Tell how many seconds its rest and its pace leave until one more mail may begin."""
        if self.allowed_until <= now:
            self.allowed = None
        wait = max(0.0, self.rest_until - now)
        if self.per_minute is not None:
            while self._starts and self._starts[0] <= now - _MINUTE:
                self._starts.popleft()
            free = self.per_minute - len(self._starts) - self.reserved - self._claims
            if free <= 0:
                wait = max(wait, (self._starts[0] + _MINUTE - now) if self._starts else 1.0)
        return wait

    def begin(self, now: float) -> None:
        """Note that a mail begins, for the pace."""
        if self.per_minute is not None:
            self._starts.append(now)

    def began(self, starts: Iterable[float]) -> None:
        """Note what began before this process did: in order, in monotonic seconds."""
        self._starts.extendleft(reversed([*starts]))

    def serve(self, source: str) -> None:
        """Note whose turn it was."""
        self.served = source
        who = who_of(source)
        self.turns.pop(who, None)
        self.turns[who] = source
        if len(self.turns) > MOST_TURNS:
            del self.turns[next(iter(self.turns))]

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        """Count a mail that is being claimed, for the pace."""
        self._claims += 1
        try:
            yield
        finally:
            self._claims -= 1

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

    def kick(self) -> None:
        """Say that there may be work: a worker starts, or a running one looks once more before it stops."""
        self.again = True
        if self.is_free:
            self.start(None)

    def offer(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Take a mail that is queued and due."""
        if not self.fresh.add(delivery, body):
            self.backlog = True
        self.kick()

    def look(self) -> None:
        """Say that the queue has something due."""
        self.backlog = self.hidden = True
        self.kick()

    def rest(self, now: float) -> float:
        """Rest after trouble with the server; gives the seconds."""
        self.troubles += 1
        self.allowed = None
        return self._rest(now, min(LONGEST_REST, FIRST_REST * 2.0 ** (self.troubles - 1)))

    def slow_down(self, now: float) -> float:
        """Rest since the provider asks for less; gives the seconds."""
        self.slowness += 1
        return self._rest(now, min(LONGEST_SLOW_REST, FIRST_SLOW_REST * 2.0 ** (self.slowness - 1)))

    def keep_to(self, connections: int, now: float) -> None:
        """Use no more connections than these for a while: the provider refused one more."""
        self.allowed, self.allowed_until = max(1, connections), now + NARROW_SECONDS

    def _rest(self, now: float, seconds: float) -> float:
        self.rest_until = now + seconds
        self.forget_fresh()
        return seconds

    def forget_fresh(self) -> None:
        """Keep nothing in memory that will wait for long."""
        self.fresh.clear()
        self.backlog = True

    def recovered(self) -> None:
        """Forget the troubles: the server answers."""
        self.troubles = 0
        self.unreachable = None
        if not self.slowness:
            self.rest_until = 0.0

    def hurry(self) -> None:
        """Forget every rest: a person wants all to go on (`relay queue run`)."""
        self.recovered()
        self.allowed = None
        self.slowness = 0
        self.rest_until = 0.0
        self.full_until = 0

    def took(self) -> None:
        """Note that the provider took a mail: it asks for less no more."""
        self.slowness = 0


class LaneSlot:
    """A place in a lane, kept for a mail that is just being accepted."""

    def __init__(self, lane: Lane, monotonic: Callable[[], float]) -> None:
        self._lane = lane
        self._monotonic = monotonic
        lane.reserved += 1

    def start(self, delivery: ClaimedDelivery, body: Body) -> None:
        """Attempt a delivery at once."""
        self._lane.reserved -= 1
        self._lane.begin(self._monotonic())
        self._lane.start((delivery, body))

    def release(self) -> None:
        """Give the place back; what waits may have it."""
        self._lane.reserved -= 1
        self._lane.kick()
