"""The hooks of one listener, as aiosmtpd calls them: what each command is answered, and what of it is kept.

aiosmtpd answers a verb without a hook by itself; a hook with a wrong name is never called, and nothing says so.
`tests/intake/test_handler.py` proves that each is called.
"""

import functools
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import MISSING, Session
from aiosmtpd.smtp import Envelope as AiosmtpdEnvelope

from relay.intake.budget import Holding
from relay.intake.commands import (
    NO_OPTIONS,
    NO_PARAMETERS,
    TOO_LARGE,
    TOO_MANY_RECIPIENTS,
    BadCommandError,
    MailParameters,
    check_characters,
    read_recipient,
    read_sender,
)
from relay.intake.listener_context import ListenerContext
from relay.intake.replies import BYE, CANNOT_VERIFY, NOT_NOW, OK, RECIPIENT_OK, SENDER_OK
from relay.model.address import Address
from relay.model.envelope import DsnOptions, Envelope
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_size

if TYPE_CHECKING:
    from relay.intake.session import SmtpSession

NO_DISK: Final = refuse(Refused.NO_DISK)
NO_MEMORY: Final = refuse(Refused.NO_ROOM)
NOT_COUNTED: Final = 4096
"""Octets of an envelope that are not counted."""
_RECIPIENT: Final = 512
"""Octets that a recipient is counted with, beside those of its command."""
_LONGEST_NAME: Final = 255

Answer = bytes | Reply
"""A positive reply as it is sent, or a refusal."""


class Mail(AiosmtpdEnvelope):
    """One mail transaction; `mail_from` is empty until MAIL was accepted, then the path as it was written."""

    rcpt_tos: list[Address]  # type: ignore[assignment]  # aiosmtpd keeps texts
    rcpt_options: list[DsnOptions]  # type: ignore[assignment]  # as above
    """For each of `rcpt_tos`."""
    reverse_path: Address | None = None
    """The parsed `mail_from`; None is the null path."""
    parameters: MailParameters = NO_PARAMETERS
    """What MAIL said beside the path."""
    size = 0
    """Octets that the recipients are counted with."""
    holding: Holding | None = None
    """What the transaction takes of its client's share of the memory; whoever takes the mail takes it, too."""

    @property
    def shown_sender(self) -> str:
        """The sender as the log shows it."""
        return str(self.reverse_path or "<>")

    def release(self) -> None:
        """Give back what is held of the client's share."""
        if self.holding is not None:
            self.holding.close()
            self.holding = None

    def to_envelope(self) -> Envelope:
        """Return the envelope as the rules take it."""
        options = tuple(self.rcpt_options)
        return Envelope(
            reverse_path=self.reverse_path,
            recipients=tuple(self.rcpt_tos),
            smtputf8=self.parameters.smtputf8,
            ret=self.parameters.ret,
            envelope_id=self.parameters.envelope_id,
            dsn_options=options if any(one != NO_OPTIONS for one in options) else (),
        )


class Handler:
    """The hooks of one listener, for all its sessions."""

    def __init__(self, context: ListenerContext) -> None:
        self._context = context
        # aiosmtpd asks for this hook's signature for each session: it has one that need not be made of the method's.
        hook: Any = functools.partial(self.handle_EHLO)
        hook.__signature__ = inspect.signature(self.handle_EHLO)
        self.handle_EHLO = hook  # type: ignore[method-assign]

    def __dir__(self) -> Iterable[str]:
        """List the hooks alone: aiosmtpd looks through all names for each session."""
        return _HOOKS

    async def handle_HELO(self, _server: "SmtpSession", session: Session, _mail: Mail, hostname: str) -> bytes:
        """Keep the client's name."""
        check_characters(hostname)
        session.host_name = hostname[:_LONGEST_NAME]
        return f"250 {self._context.hostname}".encode()

    async def handle_EHLO(
        self, server: "SmtpSession", session: Session, _mail: Mail, hostname: str, _responses: list[str]
    ) -> list[bytes]:
        """Keep the client's name, and offer in place of aiosmtpd's list what this listener has for this client."""
        check_characters(hostname)
        session.host_name = hostname[:_LONGEST_NAME]
        lines = [self._context.hostname, "PIPELINING", f"SIZE {self._context.listener.max_message_size}"]
        lines += ["8BITMIME", "SMTPUTF8", "DSN"]
        if server.tls_context is not None and not server.over_tls:
            lines.append("STARTTLS")
        if server.may_log_in:
            lines.append("AUTH PLAIN LOGIN")
        return ["\r\n".join([*(f"250-{line}" for line in lines), "250 ENHANCEDSTATUSCODES"]).encode()]

    async def handle_MAIL(
        self, server: "SmtpSession", session: Session, mail: Mail, argument: str, _options: list[str]
    ) -> Answer:
        """Begin a mail; `argument` is all that stands behind the verb."""
        check_characters(argument, is_path=True)
        try:
            # Whether the client may log in matters for AUTH alone, and takes longer to find than all else here.
            may_log_in = "AUTH" in argument.upper() and server.may_log_in
            reverse_path, parameters = read_sender(argument, esmtp=session.extended_smtp, may_log_in=may_log_in)
        except BadCommandError as error:
            return server.reject("bad_sender", error.reply, reverse_path=argument)
        size, most = parameters.size or 0, self._context.listener.max_message_size
        if size > most:
            return server.reject(TOO_LARGE, refuse_size(size, most=most), reverse_path=str(reverse_path or "<>"))
        if not self._context.shared.disk_space.has(size):
            return server.reject("no_disk", NO_DISK, reverse_path=str(reverse_path or "<>"))
        mail.mail_from, mail.reverse_path, mail.parameters = argument, reverse_path, parameters
        mail.holding = Holding(self._context.shared.budget, server.ip)
        return SENDER_OK

    async def handle_RCPT(
        self, server: "SmtpSession", session: Session, mail: Mail, argument: str, _options: list[str]
    ) -> Answer:
        """Take a recipient; `argument` is all that stands behind the verb."""
        check_characters(argument, is_path=True)
        try:
            recipient, options = read_recipient(
                argument,
                esmtp=session.extended_smtp,
                smtputf8=mail.parameters.smtputf8,
                postmaster=self._context.shared.submission.directory.postmaster_address,
            )
        except BadCommandError as error:
            return server.reject("bad_recipient", error.reply, recipient=argument)
        if len(mail.rcpt_tos) >= self._context.limits.recipients_per_message:
            return server.reject("too_many_recipients", TOO_MANY_RECIPIENTS, recipient=argument)
        size = mail.size + len(argument) + _RECIPIENT
        if size > NOT_COUNTED and mail.holding is not None and not mail.holding.change(size - NOT_COUNTED):
            return server.reject("no_room", NO_MEMORY, recipient=argument)
        mail.size = size
        mail.rcpt_tos.append(recipient)
        mail.rcpt_options.append(options)
        return RECIPIENT_OK

    async def handle_RSET(self, _server: "SmtpSession", _session: Session, _mail: Mail) -> bytes:
        """Say that the mail is forgotten."""
        return OK

    async def handle_NOOP(self, _server: "SmtpSession", _session: Session, _mail: Mail, argument: str | None) -> bytes:
        """Do nothing."""
        check_characters(argument or "")
        return OK

    async def handle_VRFY(self, _server: "SmtpSession", _session: Session, _mail: Mail, _address: str) -> bytes:
        """Tell nobody who is known here."""
        return CANNOT_VERIFY

    async def handle_QUIT(self, server: "SmtpSession", _session: Session, _mail: Mail) -> None:
        """End the session here: aiosmtpd would still run the command behind it."""
        server.end(BYE)

    async def handle_AUTH(self, server: "SmtpSession", _session: Session, mail: Mail, _args: list[str]) -> Any:  # noqa: ANN401 - or aiosmtpd's MISSING
        """Refuse a login within a mail (RFC 4954 section 4), or where others could listen; else aiosmtpd goes on."""
        if mail.mail_from:
            return NOT_NOW
        return MISSING if server.may_log_in else refuse(Refused.NO_TLS_FOR_LOGIN)


_HOOKS: Final = tuple(name for name in vars(Handler) if name.startswith("handle_"))
