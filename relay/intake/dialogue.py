"""The frame of the dialogue: a line becomes a command, its answer a reply; errors and commands are counted.

Every reply carries an enhanced status code (RFC 2034). Whatever a client sends, it gets a reply that tells nothing of
our inside; a fault of ours is a 451, and the log has it. Commands are answered at once, but those that wait for others,
as AUTH and STARTTLS do, run in a task, and the lines behind them wait.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from ssl import SSLError
from typing import Any, ClassVar, Final, NoReturn

import structlog
from aiosmtpd.smtp import TLSSetupException

from relay.intake.connection import INTERNAL_FAULT, ClientConnection
from relay.intake.feed import SessionEnd
from relay.intake.path import BadCommandError
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

log = structlog.get_logger()

_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")
# A web page can make a browser in the LAN send these: nothing that follows may be taken for SMTP.
_BROWSER = re.compile(rb"(?:GET|POST|PUT|HEAD|OPTIONS|CONNECT|DELETE|PATCH) |Host:|User-Agent:", re.IGNORECASE)
_LEAVING: Final = refuse(Refused.SHUTTING_DOWN)

WITHOUT_MAIL = 1800.0
"""Seconds that a session lasts, whatever is said in it, unless a mail is taken."""
BAD_CHUNK: Final = Reply(code=501, enhanced="5.5.4", text="Syntax: BDAT octets [LAST]")

Handler = Callable[[Any, str], Reply | None]
"""A command: takes the session and the argument; gives the reply, None where it is given in another way."""


def make_reply(code: int, enhanced: str, text: str) -> Reply:
    """Give a reply."""
    return Reply(code=code, enhanced=enhanced, text=text)


class Dialogue(ClientConnection):
    """A session whose commands are in `handlers`."""

    handlers: ClassVar[Mapping[str, Handler]] = {}
    """By their names in capitals."""
    _commands = 0
    _patience_ends = 0.0
    """When, on the loop's clock, the session ends unless a mail was taken."""
    _errors = 0
    waiting: asyncio.Task[None] | None = None
    """A command that waits for others."""

    def heard(self) -> None:
        """Note that the client has said something: it gets time anew, but not for ever without a mail."""
        left = self._patience_ends - self.loop.time()
        self.rewind(max(0, min(self.desk.limits.session_idle, int(left * 1000))))

    def be_patient(self) -> None:
        """Give the client time for its next mail."""
        self._patience_ends = self.loop.time() + WITHOUT_MAIL

    def handle_line(self, line: bytes) -> None:
        """Do a command. Raises SessionEnd."""
        self.heard()
        self._commands += 1
        if self._commands > self.desk.limits.commands_per_session:
            raise SessionEnd(make_reply(421, "4.7.0", "Too many commands"))
        try:
            handler, argument = self._read_command(line)
            reply = handler(self, argument)
        except BadCommandError as error:
            reply = error.reply
        except SessionEnd:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets a reply that says nothing of it
            reply = self._fault(error)
        if reply is not None:
            self.reply(reply)

    def handle_long_line(self, beginning: bytes) -> None:
        """Refuse a line that was too long. Raises SessionEnd."""
        self._beware(beginning)
        self.reply(make_reply(500, "5.5.2", "The line is too long"))

    def _read_command(self, line: bytes) -> tuple[Handler, str]:
        """Find a command's handler and its argument. Raises BadCommandError, SessionEnd."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            code = (553, "5.6.7") if line[:4].upper() in (b"MAIL", b"RCPT") else (500, "5.5.2")
            self._beware(line)
            raise BadCommandError(*code, "This is not UTF-8") from None
        if not (text.isascii() and text.isprintable()) and _TEXT.fullmatch(text) is None:
            self._beware(line)
            raise BadCommandError(500, "5.5.2", "Control characters are not allowed")
        verb, _, argument = text.strip(" ").partition(" ")
        handler = self.handlers.get(verb) or self.handlers.get(verb.upper())
        if handler is None:
            self._beware(line)
            raise BadCommandError(500, "5.5.1", "Unknown command")
        return handler, argument.strip(" ")

    def _beware(self, line: bytes) -> None:
        """End the session where what follows a line that we can't read may be no commands. Raises SessionEnd."""
        if _BROWSER.match(line):
            log.warning("session_refused", client=str(self.ip), reason="it speaks HTTP", code=421)
            raise SessionEnd(make_reply(421, "4.7.0", "This is SMTP"))
        if line.lstrip(b" ")[:4].upper() == b"BDAT":
            self.lose_count()

    def lose_count(self) -> NoReturn:
        """End the session: where a chunk's octets can't be counted, they could be taken for commands."""
        self.reply(BAD_CHUNK)
        raise SessionEnd(make_reply(421, "4.7.0", "Nobody can tell what follows"))

    def _fault(self, error: Exception) -> Reply:
        """Log a fault of ours; the client is asked to try again later."""
        log.error("session_failed", client=str(self.ip), error=repr(error), exc_info=error)
        return INTERNAL_FAULT

    def reply(self, reply: Reply) -> None:
        """Send a reply, and count the errors. Raises SessionEnd where it is the last."""
        self.send_reply(reply)
        if reply.code >= 400:
            if reply.code == 421:
                raise SessionEnd
            self._errors += 1
            if self._errors >= self.desk.limits.errors_per_session:
                raise SessionEnd(refuse(Refused.TOO_MANY_ERRORS))
        if self.desk.closing and not self.busy:
            raise SessionEnd(_LEAVING)

    # Commands that wait for others

    def start(self, work: Coroutine[Any, Any, Reply | None]) -> None:
        """Begin a command that waits for others."""
        self.waiting = self.loop.create_task(self._wait_for(work))

    async def _wait_for(self, work: Coroutine[Any, Any, Reply | None]) -> None:
        reply, last = None, None
        try:
            reply = await work
        except BadCommandError as error:
            reply = error.reply
        except SessionEnd as end:
            last = end
        except (ConnectionError, TLSSetupException, SSLError):
            self.waiting = None
            self.abort()
            return
        except Exception as error:  # noqa: BLE001 - see handle_line
            reply = self._fault(error)
        self.waiting = None
        if last is not None:
            self.say_last(last.reply)
        else:
            self.answer(reply)

    def answer(self, reply: Reply | None) -> None:
        """Answer from outside of the dialogue, and go on with it."""
        self.heard()
        try:
            if reply is not None:
                self.reply(reply)
        except SessionEnd as end:
            self.say_last(end.reply)
        self.proceed()
