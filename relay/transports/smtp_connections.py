"""The connections of an account: kept ones first, and of new ones one at a time.

While one is being opened, the others wait for what comes of it. What makes it fail is true for all of them: so a wrong
password costs one login, and not one for each connection. Kept ones are compared by server and identity: a secret that
rotates or is changed ends none, wherever it comes from, for the server has accepted them already.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from relay.model.account import SmtpServer
from relay.model.credential import Credential, Identity
from relay.model.errors import CredentialError, RelayError
from relay.model.mail import Pause
from relay.model.reply import Reply
from relay.rules.answers.token_rows import PAUSED
from relay.runtime import Runtime
from relay.upstream.smarthost import ConnectError, Connection, connect
from relay.upstream.transaction import Stage

IDLE_SECONDS = 30.0
MOST_MAILS = 100

_Key = tuple[tuple[object, ...], Identity | None]
"""The server, with all that a login depends on apart from the password, and whose login it is."""


class Connections:
    """Opens, keeps and closes the connections of one account. Its secret is read anew for each that is opened."""

    def __init__(self, runtime: Runtime, account: str, *, pauses: Iterable[Pause], idle: float = IDLE_SECONDS) -> None:
        """`idle`: the seconds for which an unused one is kept."""
        self._settings, self._queue, self._timeouts = runtime.settings, runtime.queue, runtime.timeouts
        self.credentials = runtime.credentials
        self._account = account
        self._pauses = pauses
        self._idle_seconds = idle
        self._credential: Credential | None = None
        self._made_of: SmtpServer | None = None
        """The settings that the credential was made of: making it for each mail would take longer than all else."""
        self._idle: list[tuple[_Key, Connection, asyncio.TimerHandle]] = []
        self._used: dict[Connection, _Key] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._lock = asyncio.Lock()
        """Held while a connection is opened."""
        self._failures = 0
        """How many could not be opened."""
        self._last: tuple[tuple[object, ...], str, ConnectError] | None = None
        """The server of the last one that could not be opened, its credential's revision, and why."""
        self._refused = False
        """Whether that was a refused login, for which nobody has paused the account yet."""

    async def acquire(self, server: SmtpServer, *, probing: bool = False) -> tuple[Connection, bool]:
        """Return a connection that is logged in, and whether it was kept from before. Raises ConnectError.

        A new one is opened to an account that is paused only for a probe; other nodes may have paused it a moment ago.
        """
        if self._made_of is not server:
            self._made_of, self._credential = server, self.credentials.of(server)
        credential = self._credential
        key = server.login, None if credential is None else credential.identity
        while self._idle:
            kept, connection, timer = self._idle.pop()
            timer.cancel()
            if kept == key and connection.usable:
                self._used[connection] = key
                return connection, True
            self._end(connection)
        connection = await self._open(server, credential, probing=probing)
        self._used[connection] = key
        return connection, False

    async def _open(self, server: SmtpServer, credential: Credential | None, *, probing: bool) -> Connection:
        failures = self._failures
        async with self._lock:
            came_to_nothing = self._failures != failures or (self._refused and not probing)
            last = self._last if came_to_nothing else None
            if last is not None and last[0] == server.login and last[1] == await self._revision(credential):
                _, _, why = last
                raise ConnectError(why.stage, why.reply, closed=why.closed, others=self._open_connections)
            if not probing:
                await self._ask_whether_paused()
            try:
                connection = await connect(
                    server, hostname=self._settings().hostname, credential=credential, timeouts=self._timeouts
                )
            except (ConnectError, CredentialError) as error:
                failed = error if isinstance(error, ConnectError) else _no_secret(error)
                failed.others = self._open_connections
                self._failures += 1
                # Of what was sent a moment ago: reading it before each login would read each secret twice.
                revision = await self._revision(credential)
                # What a probe is told changes a pause that lasts: no mail has to ask for one.
                self._last, self._refused = (server.login, revision, failed), failed.login_refused and not probing
                raise failed from None
            self._last, self._refused = None, False
            return connection

    @property
    def in_use(self) -> int:
        """How many connections carry a mail just now."""
        return len(self._used)

    @property
    def _open_connections(self) -> int:
        """How many connections are in use or kept."""
        return len(self._used) + sum(connection.usable for _, connection, _ in self._idle)

    async def _revision(self, credential: Credential | None) -> str:
        with contextlib.suppress(RelayError):
            return await self.credentials.revision(credential)
        return ""

    async def _ask_whether_paused(self) -> None:
        """Raise ConnectError where the account was paused since the mail that wants a connection was claimed."""
        pauses = self._pauses
        if self._queue.is_shared:
            try:
                pauses = await self._queue.pauses()
            except RelayError as error:
                raise ConnectError(Stage.AUTH, Reply(code=0, enhanced="4.3.0", text=str(error))) from error
        for pause in pauses:
            if pause.account == self._account:
                text = f"{PAUSED}: {pause.reason}"
                raise ConnectError(Stage.AUTH, Reply(code=535, enhanced="5.7.0", text=text))

    def paused(self) -> None:
        """Note that a refused login has paused the account, or could not: from now on pauses say who may log in."""
        self._refused = False

    def release(self, connection: Connection) -> None:
        """Take a connection back; one that can't be used again is closed."""
        key = self._used.pop(connection, None)
        if key is None or self._closed or not connection.usable or connection.sent >= MOST_MAILS:
            self._end(connection)
            return
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._expire, connection)
        self._idle.append((key, connection, timer))

    async def close(self) -> None:
        """Close every idle connection, and from now on each that is released."""
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


def _no_secret(error: RelayError) -> ConnectError:
    """Return the error of a login that lacks its secret: it counts as refused where only a person can help."""
    if isinstance(error, CredentialError) and error.permanent:
        return ConnectError(Stage.AUTH, Reply(code=535, enhanced="5.7.8", text=str(error)))
    return ConnectError(Stage.AUTH, Reply(code=0, enhanced="4.7.0", text=str(error)))
