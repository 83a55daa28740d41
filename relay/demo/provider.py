"""A mail provider on loopback, all in memory: takes mail after a login, and has a mailbox that is fetched by POP3."""

import asyncio
import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

PASSWORD = "demo"  # noqa: S105 - of the demonstration's own accounts, on loopback, for its few seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One mail as the provider got it."""

    login: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class _Listening:
    """Listens on a free port of 127.0.0.1 from `start` to `close`; who is connected then ends his session himself."""

    port = 0
    _server: asyncio.Server
    _session: Callable[[], asyncio.BaseProtocol]

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.get_running_loop().create_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()


class Provider(_Listening):
    """Accepts every mail whose envelope sender is the login's own address, as real providers do."""

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self._changed = asyncio.Condition()

    async def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until so many mails have come; false when the time is over."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: len(self.mails) >= count)
        except TimeoutError:
            return False
        return True

    def _session(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # AUTH without TLS: this is loopback, and a show
            return SMTP(
                self,
                hostname="smtp.provider.example",
                authenticator=self._authenticate,
                auth_required=True,
                auth_require_tls=False,
                data_size_limit=None,
            )

    @staticmethod
    def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:  # noqa: ANN401 - aiosmtpd's type
        return AuthResult(success=data.password == PASSWORD.encode(), auth_data=data.login.decode())

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a sender that is not the login, as real providers do."""
        if address not in ("<>", session.auth_data):
            return "550 5.7.1 Not your address"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail."""
        assert isinstance(envelope.content, bytes)
        mail = Received(
            login=str(session.auth_data),
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=envelope.content,
        )
        async with self._changed:
            self.mails.append(mail)
            self._changed.notify_all()
        return "250 2.0.0 taken"


class Mailbox(_Listening):
    """One mailbox, for whoever knows the password; deletion takes effect at QUIT (RFC 1939)."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        """With CRLF as line end."""
        self.sessions = 0

    def _session(self) -> asyncio.StreamReaderProtocol:
        self.sessions += 1
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mails, deleted, logged_in = list(self.mails), set[int](), False
        writer.write(b"+OK pop.provider.example\r\n")
        while line := await reader.readline():
            verb, _, argument = line.decode("ascii", "replace").strip().partition(" ")
            match verb.upper():
                case "CAPA":
                    answer = b"+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\n."
                case "USER":
                    answer = b"+OK"
                case "PASS":
                    logged_in = argument == PASSWORD
                    answer = b"+OK" if logged_in else b"-ERR [AUTH] wrong password"
                case "QUIT":
                    self.mails = [mail for n, mail in enumerate(mails, 1) if n not in deleted] + self.mails[
                        len(mails) :
                    ]
                    writer.write(b"+OK bye\r\n")
                    return
                case "LIST" if logged_in:
                    answer = _listing(f"{n} {len(mail)}" for n, mail in enumerate(mails, 1))
                case "UIDL" if logged_in:
                    answer = _listing(f"{n} {hashlib.sha256(mail).hexdigest()[:20]}" for n, mail in enumerate(mails, 1))
                case "RETR" if logged_in and argument.isdigit() and 0 < int(argument) <= len(mails):
                    answer = b"+OK\r\n" + mails[int(argument) - 1].replace(b"\r\n.", b"\r\n..") + b"."
                case "DELE" if logged_in and argument.isdigit():
                    deleted.add(int(argument))
                    answer = b"+OK"
                case _:
                    answer = b"-ERR"
            writer.write(answer + b"\r\n")
            await writer.drain()


def _listing(lines: Iterable[str]) -> bytes:
    return "\r\n".join(["+OK", *lines, "."]).encode()
