"""The nightly backup, while the service runs: made by itself, tried again after a failure, its end remembered.

It goes in a thread of its own, in small pieces with rests as long, so that mail goes first. A failure is logged,
remembered in the database, and disturbs nothing else.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Final

from relay.emitting import emit
from relay.events.backup import BackupFailed, BackupFinished, BackupIncomplete, BackupNotRemoved, BackupPostponed
from relay.model.errors import RelayError, StorageBusyError, StorageError
from relay.places import name_page
from relay.rules.nightly import next_backup
from relay.runtime import Runtime
from relay.settings import BackupSettings, Settings
from relay.storage.lock import database_file
from relay.storage.named_files import gather
from relay.storage.saving import Job, Made, Pace, make_backup, remove_old

_LOOK: Final = 60.0
"""Seconds after which the clock is looked at again: it may jump, and a person may have made a backup meanwhile."""
_PATIENCE: Final = 5.0
"""Seconds that the end of the service waits for a backup to clean up; what is left then the next one removes."""


class _StoppedError(RelayError):
    """The service stops in the middle of a backup."""


_Saved = tuple[Made, int, str]
"""A backup, how many old ones were removed, and why others could not be."""


def plan_backup(settings: Settings, backup: BackupSettings, folder: Path | None = None) -> Job:
    """Return what a backup copies; `folder`: where to, in place of the configured one.

    Raises StorageError where the database is not SQLite.
    """
    database = database_file(settings.database)
    if database is None:
        recipe = f"{name_page('backup.md')} has the whole recipe"
        raise StorageError(f"the database is PostgreSQL: copy it with pg_dump ({recipe})")
    return Job(
        folder=folder or backup.folder,
        storage=settings.folder,
        database=database,
        configuration=settings.path,
        inboxes=settings.inboxes if backup.inboxes else None,
        secrets=backup.secrets,
        room=settings.limits.free_space,
    )


class BackupKeeper:
    """Makes the backups of one service."""

    def __init__(self, runtime: Runtime, *, rest: Callable[[float], None] = time.sleep) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._rest = rest
        self._started = self._now()
        self._stopping = threading.Event()

    async def run(self) -> None:
        """Make each backup when it is due, for ever. Raises StorageError where the database gives no answer."""
        while True:
            wait = await self.look()
            await asyncio.sleep(min(_LOOK, wait))

    async def look(self) -> float:
        """Make a backup if one is due; return the seconds until the next one is. Raises StorageError."""
        settings = self._settings()
        if settings.backup is None:
            return _LOOK
        past = await self._queue.backup_state()
        now, zone = self._now(), settings.hours.timezone
        due = next_backup(now=now, started=self._started, past=past, at=settings.backup.at, zone=zone)
        if due > now:
            return (due - now) / 1000
        await self._make(settings, settings.backup)
        return 0.0

    async def _make(self, settings: Settings, backup: BackupSettings) -> None:
        at, begun = self._now(), time.monotonic()
        installation = await self._queue.backup_begun(at)
        try:
            made, removed, trouble = await self._in_thread(lambda: self._save(settings, backup, at, installation))
        except StorageBusyError as error:  # a person makes one just now: no alert for that, the next try is in an hour
            emit(BackupPostponed(folder=str(backup.folder), reason=str(error)))
            return
        except RelayError as error:
            emit(BackupFailed(folder=str(backup.folder), reason=str(error)))
            await self._queue.backup_failed(self._now(), str(error))
            return
        await self._queue.backup_done(at, made.path)
        for line in made.missing:
            emit(BackupIncomplete(folder=str(made.path), missing=line))
        if trouble:
            emit(BackupNotRemoved(folder=str(backup.folder), reason=trouble))
        seconds = round(time.monotonic() - begun, 1)
        emit(BackupFinished(folder=str(made.path), seconds=seconds, size=made.size, removed=removed))

    def _save(self, settings: Settings, backup: BackupSettings, at: int, installation: str) -> _Saved:
        job = plan_backup(settings, backup)
        gathered = gather(job.configuration, secrets=backup.secrets)
        pace = Pace(self._go_on, sleep=self._rest)
        made = make_backup(job, gathered, at=at, installation=installation, step=pace)
        try:
            return made, len(remove_old(made.path, backup.keep, installation)), ""
        except StorageError as error:
            return made, 0, str(error)

    def _go_on(self, _octets: int) -> None:
        if self._stopping.is_set():
            raise _StoppedError("the service stops")

    async def _in_thread(self, work: Callable[[], _Saved]) -> _Saved:
        """Run in a thread of its own; where this is cancelled, wait a moment until it has cleaned up.

        A share that gives no answer holds the thread for ever, but neither the service nor its end.
        """
        result: Future[_Saved] = Future()

        def run() -> None:
            with contextlib.suppress(InvalidStateError):  # nobody waits any more
                try:
                    result.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                    result.set_exception(error)

        thread, saved = threading.Thread(target=run, name="backup", daemon=True), asyncio.wrap_future(result)
        thread.start()
        try:
            return await asyncio.shield(saved)
        except asyncio.CancelledError:
            self._stopping.set()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(saved, _PATIENCE)
            raise
        finally:
            if result.done() and not result.cancelled():
                thread.join(_PATIENCE)
