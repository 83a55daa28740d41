"""The SMTP dialogue with one client (RFC 5321): which command may come when, and what it is answered.

Every reply carries an enhanced status code (RFC 2034). Whatever a client sends, it gets a reply that tells nothing of
our inside; a fault of ours is a 451, and the log has it.
"""

import re
from collections.abc import Awaitable, Callable
from ssl import SSLError
from typing import ClassVar

import structlog
from aiosmtpd.smtp import TLSSetupException

from relay.intake.connection import ClientConnection, LineTooLongError, SessionEnd
from relay.intake.login import Login
from relay.intake.parameters import MailParameters, read_mail_parameters, read_rcpt_parameters
from relay.intake.path import BadCommandError, parse_argument, parse_forward_path, parse_reverse_path
from relay.intake.receiving import NO_DISK, receive
from relay.model.address import Address
from relay.model.envelope import Client, Envelope, Wish
from relay.model.reply import Reply

log = structlog.get_logger()

INTERNAL_FAULT = Reply(code=451, enhanced="4.3.0", text="Something went wrong here, try again later")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")
# A web page can make a browser in the LAN send these: nothing that follows may be taken for SMTP.
_BROWSER = re.compile(rb"(?:GET|POST|PUT|HEAD|OPTIONS|CONNECT|DELETE|PATCH) |Host:|User-Agent:", re.IGNORECASE)

_NO_WISH = Wish()

Handler = Callable[["SmtpSession", str], Awaitable[Reply | None]]


def _reply(code: int, enhanced: str, text: str) -> Reply:
    return Reply(code=code, enhanced=enhanced, text=text)


class SmtpSession(ClientConnection):
    """One session."""

    _commands = 0
    _errors = 0
    helo = ""
    esmtp = False
    user: str | None = None
    """The user's name, once he has logged in."""
    _in_transaction = False
    _reverse_path: Address | None = None
    _asked = MailParameters()
    failed_logins = 0

    # The dialogue

    async def _handle_client(self) -> None:
        self._recipients: list[Address] = []
        self._wishes: list[Wish] = []
        try:
            await self.send(f"220 {self.desk.hostname} ESMTP")
            while True:
                reply = await self._next()
                if reply is not None:
                    await self.answer(reply)
        except SessionEnd as end:
            if end.reply is not None:
                self.say_last(end.reply)
        except (ConnectionError, TLSSetupException, SSLError):
            pass
        except Exception as error:  # the one session ends, the others must not notice
            log.exception("session_failed", client=str(self.ip), error=repr(error))
            self.say_last(INTERNAL_FAULT)
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _next(self) -> Reply | None:
        """Read a command and do it; gives the reply where none was sent yet."""
        self.rewind(self.desk.limits.session_idle)
        try:
            line = await self.read_line()
        except LineTooLongError:
            return _reply(500, "5.5.2", "The line is too long")
        self._commands += 1
        if self._commands > self.desk.limits.commands_per_session:
            raise SessionEnd(_reply(421, "4.7.0", "Too many commands"))
        if _BROWSER.match(line):
            log.warning("session_refused", client=str(self.ip), reason="it speaks HTTP", code=421)
            raise SessionEnd(_reply(421, "4.7.0", "This is SMTP"))
        try:
            handler, argument = self._read_command(line)
            return await handler(self, argument)
        except BadCommandError as error:
            return error.reply
        except (SessionEnd, ConnectionError, TLSSetupException, SSLError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets a reply that says nothing of it
            return await self.handle_exception(error)

    def _read_command(self, line: bytes) -> tuple[Handler, str]:
        """Find a command's handler and its argument. Raises BadCommandError."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            code = (553, "5.6.7") if line[:4].upper() in (b"MAIL", b"RCPT") else (500, "5.5.2")
            raise BadCommandError(*code, "This is not UTF-8") from None
        if _TEXT.fullmatch(text) is None:
            raise BadCommandError(500, "5.5.2", "Control characters are not allowed")
        verb, _, argument = text.strip(" ").partition(" ")
        handler = self._HANDLERS.get(verb.upper())
        if handler is None:
            raise BadCommandError(500, "5.5.1", "Unknown command")
        return handler, argument.strip(" ")

    async def handle_exception(self, error: Exception) -> Reply:  # type: ignore[override]
        """Log a fault of ours; the client is asked to try again later."""
        log.error("session_failed", client=str(self.ip), error=repr(error), exc_info=error)
        return INTERNAL_FAULT

    async def answer(self, reply: Reply) -> None:
        """Send a reply, and count the errors."""
        code = f"{reply.code}"
        first, *rest = (f"{reply.enhanced} {line}" for line in reply.text.split("\n"))
        lines = [first, *rest]
        await self.send(*(f"{code}{'-' if n < len(lines) - 1 else ' '}{line}" for n, line in enumerate(lines)))
        if reply.code == 421:
            raise SessionEnd
        if reply.code >= 400:
            self._errors += 1
            if self._errors >= self.desk.limits.errors_per_session:
                raise SessionEnd(_reply(421, "4.7.0", "Too many errors"))
        if self.desk.closing and not self.busy:
            raise SessionEnd(_reply(421, "4.3.2", "The service is shutting down"))

    def reset(self) -> None:
        """Forget the transaction."""
        self._in_transaction = False
        self._reverse_path = None
        self._recipients = []
        self._wishes = []
        self._asked = MailParameters()

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

    def _reject(self, reason: str, reply: Reply) -> Reply:
        """Log why a mail is refused before the rules could see it."""
        log.warning("message_rejected", client=str(self.ip), user=self.user, reason=reason, code=reply.code,
                    reply=str(reply))  # fmt: skip
        return reply

    # The commands

    async def _helo(self, argument: str) -> Reply | None:
        return await self._greet(argument, esmtp=False)

    async def _ehlo(self, argument: str) -> Reply | None:
        return await self._greet(argument, esmtp=True)

    async def _greet(self, argument: str, *, esmtp: bool) -> Reply | None:
        if not argument:
            return _reply(501, "5.5.4", "Say your name with it")
        self.reset()
        self.helo, self.esmtp = argument[:255], esmtp
        lines = [self.desk.hostname]
        if esmtp:
            lines += ["PIPELINING", f"SIZE {self.desk.listener.max_message_size}", "8BITMIME", "SMTPUTF8", "DSN"]
            if self.desk.tls_context is not None and not self.over_tls:
                lines.append("STARTTLS")
            if self._may_log_in:
                lines.append("AUTH PLAIN LOGIN")
            lines.append("ENHANCEDSTATUSCODES")
        await self.send(*(f"250{'-' if n < len(lines) - 1 else ' '}{line}" for n, line in enumerate(lines)))
        return None

    async def _noop(self, _argument: str) -> Reply:
        return _reply(250, "2.0.0", "OK")

    async def _rset(self, _argument: str) -> Reply:
        self.reset()
        return _reply(250, "2.0.0", "OK")

    async def _vrfy(self, _argument: str) -> Reply:
        return _reply(252, "2.1.5", "Send the mail, then it is known")

    async def _expn(self, _argument: str) -> Reply:
        return _reply(502, "5.5.1", "There are no lists here")

    async def _help(self, _argument: str) -> Reply:
        return _reply(214, "2.0.0", "EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS AUTH")

    async def _quit(self, _argument: str) -> Reply | None:
        raise SessionEnd(_reply(221, "2.0.0", "Bye"))

    async def _starttls(self, argument: str) -> Reply | None:
        if argument:
            return _reply(501, "5.5.4", "STARTTLS takes no argument")
        if self.desk.tls_context is None:
            return _reply(502, "5.5.1", "There is no TLS here")
        if self.over_tls:
            return _reply(503, "5.5.1", "TLS is on already")
        await self.start_tls()
        # What was said in the clear counts for nothing (RFC 3207 section 4.2).
        self.reset()
        self.helo, self.esmtp, self.user = "", False, None
        return None

    @property
    def _may_log_in(self) -> bool:
        safe = self.over_tls or self.ip.is_loopback or self.desk.listener.plaintext_auth
        return safe and self.desk.authenticator.has_passwords

    async def _auth(self, argument: str) -> Reply | None:
        if not self.esmtp:
            return _reply(503, "5.5.1", "EHLO first")
        if self.user is not None or self._in_transaction:
            return _reply(503, "5.5.1", "Not now")
        if not self._may_log_in:
            return _reply(538, "5.7.11", "A login needs TLS here")
        reply, self.user = await Login(self).run(argument)
        return reply

    async def _mail(self, argument: str) -> Reply:
        if not self.helo:
            return _reply(503, "5.5.1", "EHLO first")
        if self._in_transaction:
            return _reply(503, "5.5.1", "A mail has begun already")
        if self.desk.listener.require_auth and self.user is None:
            return self._reject("no_login", _reply(530, "5.7.0", "Log in first" if self._may_log_in else "TLS first"))
        parsed = parse_argument(argument, "FROM")
        asked = read_mail_parameters(parsed, esmtp=self.esmtp, may_log_in=self._may_log_in)
        reverse_path = parse_reverse_path(parsed.path)
        if reverse_path is not None and not parsed.path.isascii() and not asked.smtputf8:
            return _reply(553, "5.6.7", "An international address needs SMTPUTF8")
        refusal = self._check_room(asked.size or 0)
        if refusal is None:
            self._in_transaction, self._reverse_path, self._asked = True, reverse_path, asked
        return refusal or _reply(250, "2.1.0", "OK")

    def _check_room(self, size: int) -> Reply | None:
        if size > self.desk.listener.max_message_size:
            text = f"At most {self.desk.listener.max_message_size} octets are taken"
            return self._reject("too_large", _reply(552, "5.3.4", text))
        return None if self.desk.room(size) else self._reject("no_disk", NO_DISK)

    async def _rcpt(self, argument: str) -> Reply:
        if not self._in_transaction:
            return _reply(503, "5.5.1", "MAIL first")
        parsed = parse_argument(argument, "TO")
        wish = read_rcpt_parameters(parsed, esmtp=self.esmtp)
        if not parsed.path.isascii() and not self._asked.smtputf8:
            return _reply(553, "5.6.7", "An international address needs SMTPUTF8")
        try:
            recipient = parse_forward_path(parsed.path, self.desk.submission.resolve_postmaster())
        except BadCommandError as error:
            return self._reject("bad_recipient", error.reply)
        if len(self._recipients) >= self.desk.limits.recipients_per_message:
            return _reply(452, "4.5.3", "Too many recipients: send the mail to the others again")
        self._recipients.append(recipient)
        self._wishes.append(wish)
        return _reply(250, "2.1.5", "OK")

    async def _data(self, argument: str) -> Reply | None:
        if not self._in_transaction:
            return _reply(503, "5.5.1", "MAIL first")
        if not self._recipients:
            return _reply(554, "5.5.1", "No valid recipients")
        if argument:
            return _reply(501, "5.5.4", "DATA takes no argument")
        envelope = Envelope(
            reverse_path=self._reverse_path,
            recipients=tuple(self._recipients),
            smtputf8=self._asked.smtputf8,
            ret=self._asked.ret,
            envelope_id=self._asked.envelope_id,
            wishes=tuple(self._wishes) if any(wish != _NO_WISH for wish in self._wishes) else (),
        )
        incoming = self.desk.submission.begin(envelope, self.client, show_client=self.desk.listener.received_client)
        with self.desk.receiving(self):
            reply = await receive(self, incoming, self._asked.size)
        self.reset()
        return reply

    _HANDLERS: ClassVar[dict[str, Handler]] = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "NOOP": _noop,
        "RSET": _rset,
        "VRFY": _vrfy,
        "EXPN": _expn,
        "HELP": _help,
        "QUIT": _quit,
        "STARTTLS": _starttls,
        "AUTH": _auth,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
    }
