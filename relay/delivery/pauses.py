"""Which accounts are paused, since when, and when they are probed.

A refused login pauses an account: its mail stays queued, its clocks stand still. It is probed by the retry intervals,
at once when its settings change, and a person can end the pause. A pause by a person ends only by a person.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from relay.delivery.event_log import said_by
from relay.emitting import emit
from relay.events.accounts import AccountPaused, AccountResumed
from relay.model.mail import Pause
from relay.model.reply import Reply
from relay.rules.moments import utc_time
from relay.rules.retry import next_attempt
from relay.runtime import Runtime

SOON = 600_000
"""Milliseconds after a pause within which a new one goes on with its intervals: the probe that ended it saw little."""


class PauseBook:
    """The pauses that last, as the queue keeps them."""

    def __init__(self, runtime: Runtime) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self._now, self._random = runtime.now, runtime.random
        self._pauses: dict[str, Pause] = {}
        self._lock = asyncio.Lock()

    def __contains__(self, account: str) -> bool:
        """Whether an account is paused."""
        return account in self._pauses

    def __iter__(self) -> Iterator[Pause]:
        return iter(list(self._pauses.values()))

    async def reload(self) -> list[str]:
        """Read what the commands may have changed; gives the accounts that were resumed by a person."""
        async with self._lock:
            fresh = {pause.account: pause for pause in await self._queue.pauses()}
            resumed = [account for account in self._pauses if account not in fresh]
            self._pauses = fresh
        return resumed

    async def begin_probe(self, pause: Pause, fingerprint: str) -> bool:
        """Note that a probe of a paused account begins, and when the next one is due; false where it is not for us.

        Another node may have begun it, or somebody may have ended the pause. Raises StorageError.
        """
        next_probe = self._next_probe(pause.probes + 1)
        return await self._queue.begin_probe(pause, next_probe=next_probe, fingerprint=fingerprint)

    def _next_probe(self, probes: int, *, late: bool = False) -> int:
        settings = self._settings()
        policy, hours = settings.retry, settings.hours
        if late:
            most = max(policy.intervals) // 2
            policy = replace(policy, intervals=tuple(min(one, most) for one in policy.intervals))
        return next_attempt(policy=policy, hours=hours, attempts=probes + 1, now=self._now(), jitter=self._random())

    async def probes_before(self, account: str) -> int:
        """Tell how many probes there were in a pause whose last one has just ended it. Raises StorageError.

        0: there was none. What a person has ended counts for nothing.
        """
        return await self._queue.probes_before(account, self._now() - SOON, self._now())

    async def login_refused(self, account: str, reply: Reply, fingerprint: str, *, later: bool) -> bool:
        """Pause an account whose login was refused to a mail; true where the pause is new. Raises StorageError.

        Soon after a probe the intervals go on. What was refused `later`, behind the login, waits for the longest
        interval, and the account for half of it at most: so the others' mail goes between two pauses.
        """
        async with self._lock:
            if account in self._pauses:
                return False
            probes = await self.probes_before(account)
            return await self._pause(account, reply, fingerprint, probes=probes, later=later)

    async def probe_failed(self, account: str, reply: Reply, fingerprint: str) -> None:
        """Note why an account stays paused. Raises StorageError."""
        async with self._lock:
            old = self._pauses.get(account)
            if old is None or not old.by_person:
                await self._pause(account, reply, fingerprint)

    async def _pause(
        self, account: str, reply: Reply, fingerprint: str, *, probes: int = 0, later: bool = False
    ) -> bool:
        now, old = self._now(), self._pauses.get(account)
        wanted = Pause(
            account=account,
            since=now if old is None else old.since,
            until=None,
            reason=str(reply),
            probes=probes,
            next_probe=self._next_probe(probes, late=later and probes > 0),
            fingerprint=fingerprint,
            refusal=reply if old is None else None,
        )
        # Where another node was first, its probes go on as they are.
        self._pauses[account] = pause = await self._queue.pause(wanted)
        if old is not None or pause.since != now:
            return False
        next_probe = utc_time(pause.next_probe)
        emit(AccountPaused(account=account, **said_by(reply), next_probe=next_probe))
        return True

    async def resume(self, account: str, reason: str) -> None:
        """End a pause."""
        async with self._lock:
            if self._pauses.pop(account, None) is None:
                return
            await self._queue.resume(account, self._now())
        emit(AccountResumed(account=account, reason=reason))
