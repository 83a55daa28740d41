"""Who is told what: the notices that a settlement writes, and those that stand alone.

A notice is a mail of ours in the same queue, as durable as any other. Nothing is ever written about a notice, nor about
a mail with the null sender.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from relay.delivery.event_log import log_notices
from relay.delivery.notice_mail import NoticeWriter
from relay.delivery.notice_moving import NoticeMover
from relay.delivery.pauses import PauseBook
from relay.delivery.retry_policy import contain_faults
from relay.model.account import Account, User
from relay.model.destination import Destination
from relay.model.mail import (
    ClaimedDelivery,
    DeliveryState,
    Message,
    NewMessage,
    Recipient,
    RecipientKind,
    RecipientState,
)
from relay.model.outcome import Verdict
from relay.model.reply import Reply
from relay.rules.disposition import Disposition
from relay.rules.dsn import wants_delay, wants_failure, wants_success
from relay.rules.notice import Alert, FailedRecipient, FailureReason, Report, others_of
from relay.runtime import Runtime
from relay.storage.expiry import LastAttempt
from relay.storage.outbox import PendingAlert, SentAlert
from relay.storage.pausing import told_as

log = structlog.get_logger()


class Notifier:
    """Decides who is told, and queues what stands alone."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        pauses: PauseBook,
        works: Callable[[str], bool],
        wake: Callable[[Iterable[Destination]], None],
    ) -> None:
        """`works` tells whether an account's server takes mail, as far as is known."""
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._pauses = pauses
        self._writer = NoticeWriter(runtime, pauses=pauses, works=works)
        self.mover = NoticeMover(runtime, writer=self._writer, wake=wake)
        self.wake = wake

    async def compose(
        self,
        account: Account,
        delivery: ClaimedDelivery,
        disposition: Disposition,
        reply: Reply,
        *,
        sender_refused: Reply | None = None,
        confirms: bool = True,
        tried: Mapping[int, int] | None = None,
    ) -> list[NewMessage]:
        """Write the notices that a disposition asks for; the settlement makes them durable.

        `confirms`: the provider itself sends the confirmations that were asked for. `tried`: when each recipient was
        tried last, by his number; without it, just now.
        """
        message = delivery.message
        notices: list[NewMessage | None] = []
        if disposition.failures:
            if tried is None:
                tried = {failure.recipient.n: self._now() for failure in disposition.failures}
            notices.append(await self._failure(account, delivery, disposition, tried))
        if not confirms:
            notices.append(await self._success(account, delivery, disposition))
        if sender_refused is None:  # else that is told, and it is no fault of the archive's
            notices += await self._missing_copies(account, delivery, disposition)
        else:
            log.error("sender_refused", queue_id=message.id, account=account.name, code=sender_refused.code,
                      reply=str(sender_refused))  # fmt: skip
            notices.append(
                await self._alert(
                    Alert.SENDER_REFUSED,
                    message=message,
                    account=account.name,
                    address=str(account.address),
                    reply=sender_refused,
                    once=f"sender/{account.name}",
                )
            )
        if disposition.state is DeliveryState.HELD:
            notices += await self._held(delivery, reply, archive_only=disposition.only_the_archive_is_in_doubt)
        return [notice for notice in notices if notice is not None]

    async def compose_delay(
        self, deliveries: Sequence[ClaimedDelivery], account: Account | None, retry_until: int
    ) -> NewMessage | None:
        """Write the warning that a mail still waits for all of these deliveries; None where nobody is to be told."""
        message = deliveries[0].message
        waiting = [r for d in deliveries for r in d.recipients if r.kind is RecipientKind.TO and wants_delay(r.notify)]
        if not waiting or not self._may_tell(message):
            return None
        attempts = await self._queue.last_attempts([d.id for d in deliveries])
        last = {r.n: attempts.get(d.id) for d in deliveries for r in d.recipients}
        recipients = [self._waiting(r, last[r.n]) for r in waiting]
        others = others_of(await self._queue.outcomes(message.id), {r.n for r in waiting})
        return await self._writer.report(
            Report.DELAYED, message, account, recipients, retry_until=retry_until, others=others
        )

    async def hold_homeless(self, accounts: Collection[str]) -> None:
        """Hold the mail of accounts that are gone or excluded; notices take another way. Raises StorageError."""
        for account in accounts:
            await self.mover.leave(account, gone=True)
        # In steps, so that nobody waits for a long queue to be held.
        while held := await self._queue.hold_accounts(accounts, now=self._now()):
            for one in held:
                log.error("delivery_held", queue_id=one.message_id, delivery_id=one.id, account=one.account,
                          reason="the account is gone or excluded")  # fmt: skip
        await self.tell_owed()

    async def tell_owed(self) -> None:
        """Queue the alerts that are owed; each goes out once, whatever happens between. Raises StorageError."""
        for alert, delivery in await self._queue.pending_alerts():
            with contain_faults(f"alert {alert.kind}"):
                if await self._waits(alert):
                    continue
                written = [notice for notice in await self._owed(alert, delivery) if notice is not None]
                if await self._queue.mark_sent(SentAlert(alert=alert, notices=tuple(written))):
                    log_notices(written)
                    self.wake({delivery.destination for notice in written for delivery in notice.deliveries})

    async def _owed(self, alert: PendingAlert, delivery: ClaimedDelivery | None) -> list[NewMessage | None]:
        if alert.kind is Alert.UNCERTAIN_HELD:
            if delivery is None:
                return []
            archive_only = all(r.kind is RecipientKind.ARCHIVE for r in delivery.recipients)
            return await self._held(delivery, Reply(code=0), archive_only=archive_only)
        if alert.kind is Alert.ACCOUNT_GONE:
            told = f"homeless/{alert.account}"
            return [await self._alert(Alert.ACCOUNT_GONE, account=alert.account, count=alert.count, once=told)]
        known = self._settings().directory.account(alert.account)
        address = "" if known is None else str(known.address)
        return [
            await self._alert(
                alert.kind, account=alert.account, address=address, reply=alert.reply, once=told_as(alert.account)
            )
        ]

    async def _waits(self, alert: PendingAlert) -> bool:
        """Whether people were told of a pause a moment ago: of one that lasts by then they are told later."""
        if alert.kind is not Alert.ACCOUNT_PAUSED or alert.account not in self._pauses:
            return False
        return await self._queue.was_said(told_as(alert.account), now=self._now())

    def tell_postmaster(self, title: str, paragraphs: Sequence[str], *, account: str = "") -> NewMessage:
        """Write a notice of plain paragraphs to the postmaster; whoever asks makes it durable, then says `told`."""
        return self._writer.plain(self._writer.postmaster, title, paragraphs, account=account)

    def told(self, notices: Sequence[NewMessage]) -> None:
        """Say that notices are queued: they may leave."""
        log_notices(notices)
        self.wake({delivery.destination for notice in notices for delivery in notice.deliveries})

    async def _failure(
        self, account: Account, delivery: ClaimedDelivery, disposition: Disposition, tried: Mapping[int, int]
    ) -> NewMessage | None:
        if not self._may_tell(delivery.message):
            return None
        wanted = [failure for failure in disposition.failures if wants_failure(failure.recipient.notify)]
        if not wanted:
            log.warning("notice_dropped", queue_id=delivery.message.id, reason="the client asked for none (NOTIFY)")
            return None
        recipients = [
            self._reported(
                f.recipient,
                f.reply,
                FailureReason.EXPIRED if f.expired else FailureReason.REFUSED,
                tried=tried.get(f.recipient.n),
            )
            for f in wanted
        ]
        known = await self._queue.outcomes(delivery.message.id)  # the blind copy's is not among them
        taken = {n for n, one in disposition.outcomes if one.verdict is Verdict.DELIVERED}
        outcomes = known | {n: RecipientState.DELIVERED for n in taken if n in known}
        others = others_of(outcomes, {failure.recipient.n for failure in disposition.failures})
        return await self._writer.report(
            Report.FAILED, delivery.message, account, recipients, doubtful=delivery.uncertain > 0, others=others
        )

    async def _missing_copies(
        self, account: Account, delivery: ClaimedDelivery, disposition: Disposition
    ) -> list[NewMessage | None]:
        """Tell the postmaster of blind copies that failed; one that goes by itself may fail as its mail did before."""
        if not disposition.archive_failures:
            return []
        before = (await self._queue.outcomes(delivery.message.id)).values()
        return [
            await self._alert(
                Alert.ARCHIVE_FAILED,
                message=delivery.message,
                account=account.name,
                address=failure.recipient.address,
                reply=failure.reply,
                once=f"archive/{failure.recipient.address}",
                comfort=not disposition.failures and RecipientState.BOUNCED not in before,
            )
            for failure in disposition.archive_failures
        ]

    async def _success(
        self, account: Account, delivery: ClaimedDelivery, disposition: Disposition
    ) -> NewMessage | None:
        delivered = {n: outcome.reply for n, outcome in disposition.outcomes if outcome.verdict is Verdict.DELIVERED}
        wanted = [
            self._reported(recipient, delivered[recipient.n], FailureReason.REFUSED, tried=self._now())
            for recipient in delivery.recipients
            if recipient.n in delivered and wants_success(recipient.notify)
        ]
        if not wanted or not self._may_tell(delivery.message):
            return None
        return await self._writer.report(Report.RELAYED, delivery.message, account, wanted)

    def _may_tell(self, message: Message) -> bool:
        """Never a notice about a notice, nor about a mail with the null sender (RFC 5321 section 4.5.5)."""
        if message.notice or not message.reverse_path:
            log.warning("notice_dropped", queue_id=message.id, reason="a notice" if message.notice else "null sender")
            return False
        return True

    async def _held(self, delivery: ClaimedDelivery, reply: Reply, *, archive_only: bool) -> list[NewMessage | None]:
        """Tell the user and the postmaster of a mail that may have been sent, and waits for them.

        Of the blind copy alone only the postmaster is told: the user need not know that there is one.
        """
        message, account = delivery.message, self._settings().directory.account(delivery.account)
        users = () if archive_only else (self._writer.reader(message, account),)
        readers = {user.name: user for user in (*users, self._writer.postmaster)}
        return [
            await self._alert(Alert.UNCERTAIN_HELD, reader=user, message=message, account=delivery.account, reply=reply)
            for user in readers.values()
        ]

    async def _alert(
        self,
        kind: Alert,
        *,
        account: str,
        reader: User | None = None,
        message: Message | None = None,
        address: str = "",
        reply: Reply | None = None,
        count: int = 1,
        once: str = "",
        comfort: bool = False,
    ) -> NewMessage | None:
        """Write an alert to the postmaster, or to another reader; what he was told a moment ago is not said again."""
        if message is not None and message.notice:
            return None
        if once and await self._queue.was_said(once, now=self._now()):
            return None
        written = self._writer.alert(
            kind,
            reader or self._writer.postmaster,
            account=account,
            message=message,
            address=address,
            reply=reply,
            count=count,
            comfort=comfort,
            helped=reader is not None and reader.name != self._writer.postmaster.name,
        )
        return replace(written, once=once)

    def _waiting(self, recipient: Recipient, last: LastAttempt | None) -> FailedRecipient:
        if last is None:
            return self._reported(recipient, _NOT_TRIED, FailureReason.REFUSED, tried=None)
        return self._reported(recipient, last.reply, FailureReason.REFUSED, tried=last.at)

    def _reported(
        self, recipient: Recipient, reply: Reply, reason: FailureReason, *, tried: int | None
    ) -> FailedRecipient:
        return FailedRecipient(
            address=recipient.address,
            reply=reply,
            reason=reason,
            orcpt=recipient.orcpt,
            last_attempt=None if tried is None else self._writer.at(tried),
        )


_NOT_TRIED = Reply(code=0, enhanced="4.4.1", text="the provider's server has not been reached")
