"""All listeners of the configuration: opened, changed, drained and closed as it says, at the start and at a reload."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from relay.intake.budget import ByteBudget
from relay.intake.hooks import Authenticator, Submission
from relay.intake.room import DiskRoom
from relay.model.errors import RelayError
from relay.server import SmtpServer
from relay.settings import Listener, ListenerTls, Settings

log = structlog.get_logger()


@dataclass(kw_only=True)
class Listeners:
    """The servers that run, by what can't change while one runs: its address, and whether TLS comes first."""

    settings: Callable[[], Settings]
    submission: Submission
    authenticator: Authenticator

    def __post_init__(self) -> None:
        """Begin with none."""
        self.servers: list[SmtpServer] = []
        self._budget = ByteBudget(self.settings().limits.bytes_in_flight)
        self._room = DiskRoom(self.settings().folder, lambda: self.settings().limits.free_space)
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open all. Raises RelayError where one can't listen."""
        for listener in self.settings().listeners:
            await self._open(listener)

    async def change(self) -> list[str]:
        """Do what the new settings say; gives what could not be done, and goes on with the rest."""
        settings, faults = self.settings(), []
        self._budget.resize(settings.limits.bytes_in_flight)
        before = {_place(server.listener): server for server in self.servers}
        wanted = {_place(listener): listener for listener in settings.listeners}
        self.servers = [server for place, server in before.items() if place in wanted]
        gone = [server for place, server in before.items() if place not in wanted]
        for server in gone:
            self._leave(server, settings.limits.drain_timeout / 1000)
        for place, listener in wanted.items():
            try:
                if place in before:
                    before[place].change(listener, settings.limits, settings.hostname)
                else:
                    await self._open(listener)
            except RelayError as error:
                faults.append(f"listener {listener.host} port {listener.port}: {error}")
        return faults

    async def drain(self, seconds: float) -> None:
        """Take no new session, let those that hand in a mail end."""
        await asyncio.gather(*(server.drain(seconds) for server in self.servers), *self._leaving)

    async def close(self) -> None:
        """End whatever is left."""
        servers, self.servers = self.servers, []
        for server in servers:
            await server.close()

    async def _open(self, listener: Listener) -> None:
        settings = self.settings()
        server = SmtpServer(
            listener=listener,
            limits=settings.limits,
            hostname=settings.hostname,
            submission=self.submission,
            authenticator=self.authenticator,
            budget=self._budget,
            room=self._room.has,
        )
        await server.start()
        self.servers.append(server)
        log.info("listening", host=listener.host, port=server.port, tls=listener.tls)

    def _leave(self, server: SmtpServer, seconds: float) -> None:
        async def leave() -> None:
            await server.drain(seconds)
            await server.close()

        server.stop_listening()
        task = asyncio.create_task(leave(), name="a listener that is gone")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        log.info("listener_closed", host=server.listener.host, port=server.port)


def _place(listener: Listener) -> tuple[str, int, bool]:
    return listener.host, listener.port, listener.tls is ListenerTls.IMPLICIT
