"""Alerts that are owed: a change of state puts each into the outbox, in its own transaction; here they are sent.

Guarantee: an alert is sent once, whatever happens between; one that can't be sent now stays in the outbox.
"""

from collections.abc import Callable, Collection

from relay.emitting import emit
from relay.events.delivery import DeliveryHeld
from relay.model.destination import Destination
from relay.model.mail import ClaimedDelivery, RecipientKind
from relay.model.reply import Reply
from relay.notifications.policy import Notices, Policy, announce
from relay.notifications.reroute import Rerouter
from relay.rules.answers.login_way import find_way
from relay.rules.notice_texts import Alert
from relay.rules.notice_wording import AlertFacts
from relay.runtime import Runtime, contain_faults
from relay.storage.outbox import PendingAlert
from relay.storage.pausing import told_as


class Outbox:
    """Sends pending alerts, and holds the mail of accounts that are gone, which owes one."""

    def __init__(
        self, runtime: Runtime, *, policy: Policy, rerouter: Rerouter, is_paused: Callable[[str], bool]
    ) -> None:
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._policy = policy
        self._rerouter = rerouter
        self._is_paused = is_paused

    async def send_pending(self) -> set[Destination]:
        """Queue the notices of pending alerts; return where they go. Raises StorageError."""
        woken: set[Destination] = set()
        for alert, delivery in await self._queue.pending_alerts():
            with contain_faults(f"alert {alert.kind}"):
                if await self._waits(alert):
                    continue
                written = (await self._compose(alert, delivery)).notices
                if await self._queue.mark_sent(alert, written):
                    woken |= announce(written)
        return woken

    async def hold_orphaned(self, accounts: Collection[str]) -> set[Destination]:
        """Hold the mail of accounts that are gone or excluded; notices go another way. Raises StorageError.

        Returns the destinations that have something new.
        """
        woken: set[Destination] = set()
        for account in accounts:
            woken |= await self._rerouter.leave(account, gone=True)
        # In steps, so that nobody waits for a long queue to be held.
        while held := await self._queue.hold_accounts(accounts, now=self._now()):
            reason = "the account is gone or excluded"
            for one in held:
                emit(DeliveryHeld(queue_id=one.message_id, delivery_id=one.id, account=one.account, reason=reason))
        return woken | await self.send_pending()

    async def _compose(self, alert: PendingAlert, delivery: ClaimedDelivery | None) -> Notices:
        if alert.kind is Alert.UNCERTAIN_HELD:
            if delivery is None:
                return Notices()
            archive_only = all(r.kind is RecipientKind.ARCHIVE for r in delivery.recipients)
            return await self._policy.held(delivery, Reply(code=0), archive_only=archive_only)
        if alert.kind is Alert.ACCOUNT_GONE:
            once = f"homeless/{alert.account}"  # stored: another word would tell people once more after an upgrade
            return await self._policy.alert(
                AlertFacts(kind=alert.kind, account=alert.account, count=alert.count, once=once)
            )
        known, once = self._settings().directory.account(alert.account), told_as(alert.account)
        address = "" if known is None else str(known.address)
        way = find_way(None if known is None else known.oauth)
        return await self._policy.alert(
            AlertFacts(kind=alert.kind, account=alert.account, address=address, reply=alert.reply, way=way, once=once)
        )

    async def _waits(self, alert: PendingAlert) -> bool:
        """Return whether people were told of a pause a moment ago: if it still lasts then, they are told later."""
        if alert.kind is not Alert.ACCOUNT_PAUSED or not self._is_paused(alert.account):
            return False
        return await self._queue.was_said(told_as(alert.account), now=self._now())
