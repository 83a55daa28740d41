"""Looks how things stand, each minute, and tells the postmaster what needs him: once, and once more when it is over.

Guarantee: what he was told is noted in the transaction that queues the notice. Where that can't be written, the log
says so, and the next look tries again. A fault here disturbs nothing else.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from relay.emitting import emit
from relay.events.notifications import AlertCleared, AlertFailed, AlertRaised
from relay.events.service import ActivityFailed
from relay.model.destination import Destination
from relay.model.errors import RelayError
from relay.model.mail import NewMessage
from relay.notifications.policy import announce
from relay.rules.moments import utc_time
from relay.rules.notice_texts import TEXTS
from relay.runtime import Runtime, contain_faults
from relay.storage.engine import Database
from relay.storage.outbox import Watch
from relay.watching.alerting import Change, News, decide, is_moot, subject_of, topic_of
from relay.watching.asking import Running, Service
from relay.watching.findings import Finding, find
from relay.watching.snapshot import Snapshot, look_at_files, take_snapshot
from relay.watching.texts import LANGUAGES, Description, describe

EVERY = 60.0
"""Seconds from one look to the next, and to the first: what stood still while no service ran is soon on its way."""
LEAST = 10.0
"""Seconds between two looks in any case, however often somebody asks for one."""


class Watcher:
    """Watches one service."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        database: Database,
        compose: Callable[[str, Sequence[str], str], NewMessage],
        wake: Callable[[Iterable[Destination]], None],
    ) -> None:
        """`compose` makes a notice to the postmaster of a title, paragraphs and the name of the account concerned.

        `wake` says that there is something new for these destinations.
        """
        self._settings, self._now = runtime.settings, runtime.now
        self._queue = runtime.queue
        self._node = self._queue.node if self._queue.is_shared else ""
        self._database = database
        self._compose = compose
        self._wake = wake
        self._alarm = asyncio.Event()
        self._failed: set[str] = set()
        """What could not be told, of which the log has spoken."""

    def look_soon(self) -> None:
        """Ask for a look, since something may have changed."""
        self._alarm.set()

    async def run(self) -> None:
        """Look for ever."""
        await asyncio.sleep(EVERY)
        while True:
            self._alarm.clear()
            try:
                await self.look()
            except RelayError as error:
                emit(ActivityFailed(activity="watching", error=str(error)))
            await asyncio.sleep(LEAST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY - LEAST):
                    await self._alarm.wait()

    async def look(self) -> tuple[Finding, ...]:
        """Look once, and tell what is news; return what was found. Raises StorageError where nothing can be read."""
        now = self._now()
        snapshot = await asyncio.to_thread(self._read, now)
        findings = find(snapshot, now)
        for change in decide(snapshot.watches, findings, now, node=self._node):
            with contain_faults("alert"):
                await self._tell(change, snapshot)
        return findings

    def _read(self, now: int) -> Snapshot:
        settings = self._settings()
        service, files = Service(running=Running.YES), look_at_files(settings)
        return take_snapshot(settings, self._database, now=now, service=service, files=files)

    async def _tell(self, change: Change, snapshot: Snapshot) -> None:
        watch = change.after or change.before
        assert watch is not None
        subject = subject_of(watch.key) if change.finding is None else change.finding.subject
        notice, after = None, change.after
        if change.news is News.RAISED and change.finding is not None and after is not None:
            finding = replace(change.finding, since=after.since)
            words = describe(finding, self._settings().language, self._show)
            after = replace(after, title=words.title, over=words.over)
            notice = self._raise(finding, words)
        elif change.news is News.CLEARED:
            notice = self._clear(watch, moot=is_moot(watch.key, snapshot))
        try:
            if not await self._queue.take_watch_step(replace(change, after=after, notice=notice)):
                return  # another node has told it
        except RelayError as error:
            if watch.key not in self._failed:
                self._failed.add(watch.key)
                emit(AlertFailed(kind=topic_of(watch.key), subject=subject, error=str(error)))
            return
        self._failed.discard(watch.key)
        if notice is None:
            return
        told = AlertRaised if change.news is News.RAISED else AlertCleared
        kind, since = topic_of(watch.key), utc_time(watch.since)
        self._wake(announce([notice], told(queue_id=notice.message.id, kind=kind, subject=subject, since=since)))

    def _raise(self, finding: Finding, words: Description) -> NewMessage:
        language = LANGUAGES[self._settings().language]
        paragraphs = (
            f"{words.title}. {words.what}",
            "\n".join(f"{label}: {value}" for label, value in words.facts),
            f"{language.action}: {words.action}",
        )
        return self._compose(words.title, paragraphs, finding.subject)

    def _clear(self, watch: Watch, *, moot: bool) -> NewMessage:
        language = LANGUAGES[self._settings().language]
        end = self._now() if watch.well is None else watch.well
        return self._compose(
            language.solved.format(title=watch.title),
            (
                language.moot if moot else watch.over,
                language.lasted.format(start=self._show(watch.since), end=self._show(end)),
            ),
            subject_of(watch.key),
        )

    def _show(self, milliseconds: int) -> str:
        """Write a moment as the clock on the office's wall shows it."""
        settings = self._settings()
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(settings.hours.timezone)
        return moment.strftime(TEXTS[settings.language].date)
