"""The connections of one account that are kept between mails."""

import asyncio

from relay.model.account import SmtpServer
from relay.upstream.smarthost import Connection, connect, settings_key
from relay.upstream.transaction import TIMEOUTS, Timeouts

IDLE_SECONDS = 30.0
MOST_MAILS = 100


class Pool:
    """Keeps idle connections; one of other settings, or too old, is closed instead of reused."""

    def __init__(self, *, timeouts: Timeouts = TIMEOUTS, idle: float = IDLE_SECONDS) -> None:
        self._timeouts = timeouts
        self._idle_seconds = idle
        self._idle: list[tuple[str, Connection, asyncio.TimerHandle]] = []
        self._keys: dict[int, str] = {}
        self._last: tuple[SmtpServer, str | None, str] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def acquire(self, server: SmtpServer, password: str | None, *, hostname: str) -> tuple[Connection, bool]:
        """Give a connection, and whether it was kept from before. Raises ConnectError."""
        kept = self.take(server, password)
        if kept is not None:
            return kept, True
        return await self.open(server, password, hostname=hostname), False

    def take(self, server: SmtpServer, password: str | None) -> Connection | None:
        """Give a connection that was kept from before; None where there is none of these settings."""
        key = self._key_of(server, password)
        while self._idle:
            kept, connection, timer = self._idle.pop()
            timer.cancel()
            if kept == key and connection.usable:
                self._keys[id(connection)] = key
                return connection
            self._end(connection)
        return None

    async def open(self, server: SmtpServer, password: str | None, *, hostname: str) -> Connection:
        """Open a new connection. Raises ConnectError."""
        connection = await connect(server, hostname=hostname, password=password, timeouts=self._timeouts)
        self._keys[id(connection)] = self._key_of(server, password)
        return connection

    @property
    def open_connections(self) -> int:
        """How many connections are in use or kept."""
        return len(self._keys) + sum(connection.usable for _, connection, _ in self._idle)

    def release(self, connection: Connection) -> None:
        """Take a connection back; one that is of no use any more is closed."""
        key = self._keys.pop(id(connection), "")
        if self._closed or not connection.usable or connection.sent >= MOST_MAILS:
            self._end(connection)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._expire, connection)
        self._idle.append((key, connection, timer))

    def _key_of(self, server: SmtpServer, password: str | None) -> str:
        """Give the key of these settings, which are nearly always those of the last time."""
        if self._last is not None and self._last[0] is server and self._last[1] == password:
            return self._last[2]
        key = settings_key(server, password)
        self._last = (server, password, key)
        return key

    async def close(self) -> None:
        """Close every idle connection."""
        self._closed = True
        for _, connection, timer in self._idle:
            timer.cancel()
            self._end(connection)
        self._idle.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _expire(self, connection: Connection) -> None:
        self._idle = [entry for entry in self._idle if entry[1] is not connection]
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        task = asyncio.create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
