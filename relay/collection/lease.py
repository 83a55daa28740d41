"""One node polls a mailbox at a time: it holds a lease in the database, and stops at once when it has lost that.

Guarantee: a poll whose lease another node may have taken writes and deletes nothing more. Time counts while the machine
sleeps, too (CLOCK_BOOTTIME). With SQLite, which one process uses alone, a lease ends with its poll and needs no time.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Self

from relay.model.errors import StorageError
from relay.storage.mailboxes import MailboxElsewhereError, Mailboxes


class Lease:
    """The right to poll one account's mailbox; an asynchronous context manager that renews it meanwhile.

    Entering it raises MailboxElsewhereError if another node has the mailbox.
    """

    def __init__(
        self,
        mailboxes: Mailboxes,
        account: str,
        *,
        boottime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._mailboxes = mailboxes
        self._account = account
        self._boottime = boottime
        self._shared = mailboxes.is_shared
        self._lost = False
        self._renewed = 0.0
        """When the last renewal that took effect was asked for."""
        self._renewing: asyncio.Task[None] | None = None
        self.token = secrets.token_hex(16)
        self.on_lost: Callable[[], None] = lambda: None
        """Called once when the lease is found to be lost."""

    async def __aenter__(self) -> Self:
        asked = self._boottime()
        if not await self._mailboxes.acquire(self._account, self.token):
            raise MailboxElsewhereError("another node is polling this mailbox")
        self._renewed = asked
        if self._shared:
            self._renewing = asyncio.create_task(self._keep(), name=f"lease {self._account}")
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        with contextlib.suppress(StorageError):  # it runs out by itself
            await self._mailboxes.release(self._account, self.token)

    def check(self) -> None:
        """Raise MailboxElsewhereError if another node may have the mailbox by now; the database is not asked."""
        if self._shared and self._boottime() - self._renewed >= self._mailboxes.lease / 1000:
            self._lost = True
        if self._lost:
            raise MailboxElsewhereError("another node may poll this mailbox by now: the rest is left to it")

    async def confirm(self) -> None:
        """Ask the database whether the lease is still ours, and renew it.

        Raises MailboxElsewhereError, or StorageError.
        """
        self.check()
        if self._shared:
            await self._renew()
            self.check()

    async def _renew(self) -> None:
        asked = self._boottime()
        if await self._mailboxes.renew(self._account, self.token):
            self._renewed = asked
        else:
            self._lost = True

    async def _keep(self) -> None:
        """Renew the lease four times in its life, until it is lost."""
        while True:
            await asyncio.sleep(self._mailboxes.lease / 4000)
            with contextlib.suppress(StorageError):  # the time decides how often that may fail
                await self._renew()
            try:
                self.check()
            except MailboxElsewhereError:
                self.on_lost()
                return
