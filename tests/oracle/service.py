"""The real service, from its listeners to its queue on the disk; nothing is sent on."""

import asyncio
import base64
import contextlib
import itertools
import re
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from structlog.testing import capture_logs

from relay.auth import PasswordChecker
from relay.delivery import Delivery
from relay.listeners import Listeners
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from tests.oracle.offices import PASSWORD
from tests.oracle.oracle import Question, Table
from tests.peers.relay_process import to_toml

_SESSIONS = 16
"""Clients at a time, so that several mails share one commit."""
_ENHANCED = re.compile(r"^\d\.\d+\.\d+ ")
_QUEUED = re.compile(r"250 2\.0\.0 queued as (\S+)")
_NOW = 1_780_000_000_000
"""Thursday, 28 May 2026, 22:26 in Berlin: the office is closed, so that nothing is sent."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mail."""

    reply: str
    """To the final dot; where nobody can get the mail, to the recipient that was refused last."""
    refused: tuple[tuple[str, str], ...] = ()
    """Paths and the replies to them."""
    user: str | None = None
    rule: str = ""
    account: str = ""
    reverse_path: str = ""
    recipients: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    header: bytes = b""
    body: bytes = b""


@dataclass(frozen=True)
class _Session:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, command: str) -> str:
        await self.send(f"{command}\r\n".encode())
        return await self.read()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> str:
        """Read a reply as one line: the codes of the first, the texts of all."""
        texts = []
        while (line := await self.reader.readline())[3:4] == b"-":
            texts.append(line)
        code, *rest = [part.decode().rstrip() for part in (*texts, line)]
        return " ".join([f"{code[:3]} {code[4:]}", *(_ENHANCED.sub("", one[4:]) for one in rest)]).rstrip()


@dataclass
class _Service:
    ports: list[int]
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    async def hand_in(self, sessions: Iterable[list[tuple[int, Question]]]) -> None:
        """Hand in mails by some sessions at a time, each one's in a connection of its own."""
        waiting = iter(sessions)
        await asyncio.gather(*(self._work(waiting) for _ in range(_SESSIONS)))

    async def _work(self, waiting: Iterable[list[tuple[int, Question]]]) -> None:
        for questions in waiting:
            first = questions[0][1]
            async with _log_in(self.ports[first.listener], first) as session:
                for number, question in questions:
                    self.outcomes[number] = await _hand_in(session, question)


@contextlib.asynccontextmanager
async def _log_in(port: int, question: Question) -> AsyncGenerator[_Session]:
    session = _Session(*await asyncio.open_connection("127.0.0.1", port, local_addr=(question.ip, 0)))
    try:
        await session.read()
        await session.ask("EHLO client.example")
        if question.login is not None:
            login = base64.b64encode(f"\0{question.login}\0{PASSWORD}".encode()).decode()
            reply = await session.ask(f"AUTH PLAIN {login}")
            assert reply.startswith("235 "), reply
        yield session
    finally:
        session.writer.close()


async def _hand_in(session: _Session, question: Question) -> Outcome:
    commands = [f"MAIL FROM:<{question.sender}> BODY=8BITMIME SMTPUTF8"]
    commands += [f"RCPT TO:<{path}>" for path in question.recipients]
    await session.send("".join(f"{command}\r\n" for command in [*commands, "DATA"]).encode())
    sender, *recipients = [await session.read() for _ in commands]
    assert sender.startswith("250 "), sender
    refused = tuple(
        (path, reply)
        for path, reply in zip(question.recipients, recipients, strict=True)
        if not reply.startswith("250 ")
    )
    reply = await session.read()
    if not reply.startswith("354 "):
        assert refused, reply
        await session.ask("RSET")
        return Outcome(reply=refused[-1][1], refused=refused)
    mail = re.sub(rb"(?m)^\.", b"..", question.mail)
    await session.send(mail + (b"" if mail.endswith(b"\r\n") or not mail else b"\r\n") + b".\r\n")
    return Outcome(reply=await session.read(), refused=refused)


async def ask_service(folder: Path, office: Table, questions: Sequence[Question]) -> list[Outcome]:
    """Hand mails to the service of an office, and give what became of each. The configuration stays in the folder."""
    config = folder / "relay.toml"
    config.write_text(to_toml(office))
    config.chmod(0o600)
    settings = load_settings(config)
    engine = open_engine(settings.database)
    await asyncio.to_thread(prepare_database, engine)
    queue = Queue(engine, Writer(engine))
    runtime = Runtime(settings=lambda: settings, queue=queue, now=lambda: _NOW)
    delivery = Delivery(runtime)
    listeners = Listeners(
        settings=lambda: settings,
        submission=Submission(runtime, delivery),
        authenticator=PasswordChecker(lambda: settings.directory),
    )
    try:
        with capture_logs():
            await listeners.open()
            service = _Service([server.port for server in listeners.servers])
            await service.hand_in(_by_session(questions))
    finally:
        await listeners.drain(1)
        await listeners.close()
        await queue.close()
        engine.dispose()
    return _read_queue(folder / "relay.db", [service.outcomes[n] for n in range(len(questions))])


def _by_session(questions: Sequence[Question]) -> list[list[tuple[int, Question]]]:
    """Group questions by those who may share a connection."""

    def session_of(item: tuple[int, Question]) -> tuple[str, str, int]:
        return (item[1].login or "", item[1].ip, item[1].listener)

    groups = itertools.groupby(sorted(enumerate(questions), key=session_of), session_of)
    return [list(group) for _, group in groups]


def _read_queue(file: Path, outcomes: Sequence[Outcome]) -> list[Outcome]:
    with contextlib.closing(sqlite3.connect(file)) as database:
        return [_read_mail(database, outcome) for outcome in outcomes]


def _read_mail(database: sqlite3.Connection, outcome: Outcome) -> Outcome:
    queued = _QUEUED.fullmatch(outcome.reply)
    if queued is None:
        return outcome
    columns = 'SELECT "user", rule, account, reverse_path, header FROM message WHERE id = ?'
    user, rule, account, reverse_path, header = database.execute(columns, queued.groups()).fetchone()
    to = database.execute("SELECT kind, address FROM recipient WHERE message_id = ? ORDER BY n", queued.groups())
    recipients = to.fetchall()
    chunks = "SELECT data FROM content WHERE message_id = ? AND version = 0 ORDER BY seq"
    return replace(
        outcome,
        user=user,
        rule=rule,
        account=account,
        reverse_path=reverse_path,
        recipients=tuple(address for kind, address in recipients if kind == "to"),
        archive=tuple(address for kind, address in recipients if kind == "archive"),
        header=header,
        body=b"".join(data for (data,) in database.execute(chunks, queued.groups())),
    )
