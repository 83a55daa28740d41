"""One SMTP transaction of our own: pipelined where offered, streamed, and exact about what was lost when."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from relay.model.envelope import DsnOptions
from relay.model.reply import Reply
from relay.rules.dot_stuffing import DataEncoder
from relay.rules.dsn import mail_options, rcpt_options
from relay.rules.interpret_transaction import SmtpReplies
from relay.upstream.stream import SmtpStream, StreamLost

UNFIT = (421, 503)
"""Answers to MAIL that speak of the connection: the server closes it, or believes that a transaction is open."""
NO_SMTPUTF8 = Reply(code=0, enhanced="5.6.7", text="The provider does not take international addresses (SMTPUTF8)")
"""What stands in place of a reply where the server has not offered SMTPUTF8. Without a code: it is ours."""
_ONE_WRITE = 65_536
"""Octets up to which header, body and dot leave in one write; of a larger mail the dot leaves with what is left."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Stage(StrEnum):
    """Where in a connection's life something happened."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds (RFC 5321 section 4.5.3.2)."""

    connect: float = 30.0
    opening: float = 180.0
    """From the dial to the end of the login, all together."""
    command: float = 300.0
    envelope: float = 1800.0
    """MAIL, all RCPT and DATA together: a server that drips its replies must not keep the connection for ever."""
    data: float = 120.0
    progress: float = 180.0
    final: float = 600.0
    quit: float = 5.0


TIMEOUTS = Timeouts()


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """What the server's last EHLO offered."""

    size: int | None = None
    pipelining: bool = False
    eightbitmime: bool = False
    smtputf8: bool = False
    dsn: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingMail:
    """One mail for some recipients."""

    reverse_path: str
    recipients: tuple[str, ...]
    header: bytes
    body: Callable[[], AsyncIterator[bytes]]
    size: int | None
    """Octets of header, blank line and body; None where nobody has counted them."""
    eightbit: bool = False
    smtputf8: bool = False
    signed: bool = False
    dsn_options: tuple[DsnOptions, ...] = ()
    """What the client asked for each recipient (RFC 3461), passed on where the server offers DSN."""
    ret: str = ""
    envelope_id: str = ""
    before_dot: Callable[[], Awaitable[None]] | None = None


@dataclass(kw_only=True, slots=True)
class MailTransaction(SmtpReplies):
    """What the server said, and what was lost."""

    lost: Stage | None = None
    folded: bool = False
    """Whether lines that were too long have been folded."""


@dataclass(kw_only=True, slots=True)
class _Run:
    """One transaction while it runs."""

    stream: SmtpStream
    features: Features
    timeouts: Timeouts
    mail: OutgoingMail
    result: MailTransaction = field(default_factory=MailTransaction)
    recipients: list[Reply | None] = field(default_factory=list)
    stage: Stage = Stage.MAIL
    begun: float = field(default_factory=time.monotonic)

    async def reply(self, seconds: float) -> Reply:
        """Wait for the next reply to the envelope, as long as the envelope has time. Raises StreamLost."""
        left = self.begun + self.timeouts.envelope - time.monotonic()
        return await self.stream.reply(max(0.0, min(seconds, left)))


async def transact(stream: SmtpStream, features: Features, timeouts: Timeouts, mail: OutgoingMail) -> MailTransaction:
    """Run one transaction. Raises ValueError, before anything is sent, for an address with control characters."""
    if _CONTROL.search("".join((mail.reverse_path, *mail.recipients))):
        raise ValueError("an address with a control character")
    run = _Run(stream=stream, features=features, timeouts=timeouts, mail=mail)
    run.result.mail = _unsendable(features, mail)
    if run.result.mail is None:
        try:
            await _run(run)
        except StreamLost as lost:
            _note_loss(run, str(lost))
        except BaseException:
            stream.abort("given up")
            raise
    run.result.recipients = (*run.recipients, *(None,) * (len(mail.recipients) - len(run.recipients)))
    return run.result


def _note_loss(run: _Run, error: str) -> None:
    """Note where the connection was lost; a server that closes in the middle of the mail has said why before."""
    if run.stage is Stage.DOT and run.stream.unsent:
        run.stage = Stage.BODY
    if run.stage is Stage.BODY and run.stream.has_reply:
        run.result.data = run.stream.take_reply()
    elif run.stage is Stage.DOT and run.stream.has_reply:
        run.result.final = run.stream.take_reply()
    else:
        run.result.lost, run.result.error = run.stage, error


def _unsendable(features: Features, mail: OutgoingMail) -> Reply | None:
    """Refuse what the server has said beforehand that it does not take. A reply without a code: it is ours."""
    if mail.smtputf8 and not features.smtputf8:
        return NO_SMTPUTF8
    if features.size and mail.size is not None and mail.size > features.size:
        return Reply(code=0, enhanced="5.3.4", text=f"The provider takes at most {features.size} octets")
    return None


def _commands(features: Features, mail: OutgoingMail) -> list[bytes]:
    options = ""
    if features.size is not None and mail.size is not None:
        options += f" SIZE={mail.size}"
    if features.eightbitmime and mail.eightbit:
        options += " BODY=8BITMIME"
    if mail.smtputf8:
        options += " SMTPUTF8"
    dsn_options = [""] * len(mail.recipients)
    if features.dsn:
        options += mail_options(ret=mail.ret, envelope_id=mail.envelope_id)
        dsn_options = [rcpt_options(one) for one in mail.dsn_options] or dsn_options
    recipients = zip(mail.recipients, dsn_options, strict=True)
    lines = [f"MAIL FROM:<{mail.reverse_path}>{options}", *(f"RCPT TO:<{to}>{wish}" for to, wish in recipients)]
    return [f"{line}\r\n".encode() for line in lines]


async def _run(run: _Run) -> None:
    stream, patience = run.stream, run.timeouts
    accepted = await _say_envelope(run)
    if run.result.mail is not None and run.result.mail.code in UNFIT:
        stream.abort(str(run.result.mail))
        return
    if not run.features.pipelining:
        if not accepted:
            await _reset(run)
            return
        stream.write(b"DATA\r\n", replies=1)
    run.stage = Stage.DATA
    data = await run.reply(patience.data)
    if data.code != 354:
        run.result.data = data
        await _reset(run)
    elif accepted:
        await _send_body(run)
    else:
        # All were refused, yet DATA was taken: an empty mail ends it, and its answer is for nobody.
        stream.write(b".\r\n", replies=1)
        await stream.reply(patience.final)
        await _reset(run)


async def _say_envelope(run: _Run) -> bool:
    """Say MAIL and RCPT, with DATA where that may be said at once (RFC 2920); tell whether anybody was taken."""
    stream, patience, pipelined = run.stream, run.timeouts.command, run.features.pipelining
    commands = _commands(run.features, run.mail)
    if pipelined:
        stream.write(b"".join(commands) + b"DATA\r\n", replies=len(commands) + 1)
    else:
        stream.write(commands[0], replies=1)
    run.result.mail = mail = await run.reply(patience)
    if mail.code in UNFIT or not (mail.is_positive or pipelined):
        return False
    for command in commands[1:]:
        run.stage = Stage.RCPT
        if not pipelined:
            stream.write(command, replies=1)
        run.recipients.append(await run.reply(patience))
    return mail.is_positive and any(r is not None and r.is_positive for r in run.recipients)


async def _send_body(run: _Run) -> None:
    stream, patience, mail = run.stream, run.timeouts, run.mail
    run.stage = Stage.BODY
    encoder = DataEncoder(fold=not mail.signed)
    pending = encoder.head(mail.header)
    async for chunk in mail.body():
        pending += encoder.feed(chunk)
        if len(pending) > _ONE_WRITE:
            stream.write(pending)
            pending = b""
            await stream.drain(patience.progress)
            if stream.has_reply:
                break
    if mail.before_dot is not None and not stream.has_reply:
        await mail.before_dot()
    run.result.folded = encoder.folded
    if stream.has_reply:
        _interrupted(run)
        return
    stream.check()  # what is lost before the dot is in no doubt
    run.stage = Stage.DOT
    stream.write(pending + encoder.close(), replies=1)
    await stream.flush(patience.progress)
    if stream.unsent:
        _interrupted(run)
        return
    run.result.final = await stream.reply(patience.final)
    if run.result.final.code == 421:
        stream.abort("421")


def _interrupted(run: _Run) -> None:
    """Take what the server says in the middle of the mail, and end the connection: the rest never leaves."""
    run.stage = Stage.BODY
    run.result.data = run.stream.take_reply()
    run.stream.abort("the server answered in the middle of the mail")


async def _reset(run: _Run) -> None:
    """Make the connection fit for the next MAIL, or end it; nothing of the transaction is lost by it."""
    if run.result.data is not None and run.result.data.code == 421:
        run.stream.abort(str(run.result.data))
        return
    try:
        run.stream.write(b"RSET\r\n", replies=1)
        reply = await run.stream.reply(run.timeouts.command)
    except StreamLost:
        return
    if not reply.is_positive:
        run.stream.abort(str(reply))
