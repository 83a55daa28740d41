"""Who is told what: the notices that a settlement writes, and those that stand alone.

A notice is a mail of ours in the same queue, as durable as any other. Nothing is ever written about a notice, nor about
a mail with the null sender.
"""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

import structlog

from relay.delivery.journal import log_notices
from relay.delivery.pauses import PauseBook
from relay.model.account import Account, Notify, User
from relay.model.address import Address
from relay.model.ids import make_id
from relay.model.mail import (
    INBOX_LANE,
    ClaimedDelivery,
    DeliveryState,
    Message,
    NewDelivery,
    NewMessage,
    Recipient,
    RecipientKind,
)
from relay.model.reply import Reply
from relay.rules.conclusion import Conclusion, Failure
from relay.rules.notice import (
    Alert,
    FailedRecipient,
    FailureReason,
    Notice,
    alert_notice,
    failure_notice,
    notice_reader,
    notice_way,
)
from relay.settings import Settings
from relay.storage.queue import Queue

log = structlog.get_logger()

LARGEST_ATTACHED = 1 << 20
"""Octets up to which a failed mail is attached whole; of a larger one the header is enough to recognise it."""
ALERT_PAUSE = 3_600_000
"""Milliseconds in which the postmaster is told the same thing once; the log has every case."""


class Notifier:
    """Writes notices and queues them."""

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
        self._pauses = pauses
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
        sender_refused: Reply | None,
    ) -> list[NewMessage]:
        """Write the notices that a conclusion asks for; the settlement makes them durable."""
        message = delivery.message
        notices: list[NewMessage | None] = []
        if conclusion.failures:
            notices.append(await self._failure(account, delivery, conclusion.failures))
        notices += [
            self._alert(
                Alert.ARCHIVE_FAILED,
                self._postmaster(),
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
                    self._postmaster(),
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

    async def tell_paused(self, account: Account, reply: Reply) -> None:
        """Tell the postmaster that an account's login is refused."""
        notice = self._alert(
            Alert.ACCOUNT_PAUSED,
            self._postmaster(),
            account=account.name,
            address=str(account.address),
            reply=reply,
        )
        await self._queue_alone([notice])

    async def tell_homeless(self, deliveries: Sequence[ClaimedDelivery]) -> None:
        """Tell the postmaster that mail is held since its account is gone or excluded."""
        for delivery in deliveries:
            log.error("delivery_held", queue_id=delivery.message.id, delivery_id=delivery.id, account=delivery.account,
                      reason="the account is gone or excluded")  # fmt: skip
        for account in {delivery.account for delivery in deliveries}:
            notice = self._alert(
                Alert.ACCOUNT_GONE, self._postmaster(), account=account, once=("homeless", account),
                count=sum(d.account == account for d in deliveries),
            )  # fmt: skip
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
        message = delivery.message
        if message.notice or not message.reverse_path:
            log.warning("notice_dropped", queue_id=message.id, reason="a notice" if message.notice else "null sender")
            return None
        settings = self._settings()
        reader = notice_reader(directory=settings.directory, submitter=message.user, account=account)
        body = None
        if message.size <= LARGEST_ATTACHED:
            body = b"".join([chunk async for chunk in self._queue.chunks(message.id, 0)])
        return self._wrap(
            reader,
            account,
            lambda notice_id, sender: failure_notice(
                language=settings.language,
                hostname=settings.hostname,
                queue_id=message.id,
                notice_id=notice_id,
                at=self._at(),
                sender=sender,
                to=reader.address,
                to_name=reader.name,
                failed=[
                    FailedRecipient(
                        address=failure.recipient.address,
                        reply=failure.reply,
                        reason=FailureReason.EXPIRED if failure.expired else FailureReason.REFUSED,
                    )
                    for failure in failures
                ],
                original_header=message.header,
                original_body=body,
                original_subject=message.subject,
                original_sent=self._at(message.received_at),
            ),
        )

    def _held(self, delivery: ClaimedDelivery, reply: Reply) -> list[NewMessage]:
        """Tell the user and the postmaster of a mail that may have been sent, and waits for them."""
        message = delivery.message
        if message.notice:
            return []
        directory = self._settings().directory
        account = directory.account(delivery.account)
        reader = notice_reader(directory=directory, submitter=message.user, account=account)
        readers = {user.name: user for user in (reader, self._postmaster())}
        notices = [
            self._alert(Alert.UNCERTAIN_HELD, user, message=message, account=delivery.account, reply=reply)
            for user in readers.values()
        ]
        return [notice for notice in notices if notice is not None]

    def _alert(
        self,
        kind: Alert,
        reader: User,
        *,
        account: str,
        message: Message | None = None,
        address: str = "",
        reply: Reply | None = None,
        count: int = 1,
        once: tuple[str, ...] | None = None,
    ) -> NewMessage | None:
        if message is not None and message.notice:
            return None
        if once is not None:
            if self._now() - self._told.get(once, -ALERT_PAUSE) < ALERT_PAUSE:
                return None
            self._told[once] = self._now()
        settings = self._settings()
        return self._wrap(
            reader,
            settings.directory.account(account),
            lambda notice_id, sender: alert_notice(
                kind=kind,
                language=settings.language,
                hostname=settings.hostname,
                notice_id=notice_id,
                at=self._at(),
                sender=sender,
                to=reader.address,
                to_name=reader.name,
                account=account,
                address=address,
                reply=reply,
                queue_id="" if message is None else message.id,
                subject="" if message is None else message.subject,
                count=count,
            ),
        )

    def _wrap(self, reader: User, about: Account | None, write: Callable[[str, Address], Notice]) -> NewMessage:
        """Make a mail of a notice, on the way that reaches its reader: a working account, else his inbox."""
        settings, now = self._settings(), self._now()
        account = None
        if notice_way(directory=settings.directory, user=reader) is Notify.MAIL:
            account = self._working_account(reader, about)
        sender = account.address if account is not None else reader.address
        notice_id = make_id(now, os.urandom(10))
        notice = write(notice_id, sender)
        recipient = (
            Recipient(n=0, address=reader.name, kind=RecipientKind.INBOX)
            if account is None
            else Recipient(n=0, address=reader.address.wire)
        )
        lane = INBOX_LANE if account is None else account.name
        return NewMessage(
            message=Message(
                id=notice_id,
                received_at=now,
                user=None,
                account=lane,
                rule="notice",
                reverse_path="",
                header_message_id=notice.message_id,
                subject=notice.subject,
                size=len(notice.header) + 2 + len(notice.body),
                client="relay",
                header=notice.header,
                eightbit=not (notice.header.isascii() and notice.body.isascii()),
                smtputf8=not (recipient.address.isascii() and notice.header.isascii()),
                notice=True,
            ),
            deliveries=(NewDelivery(id=make_id(now, os.urandom(10)), account=lane, recipients=(recipient,), due=now),),
            chunks=((0, 0, notice.body),),
        )

    def _working_account(self, reader: User, about: Account | None) -> Account | None:
        """Choose an account that sends and is not paused: the reader's own, else the one concerned, else the first."""
        accounts = [
            account
            for account in self._settings().directory.accounts
            if account.smtp is not None and not account.excluded and account.name not in self._pauses
        ]
        own = [account for account in accounts if account.owner == reader.name]
        concerned = [account for account in accounts if about is not None and account.name == about.name]
        return next(iter([*own, *concerned, *accounts]), None)

    def _postmaster(self) -> User:
        directory = self._settings().directory
        postmaster = directory.user(directory.postmaster)
        assert postmaster is not None
        return postmaster

    async def _queue_alone(self, notices: Collection[NewMessage | None]) -> None:
        written = [notice for notice in notices if notice is not None]
        for notice in written:
            await self._queue.accept(notice)
        log_notices("", written)
        self.wake({delivery.account for notice in written for delivery in notice.deliveries})

    def _at(self, milliseconds: int | None = None) -> datetime:
        moment = self._now() if milliseconds is None else milliseconds
        return datetime.fromtimestamp(moment / 1000, UTC).astimezone(self._settings().hours.timezone)
