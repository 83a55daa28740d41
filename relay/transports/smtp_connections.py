"""The connections of every account: kept ones first, and of new ones one at a time.

While one connection of an account is being opened, the others wait for what comes of it. What makes it fail is true for
all of them: so a wrong password costs one login, and not one for each connection.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.model.account import Account, SmtpServer
from relay.model.credential import Credential
from relay.model.errors import CredentialError, RelayError
from relay.model.mail import Pause
from relay.model.reply import Reply
from relay.runtime import Runtime
from relay.upstream.pool import Pool
from relay.upstream.smarthost import ConnectError, Connection
from relay.upstream.transaction import Stage


@dataclass(kw_only=True)
class _Door:
    """Where the connections of one account are opened."""

    pool: Pool
    credential: Credential | None = None
    made_of: SmtpServer | None = None
    """The settings that the credential was made of: making it for each mail would take longer than all else here."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a connection is opened."""
    failures: int = 0
    """How many could not be opened."""
    last: tuple[SmtpServer, str, ConnectError] | None = None
    """The settings of the last one that could not be opened, its credential's revision, and why."""
    refused: bool = False
    """Whether that was a refused login, for which nobody has paused the account yet."""


class Connections:
    """Keeps, opens and closes connections. An account's secret is read anew for each that is opened."""

    def __init__(self, runtime: Runtime, *, pauses: Iterable[Pause]) -> None:
        self._settings, self._queue = runtime.settings, runtime.queue
        self.credentials = runtime.credentials
        self._timeouts = runtime.timeouts
        self._pauses = pauses
        self._doors: dict[str, _Door] = {}

    async def acquire(self, account: Account, server: SmtpServer, *, probing: bool = False) -> tuple[Connection, bool]:
        """Return a connection that is logged in, and whether it was kept from before. Raises ConnectError.

        A new one is opened to an account that is paused only for a probe; other nodes may have paused it a moment ago.
        """
        door = self._door(account)
        if door.made_of is not server:
            door.made_of, door.credential = server, self.credentials.of(server)
        credential = door.credential
        kept = door.pool.take(server, credential)
        if kept is not None:
            return kept, True
        return await self._open(door, account, server, credential, probing=probing), False

    async def _open(
        self, door: _Door, account: Account, server: SmtpServer, credential: Credential | None, *, probing: bool
    ) -> Connection:
        failures = door.failures
        async with door.lock:
            came_to_nothing = door.failures != failures or (door.refused and not probing)
            last = door.last if came_to_nothing else None
            if last is not None and last[0] == server and last[1] == await self._revision(credential):
                _, _, why = last
                raise ConnectError(why.stage, why.reply, closed=why.closed, others=door.pool.open_connections)
            if not probing:
                await self._ask_whether_paused(account)
            try:
                connection = await door.pool.open(server, credential, hostname=self._settings().hostname)
            except (ConnectError, CredentialError) as error:
                failed = error if isinstance(error, ConnectError) else _no_secret(error)
                failed.others = door.pool.open_connections
                door.failures += 1
                # Of what was sent a moment ago: reading it before each login would read each secret twice.
                revision = await self._revision(credential)
                # What a probe is told changes a pause that lasts: no mail has to ask for one.
                door.last, door.refused = (server, revision, failed), failed.login_refused and not probing
                raise failed from None
            door.last, door.refused = None, False
            return connection

    async def _revision(self, credential: Credential | None) -> str:
        with contextlib.suppress(RelayError):
            return await self.credentials.revision(credential)
        return ""

    async def _ask_whether_paused(self, account: Account) -> None:
        """Raise ConnectError where the account was paused since the mail that wants a connection was claimed."""
        pauses = self._pauses
        if self._queue.is_shared:
            try:
                pauses = await self._queue.pauses()
            except RelayError as error:
                raise ConnectError(Stage.AUTH, Reply(code=0, enhanced="4.3.0", text=str(error))) from error
        for pause in pauses:
            if pause.account == account.name:
                text = f"the account is paused: {pause.reason}"
                raise ConnectError(Stage.AUTH, Reply(code=535, enhanced="5.7.0", text=text))

    def paused(self, account: Account) -> None:
        """Note that the account of a refused login is paused, or could not be: from now on that decides."""
        self._door(account).refused = False

    def release(self, account: Account, connection: Connection) -> None:
        """Take a connection back; one that is of no use any more is closed."""
        self._door(account).pool.release(connection)

    async def close(self) -> None:
        """Close every connection."""
        doors, self._doors = list(self._doors.values()), {}
        await asyncio.gather(*(door.pool.close() for door in doors))

    def _door(self, account: Account) -> _Door:
        door = self._doors.get(account.name)
        if door is None:
            door = self._doors[account.name] = _Door(pool=Pool(timeouts=self._timeouts))
        return door


def _no_secret(error: RelayError) -> ConnectError:
    """Return the error of a login that lacks its secret: it counts as refused where only a person can help."""
    if isinstance(error, CredentialError) and error.permanent:
        return ConnectError(Stage.AUTH, Reply(code=535, enhanced="5.7.8", text=str(error)))
    return ConnectError(Stage.AUTH, Reply(code=0, enhanced="4.7.0", text=str(error)))
