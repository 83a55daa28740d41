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
from relay.storage.queue import Queue

log = structlog.get_logger()


def fingerprint(key: bytes, server: SmtpServer, password: str | None) -> str:
    """Hash what a login depends on. Comparable with the same key only: nobody can guess a password from it."""
    parts = (server.host, server.port, server.security, server.username, password, server.verify, server.ca_file)
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

    async def login_refused(self, account: str, reply: Reply, settings: str) -> bool:
        """Pause an account, or put off its next probe; true where the pause is new."""
        async with self._lock:
            old = self._pauses.get(account)
            if old is not None and old.by_person:
                return False
            now, (policy, hours) = self._now(), self._retry()
            probes = 0 if old is None else old.probes + 1
            pause = Pause(
                account=account,
                since=now if old is None else old.since,
                until=None,
                reason=str(reply),
                probes=probes,
                next_probe=next_attempt(
                    policy=policy, hours=hours, attempts=probes + 1, now=now, jitter=self._jitter()
                ),
                fingerprint=settings,
                refusal=reply if old is None else None,
            )
            await self._queue.pause(pause)
            self._pauses[account] = pause
        if old is None:
            log.error("account_paused", account=account, code=reply.code, reply=str(reply), next_probe=pause.next_probe)
        return old is None

    async def resume(self, account: str, reason: str) -> None:
        """End a pause."""
        async with self._lock:
            if self._pauses.pop(account, None) is None:
                return
            await self._queue.resume(account, self._now())
        log.info("account_resumed", account=account, reason=reason)
