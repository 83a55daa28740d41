"""Guessing passwords is slow, over all sessions and listeners; who knows his password is not locked out by others.

Each failed login doubles the wait before the next one of its queue. A queue of logins is kept for a client's address,
for all names that have never logged in from there; a user who has, has a queue of his own for that address, so that
nobody else's failures make him wait, and his success shortens nobody's wait. Within a queue one login is tried after
the other, so that many connections guess no faster than one. A name that many addresses guess at waits a little longer
for each try from where it is not known; it is never refused for that. A right password that was remembered from a short
while ago passes without waiting where its user is known; only a few wrong ones are compared so.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from relay.intake.budget import Ip, origin
from relay.intake.ports import Authenticator

_FORGET: Final = 900.0
"""Seconds after the last failure until all of them are forgotten."""
_MOST: Final = 10_000
"""Lanes, names and known clients that are remembered."""
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 8.0
_LONGEST_FOR_NAME: Final = 4.0
_FREE_FOR_NAME: Final = 10
"""Failures of a name, over all addresses, that do not slow it down."""
_PATIENCE: Final = 40.0
"""Seconds that a login waits for those before it in its queue; then it is asked to come again later."""
_FREE_COMPARISONS: Final = 10
"""Wrong passwords of one queue that are compared with what is remembered, before they wait their turn."""


class TooManyLoginsError(Exception):
    """Too many logins of this queue wait already; nothing was checked."""


class Failures:
    """Counts failures by key, and forgets them; what was counted longest ago goes first where there are too many."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def count(self, key: Hashable, now: float) -> int:
        """Tell how many failures there were."""
        count, at = self._counts.get(key, (0, now))
        return 0 if now - at > _FORGET else count

    def last(self, key: Hashable) -> float:
        """Tell when the last one was; long ago where there was none."""
        return self._counts.get(key, (0, float("-inf")))[1]

    def add(self, key: Hashable, now: float) -> None:
        """Count one."""
        count = self.count(key, now)
        self._counts.pop(key, None)
        self._counts[key] = (count + 1, now)
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)


class KeyedLocks:
    """One lock for each key, held in the order in which it was asked for; one that nobody wants takes no memory."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._users: Counter[Hashable] = Counter()

    def users(self, key: Hashable) -> int:
        """Return how many tasks hold the key's lock or wait for it."""
        return self._users[key]

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait for the key's lock, and hold it until the end of the block."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


class LoginThrottle:
    """Asks the authenticator whether logins are right, no faster than guessing may be. Belongs to one event loop."""

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._authenticator = authenticator
        self._monotonic = monotonic
        self._sleep = sleep
        self._login_queues = Failures()
        self._names = Failures()
        self._compared = Failures()
        self._known: OrderedDict[Hashable, None] = OrderedDict()
        self._waits = KeyedLocks()
        self._checks = KeyedLocks()
        self._running: dict[Hashable, asyncio.Task[str | None]] = {}

    async def check(self, ip: Ip, login: str, password: str) -> str | None:
        """Give the user's name, None where login or password is wrong. Raises TooManyLoginsError and what checks raise.

        What has begun is done and counted, also where the caller is cancelled. The same login and password, from the
        same client at the same time, are one guess: the connections of a program log in together.
        """
        client, name = origin(ip), self._authenticator.name_of(login)
        known = (client, name) in self._known
        login_queue: Hashable = (client, name) if known else client
        now = self._monotonic()
        if known and self._compared.count(login_queue, now) < _FREE_COMPARISONS:
            user = self._authenticator.remembered(login, password)
            if user is not None:
                return user
            self._compared.add(login_queue, now)
        guess = (client, login, password)
        task = self._running.get(guess)
        if task is None:
            if self._waits.users(login_queue) * self._delay_of(login_queue, now) > _PATIENCE:
                raise TooManyLoginsError
            work = self._wait_and_try(client, name, login_queue, login, password)
            self._running[guess] = task = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda _: self._running.pop(guess))
        return await asyncio.shield(task)

    async def _wait_and_try(
        self, client: Ip, name: str, login_queue: Hashable, login: str, password: str
    ) -> str | None:
        came = self._monotonic()
        async with self._waits.hold(login_queue):
            now = self._monotonic()
            if now - came > _PATIENCE:
                raise TooManyLoginsError
            opens = self._login_queues.last(login_queue) + self._delay_of(login_queue, now)
            extra = 0.0
            if login_queue == client:
                extra = _delay(self._names.count(name, now) - _FREE_FOR_NAME, _LONGEST_FOR_NAME)
            wait = max(opens - now, extra)
            if wait > 0:
                await self._sleep(wait)
            # One check at a time for each client: none keeps all workers from the others.
            async with self._checks.hold(client):
                user = await self._authenticator.check(login, password)
            self._count(client, name, login_queue, good=user is not None)
            return user

    def _delay_of(self, login_queue: Hashable, now: float) -> float:
        """Return the seconds between two logins of a queue, after the failures that it has had."""
        return _delay(self._login_queues.count(login_queue, now), _LONGEST_DELAY)

    def _count(self, client: Ip, name: str, login_queue: Hashable, *, good: bool) -> None:
        now = self._monotonic()
        if not good:
            self._login_queues.add(login_queue, now)
            self._names.add(name, now)
            return
        self._known[client, name] = None
        self._known.move_to_end((client, name))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def _delay(failures: int, longest: float) -> float:
    """Give the seconds to wait behind so many failures."""
    return min(longest, _FIRST_DELAY * 2.0 ** min(failures - 1, 10)) if failures > 0 else 0.0
