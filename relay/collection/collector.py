"""Polls mailboxes, one at a time each over all nodes, and keeps their sources between the polls."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from relay.accounts.credentials import Credentials
from relay.collection.lease import Lease
from relay.collection.poll import Poll, Tell
from relay.collection.receiver import PollContext
from relay.collection.troubles import Troubles
from relay.model.account import Account, MailboxServer
from relay.model.errors import RelayError, SourceError
from relay.model.maildrop import PollResult
from relay.runtime import Runtime
from relay.sources.registry import open_source
from relay.sources.source import MailboxSource
from relay.storage.mailboxes import MailboxElsewhereError, Mailboxes
from relay.storage.room import DiskRoom

LONGEST_POLL: Final = 3600.0
"""Seconds after which a poll is cut off; in their second half no further message is asked for."""


class Collector:
    """Polls mailboxes by the settings of the moment; `open_source` decides which source serves an account."""

    def __init__(
        self,
        runtime: Runtime,
        mailboxes: Mailboxes,
        *,
        open_source: Callable[[Account, Credentials], MailboxSource] = open_source,
        longest: float = LONGEST_POLL,
    ) -> None:
        self._runtime = runtime
        self._mailboxes = mailboxes
        self._open_source = open_source
        self._longest = longest
        self._sources: dict[str, tuple[MailboxServer, MailboxSource]] = {}
        """By account: its source, and the settings for which that was opened."""
        self._troubles: dict[str, Troubles] = {}
        settings = runtime.settings
        self._disk = DiskRoom(lambda: (settings().inboxes, settings().folder), lambda: settings().limits.free_space)

    async def poll(self, account: Account, tell: Tell) -> PollResult:
        """Poll an account's mailbox, and record how that ended.

        Raises SourceError, StorageError, MailboxElsewhereError, or CredentialError if there is no secret.
        """
        async with Lease(self._mailboxes, account.name) as lease:
            try:
                result = await self._poll(account, lease, tell)
            except MailboxElsewhereError:
                raise
            except Exception as error:
                with contextlib.suppress(RelayError):  # the database may be what failed
                    await self._mailboxes.end(
                        account.name, lease.token, now=self._runtime.now(), error=reason_of(error)
                    )
                raise
            await self._mailboxes.end(account.name, lease.token, now=self._runtime.now())
        return result

    async def wait(self, account: str, seconds: float) -> None:
        """Wait until mail may have come into a mailbox that was polled, at the longest for so many seconds.

        No poll of the mailbox may begin before this has ended or is cancelled. Raises SourceError.
        """
        await self._sources[account][1].wait(seconds)

    def forget(self, account: str) -> None:
        """Close the source of an account."""
        _, source = self._sources.pop(account, (None, None))
        if source is not None:
            source.close()

    async def _poll(self, account: Account, lease: Lease, tell: Tell) -> PollResult:
        server, runtime = account.mailbox, self._runtime
        assert server is not None
        context = PollContext(
            account=account,
            server=server,
            settings=runtime.settings(),
            runtime=runtime,
            mailboxes=self._mailboxes,
            lease=lease,
            troubles=self._troubles.setdefault(account.name, Troubles()),
            disk=self._disk,
        )
        context.require_room()
        source, began = self._source_of(account, server), runtime.monotonic()
        poll = Poll(context, source, lambda: runtime.monotonic() < began + self._longest / 2)
        lease.on_lost = source.close
        try:
            async with asyncio.timeout(self._longest):
                await poll.run(tell)
        except BaseException as error:
            self.forget(account.name)
            if isinstance(error, TimeoutError):
                raise SourceError(f"retrieve: the poll did not end within {self._longest:g} s") from None
            if isinstance(error, SourceError):
                lease.check()  # if it is lost, the connection was cut for that
            raise
        poll.result.seconds = runtime.monotonic() - began
        return poll.result

    def _source_of(self, account: Account, server: MailboxServer) -> MailboxSource:
        """Return the source that was kept since the last poll, or a new one if the settings are not those any more.

        They are compared whole, so that a change of anything, the password too, takes effect at the next poll.
        """
        kept = self._sources.get(account.name)
        if kept is None or kept[0] != server:
            self.forget(account.name)
            kept = self._sources[account.name] = (server, self._open_source(account, self._runtime.credentials))
        return kept[1]


def reason_of(error: Exception) -> str:
    """Return in one line why a poll failed."""
    return str(error) if isinstance(error, RelayError) else f"a fault inside of the relay: {type(error).__name__}"
