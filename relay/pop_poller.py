"""When which mailbox is polled: by its interval, within the opening hours, never twice at a time.

A mailbox whose source learns of new mail is polled before its interval is over, and one whose settings change at once.
One that fails is tried later each time, delays no other, and goes at once when the password that they lead to changes.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from relay.collection import Collector, Tell, reason_of
from relay.emitting import emit
from relay.events.mailboxes import PollElsewhere, PollFailed, PollFinished
from relay.model.account import Account, MailboxServer
from relay.model.errors import RelayError
from relay.model.maildrop import PollResult
from relay.rules.hours import is_open, next_open
from relay.rules.replies import name_poll_cause
from relay.runtime import Runtime
from relay.storage.mailboxes import MailboxElsewhereError

LONGEST_BACKOFF = 3600.0
"""Seconds between two polls of a mailbox that fails; its own interval, if that is longer."""
LONGEST_SLEEP = 60.0
LEAST_PAUSE = 5.0
"""Seconds between two polls of a mailbox at least, however often its server announces new mail."""
_STAGGER = 2.0
"""Seconds over which the first polls after a start are spread."""


@dataclass(kw_only=True, slots=True)
class _Mailbox:
    """What the poller knows of one mailbox."""

    due: float
    """Monotonic seconds."""
    failures: int = 0
    tried: MailboxServer | None = None
    """The settings of the last poll."""
    revision: str = ""
    """That of the credential with which the first poll in a row failed; empty if there was no secret."""
    changed: bool = False
    """Whether the settings changed while it was polled, so that the cause of a failure may be removed."""
    failure: str = ""
    """Why the last poll did not end."""
    task: asyncio.Task[PollResult | None] | None = None
    waiting: asyncio.Task[None] | None = None
    """Between two polls: waits for the source to announce new mail."""
    listeners: list[Tell] = field(default_factory=list)
    """Of the poll that runs, or of the last one."""

    @property
    def is_polled(self) -> bool:
        return self.task is not None and not self.task.done()

    def tell(self, fetched: int, total: int) -> None:
        """Pass on the progress of the poll."""
        for listener in self.listeners:
            listener(fetched, total)

    async def stop_waiting(self) -> None:
        """End the wait for new mail."""
        if self.waiting is not None:
            self.waiting.cancel()
            await asyncio.gather(self.waiting, return_exceptions=True)


class PopPoller:
    """Polls all mailboxes of the configuration."""

    def __init__(self, runtime: Runtime, collector: Collector, *, polled: Callable[[], None] = lambda: None) -> None:
        """Build it; `polled` is called whenever a poll has ended, well or not."""
        self._runtime = runtime
        self._monotonic = runtime.monotonic
        self._collector = collector
        self._polled = polled
        self._known: dict[str, _Mailbox] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._alarm = asyncio.Event()
        self._stopping = False

    def look(self) -> None:
        """Look at the accounts anew: the configuration may have changed, or a password that stands elsewhere."""
        for name, mailbox in self._known.items():
            if mailbox.failures and mailbox.tried is not None:
                task = asyncio.create_task(self._look_at_secret(name, mailbox), name=f"look at {name}")
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
        """Start the polls that are due, and return the seconds until the next look."""
        settings = self._runtime.settings()
        collected = {account.name: account for account in settings.directory.accounts if account.is_collected}
        for name in [name for name, mailbox in self._known.items() if name not in collected and not mailbox.is_polled]:
            mailbox = self._known.pop(name)
            if mailbox.waiting is not None:
                mailbox.waiting.cancel()
            self._collector.forget(name)
        now = self._runtime.now()
        if not is_open(settings.hours, now):
            return min(LONGEST_SLEEP, (next_open(settings.hours, now) - now) / 1000)
        nearest = LONGEST_SLEEP
        for account in collected.values():
            mailbox = self._mailbox(account)
            if mailbox.is_polled:
                continue
            if mailbox.tried is not None and mailbox.tried != account.mailbox:
                self._poll_at_once(mailbox)
            wait = mailbox.due - self._monotonic()
            if wait > 0:
                nearest = min(nearest, wait)
            else:
                self._start(account, mailbox)
        return nearest

    async def poll_now(self, accounts: Sequence[Account], tell: Callable[[str], Tell]) -> dict[str, PollResult | str]:
        """Poll mailboxes at any hour, all at a time, and return by account the result, or what went wrong.

        `tell` makes a listener for an account. For a mailbox that is being polled already, that poll counts.
        """
        tasks = []
        for account in accounts:
            mailbox = self._mailbox(account)
            if not mailbox.is_polled:
                self._start(account, mailbox)
            assert mailbox.task is not None
            mailbox.listeners.append(tell(account.name))
            tasks.append(mailbox.task)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return {
            account.name: result if isinstance(result, PollResult) else self._mailbox(account).failure
            for account, result in zip(accounts, results, strict=True)
        }

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let running polls end for so long, then cut them off: the rest stays on the server."""
        self._stopping = True
        self._alarm.set()
        for look in self._looks:
            look.cancel()
        await asyncio.gather(*(mailbox.stop_waiting() for mailbox in self._known.values()))
        tasks = [mailbox.task for mailbox in self._known.values() if mailbox.task is not None and mailbox.is_polled]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for name in self._known:
            self._collector.forget(name)

    def _mailbox(self, account: Account) -> _Mailbox:
        if account.name not in self._known:
            self._known[account.name] = _Mailbox(due=self._monotonic() + _STAGGER * self._runtime.random())
        return self._known[account.name]

    def _poll_at_once(self, mailbox: _Mailbox) -> None:
        """Make a mailbox due: the cause of its failures may be removed."""
        mailbox.failures = 0
        mailbox.due = self._monotonic()
        mailbox.changed = mailbox.is_polled

    async def _look_at_secret(self, name: str, mailbox: _Mailbox) -> None:
        """Poll a mailbox at once if a person has changed its secret since the poll that failed."""
        assert mailbox.tried is not None
        before = mailbox.revision
        now = await self._revision(mailbox.tried)
        if now != before == mailbox.revision and self._known.get(name) is mailbox:
            self._poll_at_once(mailbox)
            self._alarm.set()

    async def _revision(self, server: MailboxServer) -> str:
        credentials = self._runtime.credentials
        with contextlib.suppress(RelayError):
            return await credentials.revision(credentials.of(server), by_person=True)
        return ""

    def _start(self, account: Account, mailbox: _Mailbox) -> None:
        mailbox.tried, mailbox.changed, mailbox.listeners = account.mailbox, False, []
        mailbox.failure = "the poll did not end"
        mailbox.task = asyncio.create_task(self._poll(account, mailbox), name=f"poll {account.name}")

    async def _poll(self, account: Account, mailbox: _Mailbox) -> PollResult | None:
        assert account.mailbox is not None
        interval = account.mailbox.interval / 1000
        await mailbox.stop_waiting()
        try:
            result = await self._collector.poll(account, mailbox.tell)
        except MailboxElsewhereError as error:
            mailbox.due = self._next_due(interval)
            mailbox.failure = str(error)
            emit(PollElsewhere(account=account.name, reason=mailbox.failure))
            return None
        except Exception as error:  # noqa: BLE001 - one mailbox must not stop the others
            if not mailbox.failures:
                mailbox.revision = await self._revision(account.mailbox)
            mailbox.failures += 1
            backoff = max(interval, min(LONGEST_BACKOFF, interval * 2.0 ** min(mailbox.failures - 1, 20)))
            mailbox.due = self._monotonic() + (0.0 if mailbox.changed else backoff)
            mailbox.failure = reason_of(error)
            left, fault = round(mailbox.due - self._monotonic()), None if isinstance(error, RelayError) else error
            cause = name_poll_cause(mailbox.failure) if fault is None else ""
            emit(
                PollFailed(account=account.name, error=mailbox.failure, next_poll_in=left, cause=cause, exception=fault)
            )
            return None
        finally:
            self._alarm.set()
            self._polled()
        mailbox.failures = 0
        mailbox.due = self._next_due(interval)
        if not self._stopping:
            waiting = self._wait(account.name, mailbox, mailbox.due - self._monotonic())
            mailbox.waiting = asyncio.create_task(waiting, name=f"wait {account.name}")
        counts = {name: getattr(result, name) for name in ("fetched", "quarantined", "failed", "left", "deleted")}
        emit(PollFinished(account=account.name, **counts, seconds=round(result.seconds, 3)))
        return result

    def _next_due(self, interval: float) -> float:
        """Return when to poll again; spread, so that mailboxes do not connect to one provider at the same second."""
        return self._monotonic() + interval * (0.9 + 0.2 * self._runtime.random())

    async def _wait(self, name: str, mailbox: _Mailbox, seconds: float) -> None:
        """Make a mailbox due as soon as its source has learnt of new mail; if that fails, the interval decides."""
        earliest = self._monotonic() + LEAST_PAUSE
        with contextlib.suppress(RelayError):
            await self._collector.wait(name, seconds)
            mailbox.due = min(mailbox.due, max(self._monotonic(), earliest))
            self._alarm.set()
