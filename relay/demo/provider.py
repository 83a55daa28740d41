"""A stand-in for a mail provider: takes mail on loopback after a login, and keeps it in memory to be looked at."""

import asyncio
import warnings
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


class Provider:
    """Accepts every mail whose envelope sender is the login's own address, as real providers do."""

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

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
