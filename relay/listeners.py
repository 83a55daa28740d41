"""All listeners of the configuration: opened, changed, drained and closed as it says, at the start and at a reload.

Guarantee: a change is made as a whole or not at all. Everything new is open before anything old is closed; only a port
that a new listener takes over from an old one is closed for that moment, and opened again where the change fails.
"""

import asyncio
import contextlib
import errno
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from relay.emitting import emit
from relay.events.service import ListenerClosed, Listening
from relay.intake.budget import SharedDiskSpace, Shares
from relay.intake.listener_context import ListenerContext, SharedResources
from relay.intake.ports import Authenticator, Submission
from relay.intake.throttle import LoginThrottle
from relay.model.errors import RelayError
from relay.runtime import contain_faults
from relay.server import ListenerServer
from relay.settings import Listener, ListenerTls, Settings
from relay.storage.lock import database_file
from relay.storage.room import DiskRoom, KeptFile

_HANDOVER_TRIES = 20
_HANDOVER_PAUSE = 0.05
"""Seconds between two tries to open a port that an old listener has just closed."""

_MOST_FILES = 1_000_000
_OTHER_FILES = 128
"""Open files that clients leave to the database, providers, mailboxes and the log; of few, they leave a half."""

Place = tuple[str, int, bool, int]


class Listeners:
    """The servers that run, by what can't change while one runs: its address, and whether TLS comes first."""

    def __init__(self, settings: Callable[[], Settings], submission: Submission, authenticator: Authenticator) -> None:
        self.settings = settings
        self.servers: list[ListenerServer] = []
        database = database_file(self.settings().database)  # it never changes while the service runs
        folders = () if database is None else (database.parent,)
        disk = DiskRoom(lambda: (*folders, self.settings().inboxes), lambda: self.settings().limits.free_space)
        kept = KeptFile(database) if database is not None and database.exists() else None
        self._shared = SharedResources(
            submission=submission,
            authenticator=authenticator,
            budget=Shares(self.settings().limits.bytes_in_flight),
            logins=LoginThrottle(authenticator),
            disk_space=SharedDiskSpace(lambda octets: (kept is None or kept.is_there()) and disk.has(octets)),
            files=Shares(_files_for_clients()),
        )
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open all. Raises RelayError where one can't listen."""
        for listener in self.settings().listeners:
            self.servers.append(await self._start(listener, self.settings()))
            _log_listening(self.servers[-1])

    async def change(self, new: Settings) -> list[str]:
        """Do what new settings say as a whole; else gives a line for each mistake, and everything is as it was.

        The caller puts the settings into force when it gets no mistake.
        """
        wanted = dict(_places(new.listeners))
        before = dict(zip((place for place, _ in _places(s.listener for s in self.servers)), self.servers, strict=True))
        gone = [server for place, server in before.items() if place not in wanted]
        opened: dict[Place, ListenerServer] = {}
        interrupted: list[ListenerServer] = []
        changed: list[tuple[ListenerServer, Listener]] = []
        faults = []
        for n, (place, listener) in enumerate(wanted.items(), 1):
            try:
                if place not in before:
                    opened[place] = await self._take_place(listener, new, gone, interrupted)
                else:
                    server, old = before[place], before[place].listener
                    server.change(listener, new.limits, new.hostname, new.language)
                    changed.append((server, old))
            except RelayError as error:
                faults.append(f"{new.path.name}: listener[{n}]: {error}")
        if faults:
            return faults + await self._undo(opened.values(), changed, interrupted)
        self.servers = [opened.get(place) or before[place] for place in wanted]
        self._shared.budget.resize(new.limits.bytes_in_flight)
        for server in opened.values():
            _log_listening(server)
        for server in gone:
            self._leave(server, new.limits.drain_timeout / 1000)
            emit(ListenerClosed(host=server.listener.host, port=server.port))
        return []

    def renew_certificate(self, certificate: Path) -> None:
        """Show what now stands in the file of a certificate to new clients of the listeners that name it.

        Raises RelayError where it is of no use; those go on with what they had.
        """
        for server in self.servers:
            if server.listener.certificate == certificate:
                server.renew_certificate()

    async def drain(self, seconds: float) -> None:
        """Take no new session, let those that hand in a mail end."""
        await asyncio.gather(*(_drain(server, seconds) for server in self.servers), *self._leaving)

    async def close(self) -> None:
        """End whatever is left."""
        servers, self.servers = self.servers, []
        for server in servers:
            await server.close()

    async def _start(self, listener: Listener, settings: Settings, *, tries: int = 1) -> ListenerServer:
        """Open a listener, by several tries where its port is just being closed."""
        context = ListenerContext(
            listener=listener,
            limits=settings.limits,
            hostname=settings.hostname,
            language=settings.language,
            shared=self._shared,
        )
        server = ListenerServer(context)
        for _ in range(1, tries):
            try:
                await server.start()
            except RelayError as error:
                if not _is_taken(error):
                    raise
                await asyncio.sleep(_HANDOVER_PAUSE)
            else:
                return server
        await server.start()
        return server

    async def _take_place(
        self, listener: Listener, new: Settings, gone: Iterable[ListenerServer], interrupted: list[ListenerServer]
    ) -> ListenerServer:
        """Open a new listener; where an old one that is to go has its port, that one is `interrupted` first."""
        try:
            return await self._start(listener, new)
        except RelayError as error:
            holders = [server for server in gone if server.port == listener.port and server not in interrupted]
            if not holders or not _is_taken(error):
                raise
        for server in holders:
            server.stop_listening()
        interrupted += holders
        await asyncio.sleep(0)  # the loop closes sockets in its next turn
        return await self._start(listener, new, tries=_HANDOVER_TRIES)

    async def _undo(
        self,
        opened: Iterable[ListenerServer],
        changed: Iterable[tuple[ListenerServer, Listener]],
        interrupted: Iterable[ListenerServer],
    ) -> list[str]:
        """Lead back to what was before, which is beside those that go on with other settings; gives what failed."""
        old, faults = self.settings(), []
        for server in opened:
            await _drain(server, 0)
            await server.close()
        for server, listener in changed:
            with contextlib.suppress(RelayError):  # its new certificate goes on; the old one is no longer there
                server.change(listener, old.limits, old.hostname, old.language)
        for server in interrupted:
            self._leave(server, old.limits.drain_timeout / 1000)
            try:
                again = await self._start(server.listener, old, tries=_HANDOVER_TRIES)
                self.servers[self.servers.index(server)] = again
            except RelayError as error:
                self.servers.remove(server)
                faults.append(f"{old.path.name}: the listener that was there before: {error}")
        return faults

    def _leave(self, server: ListenerServer, seconds: float) -> None:
        async def leave() -> None:
            await _drain(server, seconds)
            await server.close()

        server.stop_listening()
        task = asyncio.create_task(leave(), name="a listener that is gone")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _drain(server: ListenerServer, seconds: float) -> None:
    with contain_faults(f"drain of port {server.port}"):  # one in a session must not keep the service from ending
        await server.drain(seconds)


def _is_taken(error: RelayError) -> bool:
    return os.strerror(errno.EADDRINUSE) in str(error)


def _files_for_clients() -> int:
    """Tell how many connections this process may have open at a time, of all listeners."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST_FILES
    return max(allowed - _OTHER_FILES, allowed // 2)


def _places(listeners: Iterable[Listener]) -> Iterator[tuple[Place, Listener]]:
    """Say where each listens; several whose port the system chooses are told apart by their order."""
    seen: Counter[tuple[str, int, bool]] = Counter()
    for listener in listeners:
        place = (listener.host, listener.port, listener.tls is ListenerTls.IMPLICIT)
        yield (*place, seen[place]), listener
        seen[place] += 1


def _log_listening(server: ListenerServer) -> None:
    emit(Listening(host=server.listener.host, port=server.port, tls=server.listener.tls))
