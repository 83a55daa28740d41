"""A provider whose every answer a test can choose, for what no real server does on demand. Speaks plain SMTP."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

Answers = str | Sequence[str]
"""A reply, or several: the last one repeats. `lost` closes the connection; `silence` never answers."""


@dataclass(kw_only=True)
class Taken:
    """One mail that got a 250."""

    login: str
    sender: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class Provider:
    """Answers 250 to everything but what `answers` names.

    Its keys are a verb (`MAIL`, `DATA`, `AUTH`, ...), `RCPT address`, `DOT` for the end of the data, `DOT address` for
    the end of a mail that has this recipient, or `EHLO` (the extensions, separated by newlines).
    """

    def __init__(self, answers: Mapping[str, Answers] | None = None) -> None:
        self.answers: dict[str, Answers] = dict(answers or {})
        self.mails: list[Taken] = []
        self.commands: list[str] = []
        self.connections = 0
        self.port = 0
        self._asked: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()
        self._heard = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 24)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        self._released.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _Dialogue(self, reader, writer).run()
        writer.close()
        self._tasks.discard(task)

    def answer(self, *keys: str, default: str) -> str:
        """Choose the reply: the first key that is named decides."""
        for key in keys:
            if key in self.answers:
                chosen = self.answers[key]
                if isinstance(chosen, str):
                    return chosen
                n = self._asked.get(key, 0)
                self._asked[key] = n + 1
                return chosen[min(n, len(chosen) - 1)]
        return default

    async def hear(self, command: str) -> None:
        """Note a command."""
        async with self._heard:
            self.commands.append(command)
            self._heard.notify_all()

    async def wait_for(self, verb: str) -> None:
        """Wait until a command with this verb has come."""
        async with asyncio.timeout(10), self._heard:
            await self._heard.wait_for(lambda: any(c.startswith(verb) for c in self.commands))

    async def silence(self) -> None:
        """Wait until the test is over."""
        await self._released.wait()


class _Dialogue:
    def __init__(self, provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._provider = provider
        self._reader = reader
        self._writer = writer
        self._login = ""
        self._mail = Taken(login="", sender="")

    async def run(self) -> None:
        await self._say(self._provider.answer("CONNECT", default="220 provider.example ESMTP"))
        while line := await self._reader.readline():
            text = line.decode().rstrip("\r\n")
            await self._provider.hear(text)
            verb, _, argument = text.partition(" ")
            if not await self._do(verb.upper(), argument):
                return

    async def _do(self, verb: str, argument: str) -> bool:
        provider = self._provider
        if verb == "EHLO":
            extensions = "PIPELINING\nSIZE 10000000\n8BITMIME\nSMTPUTF8\nAUTH PLAIN"
            lines = ["provider.example", *str(provider.answer("EHLO", default=extensions)).split("\n")]
            return await self._say(
                "\r\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{x}" for n, x in enumerate(lines))
            )
        if verb == "AUTH":
            self._login = argument
            return await self._say(provider.answer("AUTH", default="235 2.7.0 welcome"))
        if verb == "MAIL":
            self._mail = Taken(login=self._login, sender=argument.partition("<")[2].partition(">")[0])
        if verb == "RCPT":
            address = argument.partition("<")[2].partition(">")[0]
            reply = provider.answer(f"RCPT {address}", "RCPT", default="250 2.1.5 ok")
            if reply.startswith("2"):
                self._mail.recipients.append(address)
            return await self._say(reply)
        if verb == "DATA":
            return await self._data()
        reply = provider.answer(verb, default="221 2.0.0 bye" if verb == "QUIT" else "250 2.0.0 ok")
        return await self._say(reply) and verb != "QUIT"

    async def _data(self) -> bool:
        provider, mail = self._provider, self._mail
        default = "354 go on" if mail.recipients else "554 5.5.1 no valid recipients"
        reply = provider.answer("DATA", default=default)
        if not await self._say(reply) or not reply.startswith("354"):
            return reply != "lost"
        data = await self._reader.readuntil(b"\r\n.\r\n")
        mail.data = data[:-3].replace(b"\r\n..", b"\r\n.")
        keys = [f"DOT {address}" for address in mail.recipients]
        reply = provider.answer(*keys, "DOT", default="250 2.0.0 taken")
        if reply.startswith("2") or reply == "lost after taking":
            provider.mails.append(mail)
        return await self._say("lost" if reply == "lost after taking" else reply)

    async def _say(self, reply: str) -> bool:
        if reply == "silence":
            await self._provider.silence()
        if reply in ("lost", "silence"):
            return False
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()
        return not reply.startswith("421")
