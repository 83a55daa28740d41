"""The connections of one account that are kept between mails.

They are compared by settings and identity: a secret that rotates ends none, for the server has accepted them already.
"""

import asyncio

from relay.model.account import SmtpServer
from relay.model.credential import Credential, Identity
from relay.upstream.smarthost import Connection, connect
from relay.upstream.transaction import TIMEOUTS, Timeouts

IDLE_SECONDS = 30.0
MOST_MAILS = 100

_Key = tuple[SmtpServer, Identity | None]


class Pool:
    """Keeps idle connections for reuse; one that was opened with other settings, or that is too old, is closed."""

    def __init__(self, *, timeouts: Timeouts = TIMEOUTS, idle: float = IDLE_SECONDS) -> None:
        self._timeouts = timeouts
        self._idle_seconds = idle
        self._idle: list[tuple[_Key, Connection, asyncio.TimerHandle]] = []
        self._used: dict[Connection, _Key] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def take(self, server: SmtpServer, credential: Credential | None) -> Connection | None:
        """Return a connection that was kept from before; None if there is none of these settings."""
        key = _key_of(server, credential)
        while self._idle:
            kept, connection, timer = self._idle.pop()
            timer.cancel()
            if kept == key and connection.usable:
                self._used[connection] = key
                return connection
            self._end(connection)
        return None

    async def open(self, server: SmtpServer, credential: Credential | None, *, hostname: str) -> Connection:
        """Open a new connection. Raises ConnectError or CredentialError."""
        connection = await connect(server, hostname=hostname, credential=credential, timeouts=self._timeouts)
        self._used[connection] = _key_of(server, credential)
        return connection

    @property
    def open_connections(self) -> int:
        """How many connections are in use or kept."""
        return len(self._used) + sum(connection.usable for _, connection, _ in self._idle)

    def release(self, connection: Connection) -> None:
        """Take a connection back; one that can't be used again is closed."""
        key = self._used.pop(connection, None)
        if key is None or self._closed or not connection.usable or connection.sent >= MOST_MAILS:
            self._end(connection)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._expire, connection)
        self._idle.append((key, connection, timer))

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


def _key_of(server: SmtpServer, credential: Credential | None) -> _Key:
    return server, None if credential is None else credential.identity
