"""The mail transaction of a session (RFC 5321 section 3.3): MAIL, RCPT, and the mail by DATA or BDAT (RFC 3030)."""

from dataclasses import dataclass, field
from typing import Final

import structlog

from relay.intake.budget import Holding
from relay.intake.commands import TOO_MANY_RECIPIENTS, offers_login, read_recipient, read_sender, refuse_stranger
from relay.intake.dialogue import BAD_CHUNK, Dialogue, make_reply
from relay.intake.judging import most_refused
from relay.intake.parameters import NO_OPTIONS, MailParameters
from relay.intake.path import BadCommandError
from relay.intake.receiving import NO_DISK, NO_ROOM, Receiver
from relay.intake.transfer import ChunkFeed, DataFeed, RefusedChunk, parse_chunk
from relay.model.address import Address
from relay.model.envelope import Client, DsnOptions, Envelope
from relay.model.reply import Reply
from relay.rules.dot_stuffing import LineEnds
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_size

log = structlog.get_logger()

OK: Final = make_reply(250, "2.0.0", "OK")
_SENDER_OK: Final = make_reply(250, "2.1.0", "OK")
_RECIPIENT_OK: Final = make_reply(250, "2.1.5", "OK")
SLOWEST: Final = 8192
"""Octets a second: who is slower for longer than `data_idle` makes up for is cut off."""
_RECIPIENT: Final = 512
"""Octets that a recipient is counted with, beside those of its command."""
_FREE: Final = 4096
"""Octets of an envelope that are not counted."""
_NO_MAIL: Final = make_reply(503, "5.5.1", "MAIL first")
_NO_RECIPIENTS: Final = refuse(Refused.NO_RECIPIENTS)


@dataclass(kw_only=True, slots=True)
class Transaction:
    """What was said since MAIL."""

    reverse_path: Address | None
    asked: MailParameters
    holding: Holding
    """What it takes of its client's share of the memory."""
    recipients: list[Address] = field(default_factory=list)
    dsn_options: list[DsnOptions] = field(default_factory=list)
    size: int = 0
    """Octets that the recipients are counted with."""
    lines: LineEnds | None = None
    """Set where the mail comes by BDAT."""

    @property
    def envelope(self) -> Envelope:
        """The envelope that came of it."""
        return Envelope(
            reverse_path=self.reverse_path,
            recipients=tuple(self.recipients),
            smtputf8=self.asked.smtputf8,
            ret=self.asked.ret,
            envelope_id=self.asked.envelope_id,
            dsn_options=tuple(self.dsn_options) if any(wish != NO_OPTIONS for wish in self.dsn_options) else (),
        )


class TransactionDialogue(Dialogue):
    """The part of a session that takes mails."""

    helo = ""
    esmtp = False
    user: str | None = None
    """The user's name, once he has logged in."""
    transaction: Transaction | None = None
    _mail: Receiver | None = None
    """The mail that has begun to come, up to its reply."""

    @property
    def may_log_in(self) -> bool:
        """Whether AUTH is offered."""
        has_passwords = self.desk.authenticator.has_passwords
        return offers_login(self.desk.listener, self.ip, over_tls=self.over_tls, has_passwords=has_passwords)

    @property
    def client(self) -> Client:
        """What is known of the client by now."""
        return Client(
            ip=self.ip,
            helo=self.helo,
            esmtp=self.esmtp,
            tls=self.over_tls,
            login=self.user,
            default_user=self.desk.listener.default_user,
        )

    def heard(self) -> None:
        """Give time anew for each command; while a mail comes by BDAT, only its octets count."""
        if self._mail is None:
            super().heard()

    @property
    def must_wait(self) -> bool:
        """Whether something is under way that must end before the next bytes can be looked at."""
        mail = self._mail
        return self.waiting is not None or (mail is not None and (mail.ended or mail.full))

    def reset(self) -> None:
        """Forget the transaction; a mail that has begun to come by BDAT is let go."""
        if self._mail is not None:
            self._mail.forget()
            self._close_mail()
        if self.transaction is not None:
            self.transaction.holding.close()
            self.transaction = None

    def leave(self) -> None:
        """Let go of what is under way: the client is gone. A mail that is whole goes on to its commit."""
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None
        if self._mail is None or not self._mail.ended:
            self.reset()

    def gone(self, why: str) -> None:
        """Log a mail that the client breaks off."""
        mail = self._mail
        if mail is None or mail.ended:
            return
        if self._hangs:
            why += (
                "; it ended the mail by a dot between bare line feeds, where SMTP wants CR LF:"
                " bare_line_feeds = true for its [[device]] takes such mail"
            )
        log.warning("message_broken_off", **self.about, octets=mail.size, reason=why)

    @property
    def _hangs(self) -> bool:
        return isinstance(self.feed, DataFeed) and self.feed.hangs

    @property
    def last_words(self) -> Reply:
        """What a client is told whose time is up."""
        return refuse(Refused.BARE_LINE_FEEDS, ip=str(self.ip)) if self._hangs else super().last_words

    @property
    def about(self) -> dict[str, object]:
        """What the log says of each refusal: who hands in what."""
        transaction = self.transaction
        reverse_path = None if transaction is None else str(transaction.reverse_path or "<>")
        return {"client": str(self.ip), "user": self.user, "reverse_path": reverse_path}

    # The commands

    def rset(self, _argument: str) -> Reply:
        """Forget the transaction."""
        self.reset()
        return OK

    def mail_from(self, argument: str) -> Reply:
        """Begin a transaction."""
        if not self.helo:
            return make_reply(503, "5.5.1", "EHLO first")
        if self.transaction is not None:
            return make_reply(503, "5.5.1", "A mail has begun already")
        stranger = refuse_stranger(self.desk.listener, self.user, may_log_in=self.may_log_in)
        if stranger is not None:
            return self._reject("no_login", stranger)
        try:
            reverse_path, asked = read_sender(argument, esmtp=self.esmtp, may_log_in=self.may_log_in)
        except BadCommandError as error:
            return self._reject("bad_sender", error.reply, reverse_path=argument)
        holding = Holding(self.desk.budget, self.ip)
        self.transaction = Transaction(reverse_path=reverse_path, asked=asked, holding=holding)
        refusal = self._check_room(asked.size or 0)
        if refusal is not None:
            self.transaction = None
        return refusal or _SENDER_OK

    def _check_room(self, size: int) -> Reply | None:
        if size > self.desk.listener.max_message_size:
            return self._reject("too_large", refuse_size(size, most=self.desk.listener.max_message_size))
        room = self.desk.room
        return None if room is None or room.has(size) else self._reject("no_disk", NO_DISK)

    def _reject(self, reason: str, reply: Reply, **fields: str) -> Reply:
        """Log why a mail is refused before the rules could see it."""
        about = self.about | fields
        log.warning("message_rejected", **about, reason=reason, code=reply.code, reply=str(reply))
        return reply

    def rcpt_to(self, argument: str) -> Reply:
        """Take a recipient."""
        transaction = self.transaction
        if transaction is None:
            return _NO_MAIL
        if self._mail is not None:
            return make_reply(503, "5.5.1", "The mail has begun to come already")
        try:
            recipient, wish = read_recipient(
                argument,
                esmtp=self.esmtp,
                smtputf8=transaction.asked.smtputf8,
                postmaster=self.desk.submission.resolve_postmaster(),
            )
        except BadCommandError as error:
            return self._reject("bad_recipient", error.reply, recipient=argument)
        if len(transaction.recipients) >= self.desk.limits.recipients_per_message:
            return self._reject("too_many_recipients", TOO_MANY_RECIPIENTS, recipient=argument)
        size = transaction.size + len(argument) + _RECIPIENT
        if size > _FREE and not transaction.holding.change(size - _FREE):
            return self._reject("no_room", NO_ROOM, recipient=argument)
        transaction.size = size
        transaction.recipients.append(recipient)
        transaction.dsn_options.append(wish)
        return _RECIPIENT_OK

    def data(self, argument: str) -> Reply | None:
        """Take the mail by DATA, up to its final dot."""
        transaction = self.transaction
        if transaction is None:
            return _NO_MAIL
        if not transaction.recipients:
            return _NO_RECIPIENTS
        if self._mail is not None:
            return make_reply(503, "5.5.1", "The mail has begun to come by BDAT")
        if argument:
            return make_reply(501, "5.5.4", "DATA takes no argument")
        mail = self._open_mail(transaction)
        if mail.refusal is not None:
            self.reset()
            return mail.refusal
        self.send("354 Go on, end with a dot on a line of its own")
        self.feed = DataFeed(self, mail, bare_line_feeds=self.desk.submission.takes_bare_line_feeds(self.ip))
        return None

    def bdat(self, argument: str) -> Reply | None:
        """Take a chunk of the mail, or read what is refused and throw it away."""
        chunk = parse_chunk(argument)
        if chunk is None:
            self.lose_count()
        octets, last = chunk
        transaction = self.transaction
        feed: ChunkFeed | RefusedChunk
        if last is not None and transaction is not None and transaction.recipients:
            mail = self._mail or self._open_mail(transaction)
            transaction.lines = transaction.lines or LineEnds()
            feed = ChunkFeed(self, mail, transaction.lines, octets, last=last)
        else:
            refusal = BAD_CHUNK if last is None else _NO_MAIL if transaction is None else _NO_RECIPIENTS
            feed = RefusedChunk(self, refusal, octets, most=most_refused(self.desk.listener.max_message_size))
        if octets:
            self.feed = feed
        else:
            feed.take(b"")
        return None

    def _open_mail(self, transaction: Transaction) -> Receiver:
        incoming = self.desk.submission.begin(
            transaction.envelope, self.client, show_client=self.desk.listener.received_client
        )
        self._mail = mail = Receiver(
            self,
            self.desk,
            incoming,
            holding=transaction.holding,
            envelope=max(0, transaction.size - _FREE),
            about=self.about,
        )
        self.desk.begin_mail(self)
        mail.admit(transaction.asked.size)
        self.rewind(self.desk.limits.data_idle)
        return mail

    def progress(self, octets: int) -> None:
        """Give more time to a client that goes on with its mail: as much as the slowest may need for these octets."""
        self.prolong(octets / SLOWEST, self.desk.limits.data_idle)

    def mail_done(self, reply: Reply) -> None:
        """Take the reply to the whole mail: the transaction is over."""
        self._close_mail()
        self.reset()
        if reply.is_positive:
            self.be_patient()
        self.answer(reply)

    def _close_mail(self) -> None:
        self._mail = None
        self.desk.end_mail(self)
