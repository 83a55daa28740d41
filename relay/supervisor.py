"""The only place where concrete objects are built and wired; starts, watches, reloads and stops the service.

Each activity is a loop that is restarted when it fails; only the end of the queue's writer ends the process.
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from relay import __version__
from relay.accounts.credentials import Credentials
from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.admin.desk import Desk
from relay.admin.running import Running
from relay.auth import PasswordChecker
from relay.backing_up import BackupKeeper
from relay.certificate_keeping import CertificateKeeper
from relay.clock import wall_clock
from relay.collection import Collector
from relay.control.server import ControlServer, Handler
from relay.delivery import Delivery
from relay.emitting import emit
from relay.events import service as events
from relay.housekeeping import Housekeeper
from relay.listeners import Listeners
from relay.login_keeping import LoginKeeper
from relay.logs import LogSink
from relay.model.errors import RelayError
from relay.pop_poller import PopPoller
from relay.runtime import Runtime, contain_faults, keep_running
from relay.settings import ConfigurationError, Settings, load_settings
from relay.settings.login_sources import lenient_to
from relay.storage.engine import PATIENCE, open_engine
from relay.storage.lock import StorageLock, name_node
from relay.storage.mailboxes import Mailboxes
from relay.storage.maildir import make_inboxes
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from relay.systemd import feed_watchdog, notify
from relay.watching.watcher import Watcher


class Service:
    """The whole service of one configuration."""

    def __init__(self, settings: Settings, *, sink: LogSink | None = None) -> None:
        self.settings = settings
        self._sink = sink
        self._lock = StorageLock(settings.folder, settings.database)
        self._listeners: Listeners | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()
        """Held while it starts, and while it reads the configuration anew: one at a time."""
        self._reloads: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._ended = asyncio.Event()
        self._reason = ""
        self._failed = False

    async def start(self, *, listen: bool = True) -> None:
        """Take the storage, recover what the last process left, then listen. Raises RelayError."""
        async with self._changing, contextlib.AsyncExitStack() as undo:
            self._lock.acquire()
            undo.callback(self._lock.release)
            await asyncio.to_thread(self._prepare_database)
            prepared = self.settings.prepared_statements
            self._engine = open_engine(self.settings.database, prepared_statements=prepared, patience=PATIENCE)
            undo.callback(self._engine.dispose)
            self._writer = Writer(self._engine)
            node = name_node(self.settings.folder, self._lock.identity)
            self.queue = Queue(self._engine, self._writer, node=node, lease=self.settings.lease)
            undo.push_async_callback(self.queue.close)
            self.tokens = TokenKeeper(self._engine, Sealer(self.settings.folder), node=node, now=wall_clock)
            undo.push_async_callback(self.tokens.close)
            await asyncio.to_thread(self.tokens.begin)
            credentials = Credentials(self.queue.fingerprint_key, self.tokens)
            runtime = Runtime(settings=lambda: self.settings, queue=self.queue, credentials=credentials)
            self.delivery = Delivery(runtime)
            self.mailboxes = Mailboxes(self._engine, self._writer, node=node, lease=self.settings.lease)
            self.watcher = Watcher(
                runtime,
                database=self._engine,
                compose=self.delivery.notifications.composer.plain,
                wake=self.delivery.wake_lanes,
            )
            collector = Collector(runtime, self.mailboxes)
            self.poller = PopPoller(runtime, collector, polled=self.watcher.look_soon)
            self.housekeeper = Housekeeper(runtime)
            self.backups = BackupKeeper(runtime)
            self.logins = LoginKeeper(runtime, self.tokens, try_login=self.delivery.try_login)
            self.certificates = CertificateKeeper(runtime, self._renew_certificate)
            self._warn(self.settings.warnings)
            await self._make_inboxes()
            await self.delivery.recover()
            if listen:
                await self._listen(runtime, undo)
            self._undo = undo.pop_all()

    async def _make_inboxes(self) -> None:
        """Be the first to make the inboxes that a mail reader is to show; who can't be given one is warned of."""
        if self.settings.group is not None:
            users = [user.name for user in self.settings.directory.users]
            self._warn(await asyncio.to_thread(make_inboxes, self.settings.inboxes, users))

    def _prepare_database(self) -> None:
        """Make or upgrade the database, however long that takes."""
        engine = open_engine(self.settings.database, prepared_statements=self.settings.prepared_statements)
        try:
            prepare_database(engine)
        finally:
            engine.dispose()

    def handle_signals(self) -> None:
        """Obey signals from now on; what comes while the service starts is done once it has started."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    async def run(self) -> bool:
        """Serve until a signal, or until the writer dies (false)."""
        self.handle_signals()
        activities: dict[str, Callable[[], Awaitable[None]]] = {
            "delivery": self.delivery.run,
            "poller": self.poller.run,
            "claims": self.housekeeper.keep_claims,
            "housekeeping": self.housekeeper.run,
            "logins": self.logins.run,
            "watching": self.watcher.run,
            "watchdog": partial(feed_watchdog, self._writer.answer),
            "backup": self.backups.run,
            "certificates": self.certificates.run,
        }
        self._tasks = [asyncio.create_task(keep_running(name, work), name=name) for name, work in activities.items()]
        self._tasks.append(asyncio.create_task(self._watch_writer()))
        config, directory, pid = str(self.settings.path), self.settings.directory, os.getpid()
        people, accounts = len(directory.users), len(directory.accounts)
        emit(events.ServiceStarted(version=__version__, config=config, pid=pid, accounts=accounts, users=people))
        notify("READY=1")
        await self._ended.wait()
        await self.stop()
        return not self._failed

    def end(self, reason: str) -> None:
        """Ask the service to stop in good order."""
        self._reason = self._reason or reason
        self._ended.set()

    async def stop(self) -> None:
        """Take no new mail, let running work end within `drain_timeout` in all, leave the rest in the queue."""
        self._stopping = True
        notify("STOPPING=1")
        emit(events.ServiceStopping(reason=self._reason or "done", active=self.delivery.active + self.poller.active))
        await self._drain(time.monotonic() + self.settings.limits.drain_timeout / 1000)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._undo.aclose()
        emit(events.ServiceStopped())

    async def _drain(self, deadline: float) -> None:
        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        # First of all they learn to begin nothing more; what runs goes on beside the clients' last mails.
        working = [asyncio.create_task(activity.drain(left())) for activity in (self.delivery, self.poller)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left()), self._changing:
                pass  # a reload that is under way must not open what is being closed
        for task in self._reloads:
            task.cancel()
        if self._listeners is not None:
            await self._listeners.drain(left())
        await asyncio.gather(*working)
        # A mail whose connection was reserved before, and which came in only now, is under way after all.
        await self.delivery.drain(left())

    async def reload(self, by: str = "") -> list[str]:
        """Read the configuration anew, as a whole or not at all: with a mistake the old one stays. Gives the mistakes.

        Listeners are opened, changed and closed, their certificates read anew, the log file opened anew. What takes
        effect only at a restart is said. `by` is who asked, where a person did. Raises RelayError where the service is
        stopping.
        """
        async with self._changing:
            if self._stopping:
                raise RelayError("the service is stopping")
            try:
                # What was named before and is missing since is no mistake of this change.
                lenience = lenient_to(self.settings.login_sources)
                settings = await asyncio.to_thread(load_settings, self.settings.path, lenience=lenience)
            except ConfigurationError as error:
                return self._refuse(error.errors)
            mistakes = self._reopen_log(settings)
            if self._listeners is not None and not mistakes:
                mistakes = await self._listeners.change(settings)
            if mistakes:
                return self._refuse(mistakes)
            self._put_into_force(settings, by)
            await self._make_inboxes()
            return []

    def _refuse(self, mistakes: Sequence[str]) -> list[str]:
        self._reopen_log(self.settings)  # a rotation of the log wants that, whatever stands in the configuration
        for mistake in mistakes:
            emit(events.ConfigurationRefused(mistake=mistake))
        return list(mistakes)

    def _put_into_force(self, settings: Settings, by: str) -> None:
        before = self.settings
        fixed = ("database", "folder", "lease", "prepared_statements")
        restart = [key for key in fixed if getattr(settings, key) != getattr(before, key)]
        if (settings.log.format, settings.log.level) != (before.log.format, before.log.level):
            restart.append("log")
        self._warn(f"{key}: changed; takes effect only at a restart" for key in restart)
        self.settings = dataclasses.replace(settings, database=before.database, folder=before.folder)
        self._warn(settings.warnings)
        emit(events.ConfigurationReloaded(config=str(settings.path), by=by))
        self.delivery.settings_changed()
        self.poller.look()

    def _reopen_log(self, settings: Settings) -> list[str]:
        try:
            if self._sink is not None:
                self._sink.reopen(settings.log.file)
        except OSError as error:
            return [f"{settings.path.name}: log.file: {settings.log.file}: {error.strerror}"]
        return []

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self._reload_by_signal(), name="reload")
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_by_signal(self) -> None:
        with contextlib.suppress(RelayError), contain_faults("reload"):  # a RelayError says that it is stopping
            await self.reload()

    def _renew_certificate(self, certificate: Path) -> None:
        if self._listeners is not None:
            self._listeners.renew_certificate(certificate)

    @property
    def ports(self) -> list[int]:
        """The ports that are listened on, in the order of the configuration."""
        return [] if self._listeners is None else [server.port for server in self._listeners.servers]

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            emit(events.ConfigurationWarning(warning=warning))

    async def _listen(self, runtime: Runtime, undo: contextlib.AsyncExitStack) -> None:
        passwords = PasswordChecker(lambda: self.settings.directory)
        self._listeners = Listeners(lambda: self.settings, Submission(runtime, self.delivery), passwords)
        running = Running(self.delivery, self.poller, self.reload)
        desk = Desk(lambda: self.settings, running)
        undo.push_async_callback(desk.close)
        handlers: dict[str, Handler] = {
            "ask": desk.serve,
            "status": lambda *_: {
                "pid": os.getpid(),
                "version": __version__,
                "ports": self.ports,
                "configuration": self.settings.digest,
            },
        }
        control = ControlServer(self.settings.folder, handlers)
        undo.push_async_callback(control.close)
        undo.push_async_callback(self._listeners.close)
        try:
            await control.start()
        except OSError as error:
            raise RelayError(f"control socket in {self.settings.folder}: {error.strerror}") from error
        await self._listeners.open()  # behind the socket: who reads in the log that it listens may ask the service, too
        desk.load()

    async def _watch_writer(self) -> None:
        await self._writer.dead.wait()
        self._failed = True
        self.end("the queue's writer has died")
