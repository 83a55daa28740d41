"""The only place where concrete objects are built and wired; starts, watches, reloads and stops the service.

Each activity is a loop that is restarted with backoff when it fails; only the end of the queue's writer ends the
process.
"""

import asyncio
import contextlib
import dataclasses
import os
import platform
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from relay import __version__
from relay.auth import PasswordChecker
from relay.collection import Collector, Tell
from relay.control import ControlServer, Handler
from relay.delivery import Delivery
from relay.listeners import Listeners
from relay.logs import LogSink
from relay.model.errors import RelayError
from relay.pop_poller import PopPoller
from relay.settings import ConfigurationError, Settings, load_settings
from relay.storage.engine import open_engine
from relay.storage.lock import StorageLock
from relay.storage.mailboxes import Mailboxes
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from relay.systemd import notify

log = structlog.get_logger()

_HOUSEKEEPING = 60.0
"""Seconds between two rounds: claims on a shared database are prolonged, and old history goes in small steps."""
_PURGED_AT_ONCE = 200
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Service:
    """The whole service of one configuration."""

    def __init__(self, settings: Settings, *, sink: LogSink | None = None) -> None:
        self.settings = settings
        self._sink = sink
        self._lock = StorageLock(settings.folder, settings.database)
        self._listeners: Listeners | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reloading: asyncio.Task[list[str]] | None = None
        self._ended = asyncio.Event()
        self._reason = ""
        self._failed = False

    async def start(self, *, listen: bool = True) -> None:
        """Take the storage, recover what the last process left, then listen. Raises RelayError."""
        async with contextlib.AsyncExitStack() as undo:
            self._lock.acquire()
            undo.callback(self._lock.release)
            self._engine = open_engine(self.settings.database)
            undo.callback(self._engine.dispose)
            await asyncio.to_thread(prepare_database, self._engine)
            self._writer = Writer(self._engine)
            node = f"{platform.node()}:{self.settings.folder}"
            self.queue = Queue(self._engine, self._writer, node=node)
            undo.push_async_callback(self.queue.close)
            self.delivery = Delivery(settings=self._current, queue=self.queue)
            self.mailboxes = Mailboxes(self._engine, self._writer)
            self.poller = PopPoller(
                settings=self._current,
                collector=Collector(settings=self._current, mailboxes=self.mailboxes),
                mailboxes=self.mailboxes,
            )
            self._log_warnings(self.settings)
            await self.delivery.recover()
            undo.push_async_callback(self._close_servers)
            if listen:
                await self._listen()
            self._undo = undo.pop_all()

    async def run(self) -> bool:
        """Serve until a signal, or until the writer dies (false)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        self._watch("delivery", self.delivery.run)
        self._watch("poller", self.poller.run)
        self._watch("housekeeping", self._keep_house)
        self._tasks.append(asyncio.create_task(self._watch_writer()))
        log.info(
            "service_started",
            version=__version__,
            config=str(self.settings.path),
            pid=os.getpid(),
            accounts=len(self.settings.directory.accounts),
            users=len(self.settings.directory.users),
        )
        notify("READY=1")
        await self._ended.wait()
        await self.stop()
        return not self._failed

    def end(self, reason: str) -> None:
        """Ask the service to stop in good order."""
        self._reason = self._reason or reason
        self._ended.set()

    async def stop(self) -> None:
        """Take no new mail, let running work end within `drain_timeout`, leave the rest in the queue."""
        notify("STOPPING=1")
        log.info("service_stopping", reason=self._reason or "done", active=self.delivery.active + self.poller.active)
        patience = self.settings.limits.drain_timeout / 1000
        if self._listeners is not None:
            await self._listeners.drain(patience)
        await asyncio.gather(self.delivery.drain(patience), self.poller.drain(patience))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._undo.aclose()
        log.info("service_stopped")

    async def reload(self) -> list[str]:
        """Read the configuration anew; with a mistake in it the old one stays. Gives the mistakes.

        Listeners are opened, changed and closed, their certificates read anew, the log file opened anew. What takes
        effect only at a restart is said.
        """
        try:
            settings = load_settings(self.settings.path)
        except ConfigurationError as error:
            for mistake in error.mistakes:
                log.error("configuration_refused", mistake=mistake)
            self._reopen_log(self.settings)
            return list(error.mistakes)
        restart = [key for key in ("database", "folder") if getattr(settings, key) != getattr(self.settings, key)]
        if (settings.log.format, settings.log.level) != (self.settings.log.format, self.settings.log.level):
            restart.append("log")
        for key in restart:
            log.warning("configuration_warning", warning=f"{key}: changed; takes effect only at a restart")
        faults = self._reopen_log(settings)
        self.settings = dataclasses.replace(settings, database=self.settings.database, folder=self.settings.folder)
        faults += await self._listeners.change() if self._listeners is not None else []
        for fault in faults:
            log.error("configuration_refused", mistake=fault)
        self._log_warnings(settings)
        log.info("configuration_reloaded", config=str(settings.path))
        self.delivery.hurry()
        self.poller.look()
        return faults

    def _reopen_log(self, settings: Settings) -> list[str]:
        try:
            if self._sink is not None:
                self._sink.reopen(settings.log.file)
        except OSError as error:
            return [f"log.file: {error.strerror}"]
        return []

    def _reload_soon(self) -> None:
        self._reloading = asyncio.create_task(self.reload(), name="reload")

    def _current(self) -> Settings:
        return self.settings

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order of the configuration."""
        return [] if self._listeners is None else [server.port for server in self._listeners.servers]

    def _log_warnings(self, settings: Settings) -> None:
        for warning in settings.warnings:
            log.warning("configuration_warning", warning=warning)

    async def _listen(self) -> None:
        submission = Submission(settings=self._current, queue=self.queue, dispatcher=self.delivery)
        self._listeners = Listeners(
            settings=self._current,
            submission=submission,
            authenticator=PasswordChecker(lambda: self.settings.directory),
        )
        await self._listeners.open()
        handlers: dict[str, Handler] = {
            "look": lambda _: self._do(self.delivery.look),
            "hurry": lambda _: self._do(self.delivery.hurry),
            "reload": lambda _: self._answer_reload(),
            "poll": lambda request: self.poll(request.get("accounts")),
            "status": lambda _: {"pid": os.getpid(), "version": __version__, "ports": self.ports},
        }
        self._control = ControlServer(self.settings.folder, handlers)
        try:
            await self._control.start()
        except OSError as error:
            raise RelayError(f"control socket in {self.settings.folder}: {error.strerror}") from error

    async def _answer_reload(self) -> AsyncIterator[dict[str, Any]]:
        yield {"mistakes": await self.reload()}

    def _do(self, action: Callable[[], None]) -> dict[str, Any]:
        action()
        return {}

    async def poll(self, names: object) -> AsyncIterator[dict[str, Any]]:
        """Poll these mailboxes (None: all) now, and tell of the progress: first `fetched` and `total`, then results."""
        collected = [account for account in self.settings.directory.accounts if account.is_collected]
        accounts = [a for a in collected if not isinstance(names, list) or a.name in names]
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        def tell(account: str) -> Tell:
            return lambda fetched, total: news.put_nowait({"account": account, "fetched": fetched, "total": total})

        polls = asyncio.create_task(self.poller.poll_now(accounts, tell))
        polls.add_done_callback(lambda _: news.put_nowait({}))
        while progress := await news.get():
            yield progress
        for name, result in (await polls).items():
            if isinstance(result, str):
                yield {"account": name, "error": result}
            else:
                yield {"account": name, "result": dataclasses.asdict(result)}

    async def _close_servers(self) -> None:
        if self._listeners is not None:
            await self._listeners.close()
        if hasattr(self, "_control"):
            await self._control.close()

    def _watch(self, activity: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._keep_running(activity, work), name=activity))

    async def _keep_running(self, activity: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run an activity; begin again after a fault, later each time."""
        faults = 0
        while True:
            try:
                await work()
            except Exception as error:  # an activity's fault must not end the others
                pause = _BACKOFF[min(faults, len(_BACKOFF) - 1)]
                faults += 1
                log.exception("activity_failed", activity=activity, error=repr(error), restart_in=pause)
                await asyncio.sleep(pause)
            else:
                return

    async def _keep_house(self) -> None:
        while True:
            await self.queue.renew_leases()
            now, limits = time.time_ns() // 1_000_000, self.settings.limits
            purged = await self.queue.purge_history(now - limits.keep_history, _PURGED_AT_ONCE)
            if limits.keep_delivered:
                before = now - limits.keep_delivered
                spent = await self.queue.drop_spent(before, _PURGED_AT_ONCE)
                purged = max(purged, spent)
            # Between two steps, mail goes first.
            await asyncio.sleep(1 if purged == _PURGED_AT_ONCE else _HOUSEKEEPING)

    async def _watch_writer(self) -> None:
        await self._writer.dead.wait()
        self._failed = True
        self.end("the queue's writer has died")
