"""A connection to a provider's SMTP server: aiosmtplib connects, greets, starts TLS and logs in; the rest is ours."""

import asyncio
import contextlib
import re
from collections.abc import Sequence

import aiosmtplib

from relay.model.account import Security, SmtpServer
from relay.model.address import Address
from relay.model.credential import Credential
from relay.model.errors import RelayError
from relay.model.reply import Reply
from relay.rules.replies import is_login_refused, read_reply, read_text
from relay.rules.sasl import BY_TOKEN, ENDS_ERROR, token_response
from relay.upstream.dialing import describe_fault, dial, tls_context
from relay.upstream.secrecy import Veil
from relay.upstream.stream import SmtpStream, StreamLost
from relay.upstream.transaction import (
    NO_SMTPUTF8,
    TIMEOUTS,
    Features,
    MailTransaction,
    OutgoingMail,
    Stage,
    Timeouts,
    transact,
)
from relay.upstream.witness import Witness, ignore, only

_NUMBER = re.compile(r"[0-9]{1,18}")
_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}")
_GO_ON = 334
_MOST_LOGINS = 20
_LOGGED_IN = 235
_UNKNOWN_MECHANISM = 504


class ConnectError(RelayError):
    """A connection could not be made ready for mail."""

    def __init__(self, stage: Stage, reply: Reply, *, closed: bool = False, others: int = 0) -> None:
        super().__init__(f"{stage}: {reply}")
        self.stage = stage
        self.reply = reply
        self.closed = closed
        """Whether the server closed or refused the connection without a reply."""
        self.others = others
        """How many connections of the same account were open to the server at that time."""

    @property
    def login_refused(self) -> bool:
        """Whether the provider refuses the account's login: any 5xx to AUTH, or a reply elsewhere that says so."""
        return is_login_refused(self.reply) or (self.stage is Stage.AUTH and self.reply.is_permanent)

    @property
    def one_too_many(self) -> bool:
        """Whether the server only refuses another connection beside those that the account has open."""
        return self.others > 0 and not self.login_refused and (self.closed or 400 <= self.reply.code < 500)


class Connection:
    """A connection that is logged in; it serves one transaction after another."""

    def __init__(
        self, stream: SmtpStream, features: Features, timeouts: Timeouts, logins: tuple[str, ...] = ()
    ) -> None:
        self._stream = stream
        self._timeouts = timeouts
        self.features = features
        self.logins = logins
        """The SASL mechanisms that the server offers, in lower case."""
        self.sent = 0

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin."""
        return self._stream.lost is None and not self._stream.has_reply

    async def send(self, mail: OutgoingMail) -> MailTransaction:
        """Run one transaction."""
        self.sent += 1
        return await transact(self._stream, self.features, self._timeouts, mail)

    async def rehearse(self, address: Address) -> tuple[Reply, Reply | None]:
        """Ask whether the server accepts an address as the sender, by MAIL, RCPT and RSET: no mail is sent.

        Returns the replies to MAIL and to RCPT to the same address; None where MAIL was refused. Both are needed: some
        servers refuse a sender only at RCPT, as Postfix does (`smtpd_delay_reject`). Raises StreamLost.
        """
        if not address.wire.isascii() and not self.features.smtputf8:
            return NO_SMTPUTF8, None
        option, seconds = "" if address.wire.isascii() else " SMTPUTF8", self._timeouts.command
        mail = await self._say(f"MAIL FROM:<{address.wire}>{option}", seconds)
        recipient = await self._say(f"RCPT TO:<{address.wire}>", seconds) if mail.is_positive else None
        await self._say("RSET", seconds)
        return mail, recipient

    async def close(self) -> None:
        """Send QUIT and close. Raises nothing and waits for `timeouts.quit` at most."""
        with contextlib.suppress(StreamLost):
            await self._say("QUIT", self._timeouts.quit)
        if self._stream.lost is None:
            self._stream.transport.close()
        else:
            self._stream.transport.abort()  # what it still holds would keep it open

    async def _say(self, command: str, seconds: float) -> Reply:
        self._stream.write(f"{command}\r\n".encode(), replies=1)
        return await self._stream.reply(seconds)


async def connect(
    server: SmtpServer,
    *,
    hostname: str,
    credential: Credential | None,
    timeouts: Timeouts = TIMEOUTS,
    passed: Witness = ignore,
) -> Connection:
    """Connect and log in. Raises ConnectError; CredentialError without a secret, or without another one."""
    if credential is None:
        return await _open(_Opening(server, hostname, timeouts, None, passed), None)
    secret = await credential.secret()
    try:
        return await _open(_Opening(server, hostname, timeouts, secret, passed), credential.mechanisms)
    except ConnectError as error:
        other = await credential.secret_after(secret) if error.login_refused else None
        if other is None:
            raise
    return await _open(_Opening(server, hostname, timeouts, other, only(Stage.AUTH, passed)), credential.mechanisms)


async def _open(opening: "_Opening", mechanisms: Sequence[str] | None) -> Connection:
    try:
        async with asyncio.timeout(opening.timeouts.opening):
            return await opening.run(mechanisms)
    except BaseException as error:
        opening.close()
        if isinstance(error, ConnectError) or not isinstance(error, Exception):
            raise
        closed = isinstance(_cause_of(error), (ConnectionError, aiosmtplib.SMTPServerDisconnected))
        raise ConnectError(opening.stage, opening.reply_of(error), closed=closed) from None


class _Opening:
    """A connection that is being opened."""

    def __init__(
        self, server: SmtpServer, hostname: str, timeouts: Timeouts, secret: str | None, passed: Witness
    ) -> None:
        self._server = server
        self._hostname = hostname
        self.timeouts = timeouts
        self._secret = secret
        self._client: aiosmtplib.SMTP | None = None
        self._veil = Veil(server.username, secret)
        self._passed = passed
        self.stage = Stage.CONNECT

    async def run(self, mechanisms: Sequence[str] | None) -> Connection:
        """Connect, start TLS and log in by one of the mechanisms; `stage` is the step that is being done."""
        server = self._server
        context = None
        if server.security is not Security.NONE:
            context = await asyncio.to_thread(tls_context, server.ca_file, verify=server.verify)
        connected = await dial(server.host, server.port, seconds=self.timeouts.connect)
        self._client = client = aiosmtplib.SMTP(
            hostname=server.host,  # which the certificate must name
            sock=connected,
            use_tls=server.security is Security.TLS,
            start_tls=False,
            local_hostname=self._hostname,
            timeout=self.timeouts.connect,
            tls_context=context,
        )
        greeting = await client.connect()
        self._pass()
        self.stage = Stage.EHLO
        await client.ehlo()
        self._pass(greeting.message)
        if server.security is Security.STARTTLS:
            self.stage = Stage.STARTTLS
            if not client.supports_extension("starttls"):
                raise self._lack("4.7.4", "the server offers no STARTTLS")
            await client.starttls()
            await client.ehlo()
            self._pass()
        if mechanisms is not None:
            self.stage = Stage.AUTH
            names = [name for name in mechanisms if name in client.server_auth_methods]
            if not names:
                raise self._lack("4.7.4", f"the server offers no login that we know{self._list_logins(client)}")
            self._pass(await self._log_in(client, names))
        if client.transport is None:
            raise self._lack("4.4.2", "the connection was lost")
        return Connection(
            SmtpStream(client.transport, self._veil), _features(client), self.timeouts, self._logins(client)
        )

    def _pass(self, said: str = "") -> None:
        if self._passed is ignore or self._client is None:
            return
        shown = self._veil.cover(said.encode("utf-8", "surrogateescape").split(b"\n"))
        self._passed(self.stage, read_text(b" ".join(shown)), self._client.transport)

    def _logins(self, client: aiosmtplib.SMTP) -> tuple[str, ...]:
        """Give what is offered that can be a mechanism's name (RFC 4422 section 3.1), and is no secret of ours."""
        offered = client.server_auth_methods[:_MOST_LOGINS]
        return tuple(one for one in offered if _MECHANISM.fullmatch(one) and not self._veil.hides(one.encode()))

    def _list_logins(self, client: aiosmtplib.SMTP) -> str:
        return f", only {', '.join(offered).upper()}" if (offered := self._logins(client)) else ""

    async def _log_in(self, client: aiosmtplib.SMTP, names: Sequence[str]) -> str:
        """Log in (RFC 4954) by the first mechanism, once: each more is another failed login; providers lock accounts.

        Returns its name. Only where the server answers that it does not know the mechanism, the next one is tried.
        """
        methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        for name in names:
            try:
                if name in BY_TOKEN:
                    await self._give_token(client, name)
                else:
                    await methods[name](self._server.username or "", self._secret or "")
            except aiosmtplib.SMTPAuthenticationError as error:
                if error.code != _UNKNOWN_MECHANISM or name == names[-1]:
                    raise
            else:
                return name
        raise AssertionError("the last mechanism is either taken or refused")

    async def _give_token(self, client: aiosmtplib.SMTP, name: str) -> None:
        """Log in by a token in two steps; aiosmtplib's own XOAUTH2 takes one line, which a long token does not fit."""
        server = self._server
        answer = token_response(
            name, self._secret or "", username=server.username or "", host=server.host, port=server.port
        )
        reply = await client.execute_command(b"AUTH", name.upper().encode())
        if reply.code == _GO_ON:
            reply = await client.execute_command(answer)
        if reply.code == _GO_ON:  # it says why not; the refusal comes once that is answered
            reply = await client.execute_command(ENDS_ERROR[name])
        if reply.code != _LOGGED_IN:
            raise aiosmtplib.SMTPAuthenticationError(reply.code, reply.message)

    def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            self._client.close()

    def reply_of(self, error: Exception) -> Reply:
        """Return the server's reply, or our words for an error; a secret that the server repeats is hidden."""
        host = f"{self._server.host}:{self._server.port}"
        error = _cause_of(error)
        if isinstance(error, aiosmtplib.SMTPResponseException):
            said = [line.encode("utf-8", "surrogateescape") for line in error.message.strip().split("\n")]
            shown = self._veil.cover(said)
            if error.code > 0:
                return read_reply(error.code, shown)
            return Reply(code=0, enhanced="4.5.0", text=f"{host}: {read_text(b' '.join(shown))}")
        enhanced, text = describe_fault(error, host)
        shown = [text.encode("utf-8", "surrogateescape")]
        if not isinstance(error, OSError):  # whose words are the system's or ours
            shown = self._veil.cover(shown)
        return Reply(code=0, enhanced=enhanced, text=read_text(shown[0]))

    def _lack(self, enhanced: str, text: str) -> ConnectError:
        return ConnectError(self.stage, Reply(code=0, enhanced=enhanced, text=text))


def _cause_of(error: Exception) -> Exception:
    """Return the error that aiosmtplib wraps; it adds only host and port."""
    wraps = isinstance(error, aiosmtplib.SMTPConnectError) and isinstance(error.__cause__, Exception)
    return error.__cause__ if wraps else error  # type: ignore[return-value]


def _features(client: aiosmtplib.SMTP) -> Features:
    size = client.esmtp_extensions.get("size", "") if client.supports_extension("size") else None
    return Features(
        size=None if size is None else int(size) if _NUMBER.fullmatch(size) else 0,
        pipelining=client.supports_extension("pipelining"),
        eightbitmime=client.supports_extension("8bitmime"),
        smtputf8=client.supports_extension("smtputf8"),
        dsn=client.supports_extension("dsn"),
    )
