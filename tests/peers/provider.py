"""A provider whose every answer a test can choose, for what no real server does on demand.

An answer is a reply, its lines separated by newlines; a line may be something else in place of text:

    ! close               close the connection      ! reset    cut it off
    ! silence             say nothing for ever      ! slow     read what comes slowly
    S> 250 hel            send this, without a line end
    D: 250 hello          send this line one octet at a time

`lost` is short for `! close`, `silence` for `! silence`.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

Answers = str | Sequence[str]
"""An answer, or several: the last one repeats."""


@dataclass(kw_only=True)
class Taken:
    """One mail that got a 250."""

    login: str
    sender: str
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""


class Provider:
    """Answers 250 to everything but what `answers` names.

    Its keys are a verb (`MAIL`, `DATA`, `AUTH`, ...), `CONNECT` for the greeting, `RCPT address`, `BODY` for what is
    said when the mail has begun to come, `DOT` for the end of the data, `DOT address` for the end of a mail that has
    this recipient, `EHLO` (the extensions, separated by newlines) or `EHLO reply` (the whole reply to EHLO).
    """

    def __init__(
        self,
        answers: Mapping[str, Answers] | None = None,
        *,
        context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        buffer: int = 1 << 24,
    ) -> None:
        self.answers: dict[str, Answers] = dict(answers or {})
        self.context = context
        self._implicit = implicit_tls
        self._buffer = buffer
        self.mails: list[Taken] = []
        self.commands: list[str] = []
        self.reached: set[str] = set()
        """The keys that have decided an answer."""
        self.connections = 0
        self.port = 0
        self._asked: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()
        self._heard = asyncio.Condition()

    async def __aenter__(self) -> Self:
        context = self.context if self._implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context, limit=self._buffer)
        if self._buffer < 1 << 20:
            self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        self._released.set()
        await asyncio.sleep(0)  # whom it has just accepted begins
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _Dialogue(self, reader, writer).run()
        writer.close()
        self._tasks.discard(task)

    def answer(self, *keys: str, default: str) -> str:
        """Choose the answer: the first key that is named decides."""
        for key in keys:
            if key in self.answers:
                self.reached.add(key)
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

    async def wait_for(self, verb: str, count: int = 1) -> None:
        """Wait until a command with this verb has come, or so many."""
        async with asyncio.timeout(10), self._heard:
            await self._heard.wait_for(lambda: sum(c.startswith(verb) for c in self.commands) >= count)

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
        self._begun = False
        self._slow = False

    async def run(self) -> None:
        if not await self._say(self._provider.answer("CONNECT", default="220 provider.example ESMTP")):
            return
        while line := await self._reader.readline():
            text = line.decode().rstrip("\r\n")
            await self._provider.hear(text)
            verb, _, argument = text.partition(" ")
            if not await self._do(verb.upper(), argument):
                return

    async def _do(self, verb: str, argument: str) -> bool:
        provider = self._provider
        if verb == "EHLO":
            return await self._say(provider.answer("EHLO reply", default=self._offer()))
        if verb == "STARTTLS":
            return await self._start_tls()
        if verb == "AUTH":
            self._login = argument
            return await self._say(provider.answer("AUTH", default="235 2.7.0 welcome"))
        if verb in ("MAIL", "RCPT"):
            return await self._say(self._envelope(verb, argument.partition("<")[2].partition(">")[0]))
        if verb == "DATA":
            return await self._data()
        reply = provider.answer(verb, default="221 2.0.0 bye" if verb == "QUIT" else "250 2.0.0 ok")
        return await self._say(reply) and verb != "QUIT"

    def _envelope(self, verb: str, address: str) -> str:
        if verb == "MAIL":
            reply = self._provider.answer("MAIL", default="250 2.1.0 ok")
            self._mail = Taken(login=self._login, sender=address)
            self._begun = _code(reply).startswith("2")
            return reply
        default = "250 2.1.5 ok" if self._begun else "503 5.5.1 no MAIL"
        reply = self._provider.answer(f"RCPT {address}", "RCPT", default=default)
        if _code(reply).startswith("2"):
            self._mail.recipients.append(address)
        return reply

    def _offer(self) -> str:
        extensions = "PIPELINING\nSIZE 10000000\n8BITMIME\nSMTPUTF8\nAUTH PLAIN"
        lines = ["provider.example", *self._provider.answer("EHLO", default=extensions).split("\n")]
        return "\n".join(f"250{' ' if n == len(lines) - 1 else '-'}{x}" for n, x in enumerate(lines))

    async def _start_tls(self) -> bool:
        provider = self._provider
        reply = provider.answer("STARTTLS", default="220 go on" if provider.context else "502 5.5.1 no")
        goes_on = await self._say(reply)
        if goes_on and provider.context is not None and _code(reply) == "220":
            await self._writer.start_tls(provider.context)
        return goes_on

    async def _data(self) -> bool:
        provider, mail = self._provider, self._mail
        default = "354 go on" if mail.recipients else "554 5.5.1 no valid recipients"
        reply = provider.answer("DATA", default=default)
        if not await self._say(reply):
            return False
        if _code(reply) != "354":
            return True
        if "BODY" in provider.answers:
            await self._reader.readline()
            if not await self._say(provider.answer("BODY", default="")):
                return False
        data = await self._read_data()
        mail.data = data[:-3].replace(b"\r\n..", b"\r\n.")
        keys = [f"DOT {address}" for address in mail.recipients]
        reply = provider.answer(*keys, "DOT", default="250 2.0.0 taken")
        if _code(reply).startswith("2") or reply == "lost after taking":
            provider.mails.append(mail)
        return await self._say("lost" if reply == "lost after taking" else reply)

    async def _read_data(self) -> bytes:
        if not self._slow:
            first = await self._reader.readline()
            return first if first == b".\r\n" else first + await self._reader.readuntil(b"\r\n.\r\n")
        data = bytearray()
        while not data.endswith(b"\r\n.\r\n"):
            data += await self._reader.read(1 << 17)
            await asyncio.sleep(0.001)
        return bytes(data)

    async def _say(self, answer: str) -> bool:
        """Say or do what an answer has; tells whether the dialogue goes on."""
        for line in {"lost": "! close", "silence": "! silence"}.get(answer, answer).split("\n"):
            kind, text = line[:2], line[3:].encode("latin-1", "replace")
            if kind == "! ":
                if not await self._act(line[2:]):
                    return False
            elif kind == "S>":
                self._writer.write(text)
            elif kind == "D:":
                for octet in text + b"\r\n":
                    await asyncio.sleep(0.001)
                    self._writer.write(bytes([octet]))
            else:
                self._writer.write(line.encode("utf-8", "surrogateescape") + b"\r\n")
            await self._writer.drain()
        return not _code(answer).startswith("421")

    async def _act(self, what: str) -> bool:
        if what == "slow":
            self._slow = True
            return True
        if what == "silence":
            await self._provider.silence()
        elif what == "reset":
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        elif what == "close":
            await self._close()
        else:
            raise ValueError(what)
        return False

    async def _close(self) -> None:
        """Close so that what was said arrives: with something unread, the system would reset the connection instead."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while await self._reader.read(1 << 20):
                        pass


def _code(answer: str) -> str:
    """Give the code of an answer's last line of text; empty where it has none that is complete."""
    lines = [line.removeprefix("D: ") for line in answer.split("\n") if not line.startswith(("! ", "S>"))]
    return lines[-1][:3] if lines and lines[-1][:3].isdigit() else ""
