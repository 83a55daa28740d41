"""Notices whose way is blocked: they leave through another account, at last into the reader's inbox.

A notice tells of what went wrong, so it must not wait behind the very fault that it tells of, nor end in silence. One
that bounces goes into an inbox at once: of a notice no notice is written.
"""

from collections.abc import Iterable

from relay.emitting import emit
from relay.events.notifications import NoticeMoved
from relay.model.destination import Destination, to_account, to_inbox
from relay.model.mail import ClaimedDelivery
from relay.notifications.compose import Composer
from relay.rules.notice import change_sender
from relay.runtime import Runtime, contain_faults

PATIENCE = 900_000
"""Milliseconds that a notice waits for an account that does not work, before it takes another."""
_AT_ONCE = 100


class Rerouter:
    """Sends queued notices another way. Each method returns where they go now, and raises StorageError."""

    def __init__(self, runtime: Runtime, *, composer: Composer) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._composer = composer

    async def leave(self, account: str, *, gone: bool = False) -> set[Destination]:
        """Move the notices that have waited for an account which does not work, or all where it is gone.

        Without another account that works, those of an account that is gone go into the inbox.
        """
        woken: set[Destination] = set()
        before = self._now() - (0 if gone else PATIENCE)
        while notices := await self._queue.queued_notices(account, before, _AT_ONCE):
            ways = await self._move(notices, gone=gone)
            woken.update(ways)
            if len(ways) < len(notices):
                break
        return woken

    async def rescue(self, notices: Iterable[ClaimedDelivery], *, bounced: bool = False) -> set[Destination]:
        """Move queued notices whose time is over; those that were moved before, or bounced, go into an inbox."""
        return set(await self._move(notices, over=True, bounced=bounced))

    async def _move(
        self, notices: Iterable[ClaimedDelivery], *, gone: bool = False, over: bool = False, bounced: bool = False
    ) -> list[Destination]:
        moved = []
        for notice in notices:
            way = None
            with contain_faults(f"way of {notice.message.id}"):
                way = self._way(notice, gone=gone, over=over, bounced=bounced)
            if way is None or not await self._queue.move_notice(notice, *way, at=self._now()):
                continue
            destination, address, _ = way
            moved.append(destination)
            through = destination.account or "inbox"
            emit(NoticeMoved(queue_id=notice.message.id, account=notice.account, to=address, way=through))
        return moved

    def _way(
        self, notice: ClaimedDelivery, *, gone: bool, over: bool, bounced: bool
    ) -> tuple[Destination, str, bytes] | None:
        """Return where a notice goes now, to whom, and with which header; None: it stays."""
        if not notice.recipients:
            return None  # its reader has got it by a settlement that came too late: the next attempt ends it
        settings = self._settings()
        (recipient,) = notice.recipients
        users = settings.directory.users
        reader = next((user for user in users if user.address.wire == recipient.address), self._composer.postmaster)
        account = self._composer.working_account(reader, besides=notice.account)
        was_moved = notice.account != notice.message.account
        if bounced or (gone and account is None) or (over and (account is None or was_moved)):
            # Into its reader's inbox, or into the postmaster's where nobody would look into that.
            address, header = self._composer.into_inbox(reader, notice.header, subject=notice.message.subject)
            return to_inbox(address), address, header
        if account is None:
            return None
        header = change_sender(notice.header, language=settings.language, sender=account.address)
        return to_account(account.name), recipient.address, header
