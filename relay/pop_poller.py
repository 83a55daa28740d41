"""When which mailbox is polled: by its interval, within the opening hours, never twice at a time.

A mailbox that fails is tried again later each time, and never stops another one. Where its settings are others than
those of its last poll, the password behind a file, variable or command included, it is polled at once.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from relay.collection import Collector, PollResult, Tell, reason_of
from relay.model.account import Account, Pop3Server, Secret
from relay.model.errors import RelayError
from relay.rules.hours import is_open, next_open
from relay.settings import Settings
from relay.settings.secrets import read_secret
from relay.storage.mailboxes import MailboxElsewhereError

log = structlog.get_logger()

LONGEST_BACKOFF = 3600.0
"""Seconds between two polls of a mailbox that fails; its own interval, if that is longer."""
LONGEST_SLEEP = 60.0
_STAGGER = 2.0
"""Seconds over which the first polls after a start are spread."""


@dataclass(kw_only=True, slots=True)
class _Mailbox:
    """What the poller knows of one mailbox."""

    due: float
    """Monotonic seconds."""
    failures: int = 0
    tried: Pop3Server | None = None
    """The settings of the last poll."""
    password: bytes = b""
    """A keyed hash of the password of the last poll that failed; empty where the settings hold it."""
    forgiven: bool = False
    """Whether what it fails at may have been mended while it is polled."""
    failure: str = ""
    """Why the last poll came to no end."""
    task: asyncio.Task[PollResult | None] | None = None
    tells: list[Tell] | None = None

    @property
    def is_polled(self) -> bool:
        return self.task is not None and not self.task.done()


class PopPoller:
    """Polls all mailboxes of the configuration."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        collector: Collector,
        polled: Callable[[], None] = lambda: None,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Build it; `polled` is called whenever a poll has ended, well or not."""
        self._settings = settings
        self._collector = collector
        self._polled = polled
        self._now = now
        self._monotonic = monotonic
        self._jitter = jitter
        self._known: dict[str, _Mailbox] = {}
        self._key = os.urandom(32)
        self._looks: set[asyncio.Task[None]] = set()
        self._alarm = asyncio.Event()
        self._stopping = False

    def look(self) -> None:
        """Look at the accounts anew: the configuration may have changed, or a password that stands elsewhere."""
        for name, mailbox in self._known.items():
            if mailbox.failures and mailbox.tried is not None and _is_elsewhere(mailbox.tried.password):
                task = asyncio.create_task(self._look_at_password(name, mailbox), name=f"look at {name}")
                self._looks.add(task)
                task.add_done_callback(self._looks.discard)
        self._alarm.set()

    @property
    def active(self) -> int:
        """How many polls run."""
        return sum(mailbox.is_polled for mailbox in self._known.values())

    async def run(self) -> None:
        """Poll whenever a mailbox is due, until `drain`."""
        while not self._stopping:
            self._alarm.clear()
            seconds = self.start_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._alarm.wait()

    def start_due(self) -> float:
        """Start the polls that are due; gives the seconds until the next look."""
        settings = self._settings()
        collected = {account.name: account for account in settings.directory.accounts if account.is_collected}
        for name in [name for name, mailbox in self._known.items() if name not in collected and not mailbox.is_polled]:
            del self._known[name]
        now = self._now()
        if not is_open(settings.hours, now):
            return min(LONGEST_SLEEP, (next_open(settings.hours, now) - now) / 1000)
        nearest = LONGEST_SLEEP
        for account in collected.values():
            mailbox = self._mailbox(account)
            if mailbox.is_polled:
                continue
            if mailbox.tried is not None and mailbox.tried != account.pop3:
                self._forgive(mailbox)
            wait = mailbox.due - self._monotonic()
            if wait > 0:
                nearest = min(nearest, wait)
            else:
                self._start(account, mailbox)
        return nearest

    async def poll_now(self, accounts: Sequence[Account], tell: Callable[[str], Tell]) -> dict[str, PollResult | str]:
        """Poll mailboxes at any hour, all at a time; gives what came of it, or what went wrong, by account.

        `tell` makes a listener for an account. A mailbox that is being polled already is waited for.
        """
        results: dict[str, PollResult | str] = {}
        tasks = []
        for account in accounts:
            mailbox = self._mailbox(account)
            if not mailbox.is_polled:
                self._start(account, mailbox)
            assert mailbox.task is not None
            assert mailbox.tells is not None
            mailbox.tells.append(tell(account.name))
            tasks.append(mailbox.task)
        for account, result in zip(accounts, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if isinstance(result, PollResult):
                results[account.name] = result
                continue
            results[account.name] = self._mailbox(account).failure
        return results

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let running polls end for so long, then cut them off: the rest stays on the server."""
        self._stopping = True
        self._alarm.set()
        for look in self._looks:
            look.cancel()
        tasks = [mailbox.task for mailbox in self._known.values() if mailbox.task is not None and mailbox.is_polled]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _mailbox(self, account: Account) -> _Mailbox:
        if account.name not in self._known:
            self._known[account.name] = _Mailbox(due=self._monotonic() + _STAGGER * self._jitter())
        return self._known[account.name]

    def _forgive(self, mailbox: _Mailbox) -> None:
        """Poll a mailbox at once: what it failed at may be mended."""
        mailbox.failures = 0
        mailbox.due = self._monotonic()
        mailbox.forgiven = mailbox.is_polled

    async def _look_at_password(self, name: str, mailbox: _Mailbox) -> None:
        """Poll a mailbox at once where its password is another than that of the poll that failed."""
        assert mailbox.tried is not None
        before = mailbox.password
        now = await self._hash(mailbox.tried.password)
        if now != before == mailbox.password and self._known.get(name) is mailbox:
            self._forgive(mailbox)
            self._alarm.set()

    async def _hash(self, secret: Secret) -> bytes:
        """Hash a password that does not stand in the settings; one that can't be read has a hash of its own."""
        if not _is_elsewhere(secret):
            return b""
        try:
            password = await asyncio.to_thread(read_secret, secret)
        except RelayError:
            return b"-"
        return hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _start(self, account: Account, mailbox: _Mailbox) -> None:
        tells: list[Tell] = []
        mailbox.tells = tells
        mailbox.tried, mailbox.forgiven, mailbox.failure = account.pop3, False, "the poll did not end"

        def tell(fetched: int, total: int) -> None:
            for one in tells:
                one(fetched, total)

        mailbox.task = asyncio.create_task(self._poll(account, mailbox, tell), name=f"poll {account.name}")

    async def _poll(self, account: Account, mailbox: _Mailbox, tell: Tell) -> PollResult | None:
        assert account.pop3 is not None
        interval = account.pop3.interval / 1000
        try:
            result = await self._collector.poll(account, tell)
        except MailboxElsewhereError as error:
            mailbox.due = self._monotonic() + interval * (0.9 + 0.2 * self._jitter())
            mailbox.failure = str(error)
            log.info("poll_elsewhere", account=account.name, reason=mailbox.failure)
            return None
        except Exception as error:  # one mailbox must not stop the others
            mailbox.password = await self._hash(account.pop3.password)
            mailbox.failures += 1
            backoff = max(interval, min(LONGEST_BACKOFF, interval * 2.0 ** min(mailbox.failures - 1, 20)))
            mailbox.due = self._monotonic() + (0.0 if mailbox.forgiven else backoff)
            mailbox.failure = reason_of(error)
            log.error(
                "poll_failed",
                account=account.name,
                error=mailbox.failure,
                next_poll_in=round(mailbox.due - self._monotonic()),
                exc_info=None if isinstance(error, RelayError) else error,
            )
            return None
        finally:
            self._alarm.set()
            self._polled()
        mailbox.failures = 0
        # Mailboxes of one interval must not knock at one provider at the same second for ever.
        mailbox.due = self._monotonic() + interval * (0.9 + 0.2 * self._jitter())
        log.info(
            "poll_finished",
            account=account.name,
            fetched=result.fetched,
            quarantined=result.quarantined,
            failed=result.failed,
            left=result.left,
            deleted=result.deleted,
            seconds=round(result.seconds, 3),
        )
        return result


def _is_elsewhere(secret: Secret) -> bool:
    """Tell whether a password stands in a file, a variable or a command, and may change without the configuration."""
    return secret.value is None
