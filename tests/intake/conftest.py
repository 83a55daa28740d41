"""A real listener on a free port, a submission that records, and a client that sends bytes exactly as they are."""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

import argon2
import pytest
import trustme

from relay.auth import PasswordChecker
from relay.intake.budget import SharedDiskSpace, Shares
from relay.intake.listener_context import ListenerContext, SharedResources
from relay.intake.throttle import LoginThrottle
from relay.model.account import Device, Directory, User
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.server import ListenerServer
from relay.settings import Limits, Listener, ListenerTls

PASSWORD = "correct horse"
ANNA = Address(local="anna", domain="example.com")
_QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
DIRECTORY = Directory(users=(User(name="anna", address=ANNA, password_hash=_QUICK),), postmaster="anna")


@dataclasses.dataclass(kw_only=True)
class Mail:
    """One mail as the submission saw it."""

    envelope: Envelope
    client: Client
    header: bytes | None = None
    body: bytes = b""
    chunks: int = 0
    finished: bool = False
    aborted: bool = False


class Recorder:
    """A submission that keeps what it is given; each step can be made to fail, and the last one to wait."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.fail_at = ""
        self.reply = Reply(code=250, enhanced="2.0.0", text="queued as q1")
        self.bare_at = ""
        """The address of a device with bare_line_feeds."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.finishing = asyncio.Event()
        self.changed = asyncio.Condition()

    def begin(self, envelope: Envelope, client: Client, *, show_client: bool) -> "_Incoming":
        assert show_client is False
        mail = Mail(envelope=envelope, client=client)
        self.mails.append(mail)
        return _Incoming(self, mail)

    @property
    def directory(self) -> Directory:
        networks = (ip_network(self.bare_at),) if self.bare_at else ()
        device = Device(name="scanner", networks=networks, user="anna", bare_line_feeds=True)
        return dataclasses.replace(DIRECTORY, devices=(device,))

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    async def step(self, name: str) -> None:
        if name == self.fail_at:
            raise OSError(28, "secret detail: no space left")
        async with self.changed:
            self.changed.notify_all()


class _Incoming:
    queue_id = "q1"

    def __init__(self, recorder: Recorder, mail: Mail) -> None:
        self._recorder = recorder
        self._mail = mail

    async def header(self, block: bytes) -> None:
        assert self._mail.header is None
        self._mail.header = block
        await self._recorder.step("header")

    async def body(self, chunk: bytes) -> None:
        assert self._mail.header is not None
        assert chunk
        self._mail.body += chunk
        self._mail.chunks += 1
        await self._recorder.step("body")

    async def finish(self) -> Reply:
        self._recorder.finishing.set()
        await self._recorder.gate.wait()
        await self._recorder.step("finish")
        self._mail.finished = True
        await self._recorder.step("finished")
        return self._recorder.reply

    async def abort(self) -> None:
        self._mail.aborted = True
        await self._recorder.step("abort")


class Dialogue:
    """A client of raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> str:
        """Give the next reply, its lines joined by newlines; empty at the end of the connection."""
        lines = []
        async with asyncio.timeout(10):
            while line := (await self.reader.readline()).decode():
                lines.append(line.rstrip("\r\n"))
                if line[3:4] != "-":
                    break
        return "\n".join(lines)

    async def send(self, data: bytes | str) -> None:
        """Send bytes exactly as they are."""
        self.writer.write(data if isinstance(data, bytes) else data.encode())
        await self.writer.drain()

    async def say(self, *commands: bytes | str) -> str:
        """Send commands one after the other, and give the last reply."""
        reply = ""
        for command in commands:
            await self.send((command if isinstance(command, bytes) else command.encode()) + b"\r\n")
            reply = await self.read()
        return reply

    async def hello(self) -> Self:
        await self.say("EHLO client.example")
        return self

    async def begin(self, *recipients: str) -> str:
        """Go as far as DATA."""
        to = recipients or ("a@x.example",)
        return await self.say("MAIL FROM:<s@x.example>", *(f"RCPT TO:<{one}>" for one in to), "DATA")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="127.0.0.1")

    def close(self) -> None:
        self.writer.close()


class Clock:
    """The time that logins see: it goes on where they wait."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.delays: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class RunningListener:
    """One listener that runs."""

    def __init__(self, server: ListenerServer, recorder: Recorder, budget: Shares, clock: Clock) -> None:
        self.server = server
        self.recorder = recorder
        self.budget = budget
        self.clock = clock
        self._dialogues: list[Dialogue] = []

    async def connect(self, *, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Dialogue:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.server.port, ssl=context, server_hostname="127.0.0.1" if context else None,
            local_addr=(source, 0), limit=1 << 20,
        )  # fmt: skip
        dialogue = Dialogue(reader, writer)
        self._dialogues.append(dialogue)
        return dialogue

    async def greeted(self, *, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Dialogue:
        """Connect, and read greeting and EHLO."""
        dialogue = await self.connect(context=context, source=source)
        assert (await dialogue.read()).startswith("220 ")
        return await dialogue.hello()

    async def wait_until_empty(self) -> None:
        """Wait until the last session has ended."""
        async with asyncio.timeout(10):
            while self.server._context.sessions:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)

    @property
    def mail(self) -> Mail:
        """The last mail."""
        return self.recorder.mails[-1]

    def close(self) -> None:
        for dialogue in self._dialogues:
            dialogue.close()


Certificate = Mapping[str, Path]
"""The keys of a listener that name it."""

Tls = tuple[str, Certificate]


@asynccontextmanager
async def open_listener(
    *,
    limits: Mapping[str, Any] | None = None,
    tls: Tls | None = None,
    directory: Directory = DIRECTORY,
    disk_space: SharedDiskSpace | None = None,
    files: Shares | None = None,
    recorder: Recorder | None = None,
    **listener: Any,  # noqa: ANN401 - a value of the configuration
) -> AsyncGenerator[RunningListener]:
    """Run a listener; `limits` and `listener` replace single values, `tls` is a way and a certificate."""
    recorder = recorder or Recorder()
    chosen = Limits(**(limits or {}))
    budget = Shares(chosen.bytes_in_flight)
    given = {"port": 0, "networks": (ip_network("127.0.0.0/8"), ip_network("::1/128")), **listener}
    if tls is not None:
        given |= {"tls": ListenerTls(tls[0]), **tls[1]}
    authenticator, clock = PasswordChecker(lambda: directory), Clock()
    context = ListenerContext(
        listener=Listener(**given),
        limits=chosen,
        hostname="relay.example",
        shared=SharedResources(
            submission=recorder,
            authenticator=authenticator,
            budget=budget,
            disk_space=disk_space or SharedDiskSpace(lambda _octets: True),
            logins=LoginThrottle(authenticator, monotonic=clock, sleep=clock.sleep),
            files=files or Shares(1 << 32),
        ),
    )
    server = ListenerServer(context)
    await server.start()
    running = RunningListener(server, recorder, budget, clock)
    try:
        yield running
    finally:
        recorder.gate.set()
        running.close()
        await server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1, as a listener's keys."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    server.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    return {"certificate": folder / "certificate.pem", "private_key": folder / "key.pem"}


@pytest.fixture(scope="session")
def client_context(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate["certificate"].with_name("ca.pem")))
