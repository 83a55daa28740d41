"""Certificates while the service runs: the office's own is made anew in time, and what has changed is taken over.

So a certificate from elsewhere, such as certbot's, needs no command once it is renewed. Where new files are of no use
the listeners go on with what they had.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from relay.certificates.store import Store
from relay.emitting import emit
from relay.events.service import (
    CertificateNotRenewed,
    CertificateNotTakenOver,
    CertificateRenewed,
    CertificateTakenOver,
)
from relay.model.errors import RelayError
from relay.runtime import Runtime

ROUND: Final = 60.0
"""Seconds between two looks at the files."""
AGAIN: Final = 3_600_000
"""Milliseconds after which a certificate that could not be made anew is tried again."""

_Sign: TypeAlias = tuple[int, int, int]


class CertificateKeeper:
    """Looks after the certificates of one service."""

    def __init__(self, runtime: Runtime, take_over: Callable[[Path], None]) -> None:
        self._settings, self._now = runtime.settings, runtime.now
        self._take_over = take_over
        """Makes the listeners read a certificate's file anew. Raises RelayError."""
        self._known = self._look()
        """What the listeners show, by the files of the certificate and of its key."""
        self._refused: dict[tuple[Path, Path], object] = {}
        self._tried = -AGAIN

    async def run(self) -> None:
        """Look after them for ever."""
        while True:
            await self.look()
            await asyncio.sleep(ROUND)

    async def look(self) -> None:
        """Make the office's own certificate anew if it is time, and take over what has changed."""
        await self._renew()
        found = await asyncio.to_thread(self._look)
        for pair, signs in found.items():
            if pair not in self._known:  # a reload has just read it
                self._known[pair] = signs
            elif signs != self._known[pair]:
                self._take(pair, signs)
        self._known = {pair: self._known[pair] for pair in found}

    async def _renew(self) -> None:
        now = self._now()
        if now - self._tried < AGAIN:
            return
        store = Store(self._settings().folder)
        try:
            made = await asyncio.to_thread(store.renew, dt.datetime.fromtimestamp(now / 1000, dt.UTC))
        except (RelayError, OSError) as error:
            emit(CertificateNotRenewed(certificate=str(store.server), reason=str(error)))
            self._tried = now
            return
        if made is not None:
            emit(CertificateRenewed(certificate=str(store.server), until=f"{made.until:%Y-%m-%d}"))

    def _take(self, pair: tuple[Path, Path], signs: object) -> None:
        certificate = pair[0]
        try:
            self._take_over(certificate)
        except RelayError as error:
            if self._refused.get(pair) != signs:
                self._refused[pair] = signs
                emit(CertificateNotTakenOver(certificate=str(certificate), reason=str(error)))
            return
        self._known[pair] = signs  # type: ignore[assignment]
        self._refused.pop(pair, None)
        emit(CertificateTakenOver(certificate=str(certificate)))

    def _look(self) -> dict[tuple[Path, Path], tuple[_Sign | None, _Sign | None]]:
        """Tell files apart from what had their names before."""
        pairs = ((one.certificate, one.private_key) for one in self._settings().listeners)
        return {(c, k): (_sign(c), _sign(k)) for c, k in pairs if c is not None and k is not None}


def _sign(path: Path) -> _Sign | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
