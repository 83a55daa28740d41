"""A stand-in for a provider's mailbox: POP3 on loopback, with mails in memory that can be fetched and deleted."""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable

from relay.demo.provider import PASSWORD


class Mailbox:
    """One mailbox, for whoever knows the password; deletion takes effect at QUIT (RFC 1939)."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        """With CRLF as line end."""
        self.sessions = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening; whoever is connected ends his session himself."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
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
