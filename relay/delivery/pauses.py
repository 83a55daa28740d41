"""Which accounts are paused, since when, and when they are probed.

A refused login pauses an account: its mail stays queued, its clocks stand still. It is probed by the retry intervals,
at once when its settings change, and a person can end the pause. A pause by a person ends only by a person.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator

import structlog

from relay.model.account import SmtpServer
from relay.model.mail import Pause
from relay.model.policy import RetryPolicy
from relay.model.reply import Reply
from relay.rules.hours import OpeningHours
from relay.rules.retry import next_attempt
from relay.storage.pausing import Probe
from relay.storage.queue import Queue

log = structlog.get_logger()


def fingerprint(key: bytes, server: SmtpServer, password: str | None) -> str:
    """Hash what a login depends on: where, as whom, and the password, or the command that gives it.

    Comparable with the same key only. How the certificate is looked at plays no part: a login is refused behind that.
    """
    parts = (server.host, server.port, server.security, server.username, password, server.password.command)
    return hmac.new(key, repr(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class PauseBook:
    """The pauses that last, as the queue keeps them."""

    def __init__(
        self,
        *,
        queue: Queue,
        retry: Callable[[], tuple[RetryPolicy, OpeningHours]],
        now: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._retry = retry
        self._now = now
        self._jitter = jitter
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

    async def begin_probe(self, pause: Pause, settings: str) -> bool:
        """Note that a probe of a paused account begins, and when the next one is due; false where it is not for us.

        Another node may have begun it, or somebody may have ended the pause. Raises StorageError.
        """
        next_probe = self._next_probe(pause.probes + 1)
        return await self._queue.begin_probe(Probe(pause=pause, next_probe=next_probe, fingerprint=settings))

    def _next_probe(self, probes: int) -> int:
        policy, hours = self._retry()
        return next_attempt(policy=policy, hours=hours, attempts=probes + 1, now=self._now(), jitter=self._jitter())

    async def login_refused(self, account: str, reply: Reply, settings: str) -> bool:
        """Pause an account whose login was refused to a mail; true where the pause is new. Raises StorageError."""
        async with self._lock:
            if account in self._pauses:
                return False
            return await self._pause(account, reply, settings)

    async def probe_failed(self, account: str, reply: Reply, settings: str) -> None:
        """Note why an account stays paused. Raises StorageError."""
        async with self._lock:
            old = self._pauses.get(account)
            if old is None or not old.by_person:
                await self._pause(account, reply, settings)

    async def _pause(self, account: str, reply: Reply, settings: str) -> bool:
        now, old = self._now(), self._pauses.get(account)
        wish = Pause(
            account=account,
            since=now if old is None else old.since,
            until=None,
            reason=str(reply),
            next_probe=self._next_probe(0),
            fingerprint=settings,
            refusal=reply if old is None else None,
        )
        # Where another node was first, its probes go on as they are.
        self._pauses[account] = pause = await self._queue.pause(wish)
        if old is not None or pause.since != now:
            return False
        log.error("account_paused", account=account, code=reply.code, reply=str(reply), next_probe=pause.next_probe)
        return True

    async def resume(self, account: str, reason: str) -> None:
        """End a pause."""
        async with self._lock:
            if self._pauses.pop(account, None) is None:
                return
            await self._queue.resume(account, self._now())
        log.info("account_resumed", account=account, reason=reason)
