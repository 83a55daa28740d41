"""The SMTP dialogue with one client (RFC 5321): which command may come when, and what it is answered."""

from collections.abc import Mapping
from typing import ClassVar

from relay.intake.dialogue import Handler, make_reply
from relay.intake.feed import SessionEnd
from relay.intake.login import Login
from relay.intake.transaction import OK, TransactionDialogue
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse


class SmtpSession(TransactionDialogue):
    """One session."""

    failed_logins = 0

    def begin(self) -> None:
        """Greet the client."""
        self.be_patient()
        self.heard()
        self.send(f"220 {self.desk.hostname} ESMTP")

    # The commands

    def _helo(self, argument: str) -> Reply | None:
        return self._greet(argument, esmtp=False)

    def _ehlo(self, argument: str) -> Reply | None:
        return self._greet(argument, esmtp=True)

    def _greet(self, argument: str, *, esmtp: bool) -> Reply | None:
        if not argument:
            return make_reply(501, "5.5.4", "Say your name with it")
        self.reset()
        self.helo, self.esmtp = argument[:255], esmtp
        lines = [self.desk.hostname]
        if esmtp:
            lines += ["PIPELINING", "CHUNKING", f"SIZE {self.desk.listener.max_message_size}", "8BITMIME", "SMTPUTF8"]
            lines.append("DSN")
            if self.desk.tls_context is not None and not self.over_tls:
                lines.append("STARTTLS")
            if self.may_log_in:
                lines.append("AUTH PLAIN LOGIN")
            lines.append("ENHANCEDSTATUSCODES")
        self.send(*(f"250{'-' if n < len(lines) - 1 else ' '}{line}" for n, line in enumerate(lines)))
        return None

    def _noop(self, _argument: str) -> Reply:
        return OK

    def _vrfy(self, _argument: str) -> Reply:
        return make_reply(252, "2.1.5", "Send the mail, then it is known")

    def _expn(self, _argument: str) -> Reply:
        return make_reply(502, "5.5.1", "There are no lists here")

    def _help(self, _argument: str) -> Reply:
        return make_reply(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT STARTTLS AUTH")

    def _quit(self, _argument: str) -> Reply | None:
        raise SessionEnd(make_reply(221, "2.0.0", "Bye"))

    def _starttls(self, argument: str) -> Reply | None:
        if argument:
            return make_reply(501, "5.5.4", "STARTTLS takes no argument")
        if self.desk.tls_context is None:
            return make_reply(502, "5.5.1", "There is no TLS here")
        if self.over_tls:
            return make_reply(503, "5.5.1", "TLS is on already")
        self.start(self._secure())
        return None

    async def _secure(self) -> None:
        await self.start_tls()
        # What was said in the clear counts for nothing (RFC 3207 section 4.2).
        self.reset()
        self.helo, self.esmtp, self.user = "", False, None

    def _auth(self, argument: str) -> Reply | None:
        if not self.esmtp:
            return make_reply(503, "5.5.1", "EHLO first")
        if self.user is not None or self.transaction is not None:
            return make_reply(503, "5.5.1", "Not now")
        if not self.may_log_in:
            return refuse(Refused.NO_TLS_FOR_LOGIN)
        self.start(self._log_in(argument))
        return None

    async def _log_in(self, argument: str) -> Reply:
        reply, self.user = await Login(self).run(argument)
        return reply

    handlers: ClassVar[Mapping[str, Handler]] = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "NOOP": _noop,
        "RSET": TransactionDialogue.rset,
        "VRFY": _vrfy,
        "EXPN": _expn,
        "HELP": _help,
        "QUIT": _quit,
        "STARTTLS": _starttls,
        "AUTH": _auth,
        "MAIL": TransactionDialogue.mail_from,
        "RCPT": TransactionDialogue.rcpt_to,
        "DATA": TransactionDialogue.data,
        "BDAT": TransactionDialogue.bdat,
    }
