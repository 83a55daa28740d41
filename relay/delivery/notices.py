"""Who is told what: the notices that a settlement writes, and those that stand alone.

A notice is a mail of ours in the same queue, as durable as any other. Nothing is ever written about a notice, nor about
a mail with the null sender.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from relay.delivery.journal import log_notices
from relay.delivery.notice_mail import NoticeWriter
from relay.delivery.pauses import PauseBook
from relay.model.account import Account, User
from relay.model.mail import ClaimedDelivery, DeliveryState, Message, NewMessage, Recipient, RecipientKind
from relay.model.outcome import Verdict
from relay.model.reply import Reply
from relay.rules.conclusion import Conclusion, Failure
from relay.rules.dsn import wants_delay, wants_failure, wants_success
from relay.rules.notice import Alert, FailedRecipient, FailureReason, Report
from relay.settings import Settings
from relay.storage.queue import Queue

log = structlog.get_logger()

ALERT_PAUSE = 3_600_000
"""Milliseconds in which the postmaster is told the same thing once; the log has every case."""


class Notifier:
    """Decides who is told, and queues what stands alone."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        queue: Queue,
        pauses: PauseBook,
        wake: Callable[[Iterable[str]], None],
        now: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._writer = NoticeWriter(settings=settings, queue=queue, pauses=pauses, now=now)
        self.wake = wake
        self._now = now
        self._told: dict[tuple[str, ...], int] = {}

    async def compose(
        self,
        account: Account,
        delivery: ClaimedDelivery,
        conclusion: Conclusion,
        reply: Reply,
        *,
        sender_refused: Reply | None = None,
        confirms: bool = True,
    ) -> list[NewMessage]:
        """Write the notices that a conclusion asks for; the settlement makes them durable.

        `confirms`: the provider itself sends the confirmations that were asked for.
        """
        message = delivery.message
        notices: list[NewMessage | None] = []
        if conclusion.failures:
            notices.append(await self._failure(account, delivery, conclusion.failures))
        if not confirms:
            notices.append(await self._success(account, delivery, conclusion))
        notices += [
            self._alert(
                Alert.ARCHIVE_FAILED,
                message=message,
                account=account.name,
                address=failure.recipient.address,
                reply=failure.reply,
                once=("archive", failure.recipient.address),
            )
            for failure in conclusion.archive_failures
        ]
        if sender_refused is not None:
            log.error("sender_refused", queue_id=message.id, account=account.name, code=sender_refused.code,
                      reply=str(sender_refused))  # fmt: skip
            notices.append(
                self._alert(
                    Alert.SENDER_REFUSED,
                    message=message,
                    account=account.name,
                    address=str(account.address),
                    reply=sender_refused,
                    once=("sender", account.name),
                )
            )
        if conclusion.state is DeliveryState.HELD:
            notices += self._held(delivery, reply)
        return [notice for notice in notices if notice is not None]

    async def compose_delay(
        self, deliveries: Sequence[ClaimedDelivery], account: Account | None, retry_until: int
    ) -> NewMessage | None:
        """Write the warning that a mail still waits for all of these deliveries; None where nobody is to be told."""
        message = deliveries[0].message
        waiting = [r for d in deliveries for r in d.recipients if r.kind is RecipientKind.TO and wants_delay(r.notify)]
        if not waiting or not self._may_tell(message):
            return None
        replies = await self._queue.last_replies([d.id for d in deliveries])
        said = {r.n: replies.get(d.id, _NOT_TRIED) for d in deliveries for r in d.recipients}
        recipients = [_reported(r, said[r.n], FailureReason.REFUSED) for r in waiting]
        return await self._writer.report(Report.DELAYED, message, account, recipients, retry_until=retry_until)

    async def tell_paused(self, account: Account, reply: Reply) -> None:
        """Tell the postmaster that an account's login is refused."""
        notice = self._alert(Alert.ACCOUNT_PAUSED, account=account.name, address=str(account.address), reply=reply)
        await self._queue_alone([notice])

    async def tell_homeless(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Tell the postmaster that mail is held since its account is gone or excluded."""
        for delivery in deliveries:
            log.error("delivery_held", queue_id=delivery.message.id, delivery_id=delivery.id, account=delivery.account,
                      reason="the account is gone or excluded")  # fmt: skip
        for account in {delivery.account for delivery in deliveries}:
            count = sum(d.account == account for d in deliveries)
            notice = self._alert(Alert.ACCOUNT_GONE, account=account, count=count, once=("homeless", account))
            await self._queue_alone([notice])

    async def tell_recovered(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Say which mails may have been sent when the last process died; a second doubt is told to people."""
        held = [d for d in deliveries if d.uncertain > 1]
        log.warning("queue_recovered", deliveries=len(deliveries), held=len(held))
        for delivery in deliveries:
            log.warning(
                "possible_duplicate",
                queue_id=delivery.message.id,
                delivery_id=delivery.id,
                account=delivery.account,
                reason="the service ended while it was being sent",
                next_attempt=None if delivery in held else self._now(),
            )
        for delivery in held:
            log.error("delivery_held", queue_id=delivery.message.id, delivery_id=delivery.id, account=delivery.account,
                      reason="it may have been sent twice already")  # fmt: skip
            await self._queue_alone(self._held(delivery, Reply(code=0)))

    async def _failure(
        self, account: Account, delivery: ClaimedDelivery, failures: Sequence[Failure]
    ) -> NewMessage | None:
        if not self._may_tell(delivery.message):
            return None
        wanted = [failure for failure in failures if wants_failure(failure.recipient.notify)]
        if not wanted:
            log.warning("notice_dropped", queue_id=delivery.message.id, reason="the client asked for none (NOTIFY)")
            return None
        recipients = [
            _reported(f.recipient, f.reply, FailureReason.EXPIRED if f.expired else FailureReason.REFUSED)
            for f in wanted
        ]
        doubtful = delivery.uncertain > 0
        return await self._writer.report(Report.FAILED, delivery.message, account, recipients, doubtful=doubtful)

    async def _success(self, account: Account, delivery: ClaimedDelivery, conclusion: Conclusion) -> NewMessage | None:
        delivered = {n: outcome.reply for n, outcome in conclusion.outcomes if outcome.verdict is Verdict.DELIVERED}
        wanted = [
            _reported(recipient, delivered[recipient.n], FailureReason.REFUSED)
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

    def _held(self, delivery: ClaimedDelivery, reply: Reply) -> list[NewMessage | None]:
        """Tell the user and the postmaster of a mail that may have been sent, and waits for them."""
        message, account = delivery.message, self._settings().directory.account(delivery.account)
        readers = {user.name: user for user in (self._writer.reader(message, account), self._writer.postmaster)}
        return [
            self._alert(Alert.UNCERTAIN_HELD, reader=user, message=message, account=delivery.account, reply=reply)
            for user in readers.values()
        ]

    def _alert(
        self,
        kind: Alert,
        *,
        account: str,
        reader: User | None = None,
        message: Message | None = None,
        address: str = "",
        reply: Reply | None = None,
        count: int = 1,
        once: tuple[str, ...] | None = None,
    ) -> NewMessage | None:
        """Write an alert to the postmaster, or to another reader; what he was told a moment ago is not said again."""
        if message is not None and message.notice:
            return None
        if once is not None:
            if self._now() - self._told.get(once, -ALERT_PAUSE) < ALERT_PAUSE:
                return None
            self._told[once] = self._now()
        return self._writer.alert(
            kind,
            reader or self._writer.postmaster,
            account=account,
            message=message,
            address=address,
            reply=reply,
            count=count,
        )

    async def _queue_alone(self, notices: Collection[NewMessage | None]) -> None:
        written = [notice for notice in notices if notice is not None]
        for notice in written:
            await self._queue.accept(notice)
        log_notices(written)
        self.wake({delivery.account for notice in written for delivery in notice.deliveries})


_NOT_TRIED = Reply(code=0, enhanced="4.4.1", text="the provider's server has not been reached")


def _reported(recipient: Recipient, reply: Reply, reason: FailureReason) -> FailedRecipient:
    return FailedRecipient(address=recipient.address, reply=reply, reason=reason, orcpt=recipient.orcpt)
