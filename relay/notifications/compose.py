"""A notice as a mail of ours: for whom, by which way, in which words.

Nothing here writes, logs or remembers anything: it reads the settings and, of a mail that is returned, the body.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from relay.model.account import Account, Notify, User
from relay.model.destination import Destination, to_account, to_inbox
from relay.model.ids import new_id
from relay.model.mail import Message, NewDelivery, NewMessage, Recipient, RecipientKind
from relay.rules.disposition import Failure
from relay.rules.dsn import decode_xtext
from relay.rules.notice import (
    Letterhead,
    Notice,
    alert_notice,
    has_inbox,
    notice_reader,
    notice_way,
    plain_notice,
    redirect,
    report_notice,
)
from relay.rules.notice_status import Story
from relay.rules.notice_texts import Others, Report
from relay.rules.notice_wording import AlertFacts
from relay.runtime import Runtime

LARGEST_ATTACHED = 1 << 20
"""Octets up to which a failed mail is attached whole; of a larger one the header is enough to recognise it."""


class Composer:
    """Composes notices. The caller stores them."""

    def __init__(self, runtime: Runtime, *, is_paused: Callable[[str], bool], works: Callable[[str], bool]) -> None:
        """`works` returns whether an account's server takes mail, as far as is known."""
        self._settings, self._queue, self._now = runtime.settings, runtime.queue, runtime.now
        self._is_paused = is_paused
        self._works = works

    @property
    def postmaster(self) -> User:
        """The user who gets alerts."""
        directory = self._settings().directory
        return notice_reader(directory=directory, submitter=directory.postmaster, account=None)

    def reader(self, message: Message, account: Account | None) -> User:
        """Return who is told about a mail."""
        return notice_reader(directory=self._settings().directory, submitter=message.user, account=account)

    async def report(
        self,
        report: Report,
        message: Message,
        account: Account | None,
        recipients: Sequence[Failure],
        *,
        retry_until: int | None = None,
        doubtful: bool = False,
        others: Others = Others.NONE,
    ) -> NewMessage:
        """Compose a DSN about some recipients of a mail; `retry_until` in milliseconds since 1970.

        Raises StorageError where the body that is to be attached can't be read.
        """
        body, reader = None, self.reader(message, account)
        # RFC 3461 section 4.3: RET speaks of failures alone, everything else returns the header.
        if report is Report.FAILED and message.ret != "HDRS" and message.size <= LARGEST_ATTACHED:
            body = b"".join([chunk async for chunk in self._queue.chunks(message.id, 0)])
        story = Story(
            report=report,
            recipients=recipients,
            queue_id=message.id,
            header=message.header,
            body=body,
            subject=message.subject,
            sent=self.at(message.received_at),
            envelope_id=decode_xtext(message.envelope_id),
            others=others,
            retry_until=None if retry_until is None else self.at(retry_until),
            doubtful=doubtful,
            account=account.name if account is not None and reader.name == self.postmaster.name else "",
        )
        return self._address(reader, account, message.id, lambda head: report_notice(head, story))

    def alert(self, facts: AlertFacts) -> NewMessage:
        """Compose an alert to the postmaster, or to another reader."""
        reader = facts.reader or self.postmaster
        helped = reader.name != self.postmaster.name
        concerned = self._settings().directory.account(facts.account)
        about = "" if facts.message is None else facts.message.id
        notice = self._address(reader, concerned, about, lambda head: alert_notice(head, facts, helped=helped))
        return replace(notice, once=facts.once)

    def plain(self, title: str, paragraphs: Sequence[str], account: str = "") -> NewMessage:
        """Compose a notice of plain paragraphs to the postmaster; `account`: the name of the one that it concerns.

        Where it leaves by mail, a copy goes into the inbox at once: it may be about the very provider that it needs.
        """
        reader, concerned = self.postmaster, self._settings().directory.account(account)
        notice = self._address(reader, concerned, "", lambda head: plain_notice(head, title, paragraphs))
        if not notice.message.account:
            return notice
        inbox = Recipient(n=1, address=reader.name, kind=RecipientKind.INBOX)
        return replace(notice, deliveries=(*notice.deliveries, self._delivery(to_inbox(reader.name), inbox)))

    def _address(
        self, reader: User, concerned: Account | None, about: str, write: Callable[[Letterhead], Notice]
    ) -> NewMessage:
        """Make a mail of a notice, by the way that reaches its reader: a working account, else his inbox."""
        settings, now = self._settings(), self._now()
        account = None
        if notice_way(directory=settings.directory, user=reader) is Notify.MAIL:
            name = "" if concerned is None else concerned.name
            # Where none works it waits for one that is not paused; it is moved when another works again.
            account = self.working_account(reader, concerned=name) or self._choose(reader, name, lambda _: True)
        notice_id = new_id(now)
        notice = write(
            Letterhead(
                language=settings.language,
                hostname=settings.hostname,
                notice_id=notice_id,
                at=self.at(),
                sender=account.address if account is not None else reader.address,
                reader=reader,
            )
        )
        recipient = Recipient(n=0, address=reader.address.wire)
        if account is None:
            name, header = self.into_inbox(reader, notice.header, subject=notice.subject)
            notice = replace(notice, header=header)
            recipient = Recipient(n=0, address=name, kind=RecipientKind.INBOX)
        to = to_inbox(recipient.address) if account is None else to_account(account.name)
        return NewMessage(
            message=Message(
                id=notice_id,
                received_at=now,
                user=None,
                account=to.account,
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
                about=about,
                source="relay",
            ),
            deliveries=(self._delivery(to, recipient),),
            chunks=((0, 0, notice.body),),
        )

    def _delivery(self, to: Destination, recipient: Recipient) -> NewDelivery:
        now = self._now()
        return NewDelivery(id=new_id(now), destination=to, recipients=(recipient,), due=now)

    def into_inbox(self, reader: User, header: bytes, *, subject: str) -> tuple[str, bytes]:
        """Return the user in whose inbox a notice goes, and its header: the reader if he has one, else the postmaster.

        `subject` is that of the header; the postmaster's copy says in it for whom it is.
        """
        settings = self._settings()
        if reader.name == self.postmaster.name or has_inbox(directory=settings.directory, user=reader):
            return reader.name, header
        return self.postmaster.name, redirect(header, language=settings.language, subject=subject, reader=reader.name)

    def working_account(self, reader: User, *, concerned: str = "", besides: str = "") -> Account | None:
        """Choose an account that sends and works: the reader's own, else the one concerned, else the first."""
        return self._choose(reader, concerned, lambda name: name != besides and self._works(name))

    def _choose(self, reader: User, concerned: str, may: Callable[[str], bool]) -> Account | None:
        accounts = [
            account
            for account in self._settings().directory.accounts
            if account.sends and not self._is_paused(account.name) and may(account.name)
        ]
        own = [account for account in accounts if account.owner == reader.name]
        same = [account for account in accounts if account.name == concerned]
        return next(iter([*own, *same, *accounts]), None)

    def at(self, milliseconds: int | None = None) -> datetime:
        """Return a moment, without one the present, as the clock on the office's wall shows it."""
        moment = self._now() if milliseconds is None else milliseconds
        return datetime.fromtimestamp(moment / 1000, UTC).astimezone(self._settings().hours.timezone)
