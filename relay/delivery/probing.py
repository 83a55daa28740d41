"""Probes of paused accounts: a login, by the retry intervals, and at once when its settings have changed."""

import asyncio
import math
from collections.abc import Callable

from relay.delivery.lane_book import LaneBook
from relay.delivery.pauses import PauseBook
from relay.delivery.storing import log_failure
from relay.model.destination import to_account
from relay.model.errors import RelayError
from relay.model.mail import Pause
from relay.rules.retry import latest_due
from relay.runtime import Runtime
from relay.transports.registry import Transports
from relay.transports.transport import Login

LEAST_BETWEEN_PROBES = 10.0
"""Seconds between two looks at whether a paused account may be probed."""


class Prober:
    """Probes the accounts that the service itself has paused."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        pauses: PauseBook,
        transports: Transports,
        lanes: LaneBook,
        resumed: Callable[[], None],
    ) -> None:
        self._settings = runtime.settings
        self._now, self._monotonic = runtime.now, runtime.monotonic
        self._pauses = pauses
        self._transports = transports
        self._lanes = lanes
        self._resumed = resumed
        self._checked: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The probes that run."""
        return list(self._running.values())

    def probe_soon(self) -> None:
        """Let the next look probe whatever may be probed."""
        self._checked.clear()

    def look(self) -> list[float]:
        """Start the probes that may be due; returns the seconds until the next look at them."""
        waits = []
        for pause in self._pauses:
            transport = None if pause.by_person else self._transports.at(to_account(pause.account))
            if transport is None or transport.login is None:
                continue
            left = LEAST_BETWEEN_PROBES - (self._monotonic() - self._checked.get(pause.account, -math.inf))
            if left > 0 or pause.account in self._running:
                waits.append(left if left > 0 else LEAST_BETWEEN_PROBES)
                continue
            self._checked[pause.account] = self._monotonic()
            task = asyncio.create_task(self._probe(pause.account, transport.login), name=f"probe {pause.account}")
            self._running[pause.account] = task
            if pause.next_probe is not None and pause.next_probe > self._now():
                waits.append((pause.next_probe - self._now()) / 1000)
        return waits

    async def _probe(self, account: str, login: Login) -> None:
        """Log in where the time for it has come or the settings are others than those that were refused."""
        try:
            pause = next((pause for pause in self._pauses if pause.account == account), None)
            if pause is None:
                return
            fingerprint = await login.fingerprint()
            others = fingerprint and fingerprint not in pause.fingerprint.split()
            if not (others or self._is_due(pause)) or not await self._pauses.begin_probe(pause, fingerprint):
                return
            refusal = await login.probe()
            if refusal is None:
                self._lanes.at(to_account(account)).answered()
                await self._pauses.resume(account, "the login works again")
                self._resumed()
            else:
                await self._pauses.probe_failed(account, refusal, fingerprint)
        except RelayError as error:
            log_failure(f"probe {account}", error)
        finally:
            del self._running[account]

    def _is_due(self, pause: Pause) -> bool:
        settings, now = self._settings(), self._now()
        latest = latest_due(policy=settings.retry, hours=settings.hours, now=now)
        return pause.next_probe is None or pause.next_probe <= now or pause.next_probe > latest
