"""Probes of paused accounts: a login, by the retry intervals, and at once when its settings are others."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

import structlog

from relay.delivery.exchange import Exchanger
from relay.delivery.lanes import Lane
from relay.delivery.pauses import PauseBook
from relay.model.account import Account
from relay.model.errors import RelayError
from relay.model.mail import Pause
from relay.rules.retry import latest_due
from relay.settings import Settings

log = structlog.get_logger()

LEAST_BETWEEN_PROBES = 10.0
"""Seconds between two looks at whether a paused account may be probed."""


class Prober:
    """Probes the accounts that the service itself has paused."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        pauses: PauseBook,
        exchanger: Exchanger,
        lane: Callable[[str], Lane],
        resumed: Callable[[], None],
        now: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._pauses = pauses
        self._exchanger = exchanger
        self._lane = lane
        self._resumed = resumed
        self._now = now
        self._monotonic = monotonic
        self._checked: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The probes that run."""
        return list(self._running.values())

    def hurry(self) -> None:
        """Let the next look probe whatever may be probed."""
        self._checked.clear()

    def look(self, sends: Callable[[str], Account | None]) -> list[float]:
        """Start the probes that may be due; gives the seconds until the next look at them."""
        waits = []
        for pause in self._pauses:
            account = sends(pause.account)
            if pause.by_person or account is None:
                continue
            left = LEAST_BETWEEN_PROBES - (self._monotonic() - self._checked.get(pause.account, -math.inf))
            if left > 0 or pause.account in self._running:
                waits.append(left if left > 0 else LEAST_BETWEEN_PROBES)
                continue
            self._checked[pause.account] = self._monotonic()
            task = asyncio.create_task(self._probe(account), name=f"probe {pause.account}")
            self._running[pause.account] = task
            task.add_done_callback(partial(self._ended, pause.account))
            if pause.next_probe is not None and pause.next_probe > self._now():
                waits.append((pause.next_probe - self._now()) / 1000)
        return waits

    def _ended(self, account: str, _task: asyncio.Task[None]) -> None:
        self._running.pop(account, None)

    async def _probe(self, account: Account) -> None:
        """Log in where the time for it has come or the settings are others than those that were refused."""
        try:
            pause = next((p for p in self._pauses if p.account == account.name), None)
            if pause is None or account.smtp is None:
                return
            settings = await self._exchanger.fingerprint(account.smtp)
            others = settings and settings not in pause.fingerprint.split()
            if not (others or self._is_due(pause)) or not await self._pauses.begin_probe(pause, settings):
                return
            reply = await self._exchanger.log_in(self._lane(account.name), account, account.smtp)
            if reply is None:
                await self._pauses.resume(account.name, "the login works again")
                self._resumed()
            else:
                await self._pauses.probe_failed(account.name, reply, settings)
        except RelayError as error:
            log.error("activity_failed", activity=f"probe {account.name}", error=str(error))

    def _is_due(self, pause: Pause) -> bool:
        settings, now = self._settings(), self._now()
        latest = latest_due(policy=settings.retry, hours=settings.hours, now=now)
        return pause.next_probe is None or pause.next_probe <= now or pause.next_probe > latest
