"""The SMTP dialogue with one client (RFC 5321), as a subclass of aiosmtpd's `SMTP`.

aiosmtpd reads the commands and runs its verbs, which ask the hooks of `handler.py`. What is overridden, here and in
`connection.py` and `login.py`, is what a guarantee of the service needs; each method says which.

Guarantee: each command has one reply, in its order, with an enhanced code. A fault of ours is a 451 that tells nothing
of our inside; the log has it. No client keeps the event loop from the others for longer than a few commands.
"""

import asyncio
from asyncio import IncompleteReadError
from typing import Any, Final

from aiosmtpd.smtp import TLSSetupException

from relay.emitting import emit
from relay.events.sessions import SessionFailed
from relay.events.submission import MessageRejected
from relay.intake.commands import BadCommandError, offers_login, refuse_without_login
from relay.intake.handler import Mail
from relay.intake.login import LoginDialogue
from relay.intake.receiving import Receiver
from relay.intake.replies import (
    HELP,
    INTERNAL_FAULT,
    LINE_TOO_LONG,
    NO_ARGUMENT,
    NO_MAIL,
    SHUTTING_DOWN,
    THIS_IS_SMTP,
    TLS_IS_ON,
    encode,
    translate,
)
from relay.model.envelope import Client
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

_TURN: Final = 64
"""Replies after which others have their turn."""
_NO_RECIPIENTS: Final = refuse(Refused.NO_RECIPIENTS)


class SmtpSession(LoginDialogue):
    """One session."""

    receiver: Receiver | None = None
    """The mail that is coming in."""
    _errors = 0
    _turn = 0
    """Replies since others had their turn."""

    def __dir__(self) -> tuple[str, ...]:
        """List the verbs and mechanisms alone: aiosmtpd looks through all names for each session."""
        return _VERBS

    @property
    def may_log_in(self) -> bool:
        """Whether AUTH is offered."""
        has_passwords = self.context.shared.authenticator.has_passwords
        return offers_login(self.context.listener, self.ip, over_tls=self.over_tls, has_passwords=has_passwords)

    @property
    def user(self) -> str | None:
        """The name of the user who has logged in."""
        name: str | None = self.session.auth_data
        return name

    @property
    def client(self) -> Client:
        """What is known of the client by now."""
        return Client(
            ip=self.ip,
            helo=self.session.host_name or "",
            esmtp=self.session.extended_smtp,
            tls=self.over_tls,
            login=self.user,
            default_user=self.context.listener.default_user,
        )

    # Replies

    async def push(self, status: Any) -> None:  # noqa: ANN401 - see below
        """Send a reply: all pass here, so errors are counted here, and what must be the last one is. Raises SessionEnd.

        Octets are sent as they are, a Reply in the office's language; a string is aiosmtpd's own and is translated.
        """
        if status is None:  # the session ended while an exception was handled
            return
        reply = translate(status) if isinstance(status, str) else status
        if isinstance(reply, bytes):
            self._writer.write(reply + b"\r\n")
        else:
            self._answer(reply)
        if self.context.closing and not self.busy:
            self.end(SHUTTING_DOWN)
        self._turn += 1
        if self._turn >= _TURN:
            await self.yield_turn()
        await self._writer.drain()

    def _answer(self, reply: Reply) -> None:
        if reply is LINE_TOO_LONG and not self.session.host_name:
            reply = THIS_IS_SMTP  # no mail program begins so; a browser does
        if reply is THIS_IS_SMTP:
            self.context.refusals.note(self.ip, "it speaks HTTP", 421)
        if reply.code == 421:
            self.end(reply)
        self._writer.write(encode(reply, self.context.language))
        if reply.code >= 400:
            self._errors += 1
            if self._errors >= self.context.limits.errors_per_session:
                self.end(refuse(Refused.TOO_MANY_ERRORS))

    async def yield_turn(self) -> None:
        """Let others have their turn: what a client has sent ahead is handled without one by itself."""
        self._turn = 0
        await asyncio.sleep(0)

    def reject(
        self,
        reason: str,
        reply: Reply,
        *,
        queue_id: str | None = None,
        reverse_path: str | None = None,
        recipient: str | None = None,
    ) -> Reply:
        """Log why a mail is refused before the rules see it. Returns the reply."""
        if reverse_path is None and self.envelope.mail_from:
            reverse_path = self.envelope.shown_sender
        emit(
            MessageRejected(
                queue_id=queue_id,
                client=str(self.ip),
                user=self.user,
                reverse_path=reverse_path,
                recipient=recipient,
                reason=reason,
                code=reply.code,
                reply=str(reply),
            )
        )
        return reply

    async def handle_exception(self, error: Exception) -> Any:  # noqa: ANN401 - see push
        """Return what a fault of ours is answered. aiosmtpd's 500 would lose the mail, and show what went wrong.

        A refused command comes here as an exception, too; so does the end of what the client sends.
        """
        if isinstance(error, BadCommandError):
            return error.reply
        if isinstance(error, IncompleteReadError | ConnectionError):
            self.end(None)
        if not isinstance(error, TLSSetupException):  # there, aiosmtpd closes; the client broke off, or sent junk
            self.log_fault(error)
        return INTERNAL_FAULT

    def log_fault(self, error: Exception) -> None:
        """Log a fault of ours."""
        emit(SessionFailed(client=str(self.ip), error=repr(error), exception=error))

    # Verbs

    def _create_envelope(self) -> Mail:
        """Return a mail of ours, with nothing in it; what the one before held is given back."""
        if self.envelope is not None:
            self.envelope.release()
        return Mail()

    def _strip_command_keyword(self, _keyword: str, arg: str) -> str:
        """Leave the argument of MAIL and RCPT whole, for the hooks' strict parser: aiosmtpd's is lax."""
        return arg

    def _getaddr(self, arg: str) -> tuple[str, str]:
        """Leave it whole here, too: aiosmtpd would write parameters in capitals, and refuse those of RFC 3461."""
        return arg, ""

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Refuse MAIL, where a login is required, in the office's language; nothing else needs one."""
        if caller_method != "MAIL" or not self.context.listener.require_auth:
            return False
        refusal = refuse_without_login(self.context.listener, self.user, may_log_in=self.may_log_in)
        if refusal is None:
            return False
        await self.push(self.reject("no_login", refusal))
        return True

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Refuse TLS within TLS, which aiosmtpd does not; the handshake has a time limit of its own."""
        if self.over_tls:
            await self.push(TLS_IS_ON)
            return
        if self.tls_context is not None and not arg:
            self.begin_handshake()
        await super().smtp_STARTTLS(arg)

    async def smtp_HELP(self, _arg: str | None) -> None:
        """Name the commands, with the code that RFC 5321 section 4.2.2 has for it."""
        await self.push(HELP)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a mail as a stream: aiosmtpd's holds all of it in memory, and has one time limit for the whole."""
        mail = self.envelope
        if not mail.mail_from or not mail.rcpt_tos or arg:
            await self.push(NO_MAIL if not mail.mail_from else NO_ARGUMENT if mail.rcpt_tos else _NO_RECIPIENTS)
            return
        self.context.begin_mail(self)
        try:
            self.receiver = Receiver(self, mail)
            reply = await self.receiver.receive()
        finally:
            self.receiver = None
            self.context.end_mail(self)
            self.envelope = self._create_envelope()
        if reply.is_positive:
            self.allow_next_mail()
        self.restart_clock()
        await self.push(reply)

    @property
    def timeout_reply(self) -> Reply:
        """What a client is told whose time is up: one that waits at a dot between bare line feeds, how it can end."""
        if self.receiver is not None and self.receiver.hangs:
            return refuse(Refused.BARE_LINE_FEEDS, ip=str(self.ip))
        return super().timeout_reply


_VERBS: Final = tuple(name for name in dir(SmtpSession) if name.startswith(("smtp_", "auth_")))
