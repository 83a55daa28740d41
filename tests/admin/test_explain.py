"""`relay explain` answers what a session answers, code and text, as both are asked the same; and a page."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2
import pytest

from relay.admin.explain import explain, explain_incoming
from relay.admin.requests import Explain, ExplainIncoming, MisuseError
from relay.admin.room import Room
from relay.auth import PasswordChecker
from relay.intake.budget import SharedDiskSpace, Shares
from relay.intake.listener_context import ListenerContext, SharedResources
from relay.intake.throttle import LoginThrottle
from relay.server import ListenerServer
from relay.settings import load_settings
from tests.cli.conftest import Run
from tests.peers.office import open_office
from tests.peers.relay_process import make_account


@pytest.fixture
def room(config: Path) -> Room:
    """Without a database and a service: nothing of them is needed."""
    nothing: Any = None
    return Room(settings=load_settings(config), open_database=nothing, service=nothing, by="", now=0)


def test_the_answer_has_the_rule_and_words_for_people(room: Room) -> None:
    (told,) = explain(room, Explain(message=b"From: sales@example.com\r\n"))
    (mail,) = told.json
    assert (mail["sent"], mail["rule"], mail["account"]) == (True, "1a", "sales")
    assert ("Result", "would be sent") in told.facts
    assert told.lines[0] == "Why"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Explain(message=b"", user="nobody"), "--user: there is no user 'nobody'"),
        (Explain(message=b"", listener=2), "--listener: there is no such one; there are: 1"),
        (Explain(message=b"", ip="x"), "--ip: "),
        (Explain(message=b"", device="x"), "--device: there is no device 'x'"),
    ],
)
def test_what_there_is_not_is_named(room: Room, asked: Explain, text: str) -> None:
    with pytest.raises(MisuseError, match=f"Invalid value for {text}"):
        list(explain(room, asked))


def test_of_an_account_without_a_mailbox_nothing_comes(room: Room) -> None:
    with pytest.raises(MisuseError, match="account with a mailbox"):
        list(explain_incoming(room, ExplainIncoming(message=b"", account="sales")))


PASSWORD = "correct horse"
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
SCANNER, STRANGER = "127.0.0.2", "127.0.0.9"
OFFICE: dict[str, Any] = {
    "users": [
        {"name": "anna", "address": "anna@example.com", "aliases": ["a.schmidt@example.com"], "password_hash": HASH},
        {"name": "bert", "address": "bert@example.com", "password_hash": HASH},
        {"name": "carl", "address": "carl@nowhere.example", "password_hash": HASH},
    ],
    "accounts": [
        make_account("sales", 9),
        make_account("bert", 9, owner="bert"),
        make_account("old", 9, excluded=True),
        make_account("boss", 9, restrict=True, users=["bert"]),
    ],
    "device": [{"name": "scanner", "networks": [f"{SCANNER}/32"], "user": "anna"}],
    "limits": {"header_size": "100 KiB", "recipients_per_message": 3},
}
LISTENERS: dict[str, dict[str, Any]] = {
    "open": {"default_user": None},
    "login": {"default_user": None, "require_auth": True},
    "default": {"default_user": "anna"},
}


@dataclass(frozen=True)
class Case:
    """One question."""

    mail: bytes = b"From: sales@example.com\r\n\r\nhello\r\n"
    to: tuple[str, ...] = ("customer@example.net",)
    login: str | None = None
    ip: str = "127.0.0.1"
    null_sender: bool = False
    smtputf8: bool = False
    listener: str = "open"


def mail(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "", "hello")).encode()


CASES: dict[str, tuple[Case, str]] = {
    "rule 1": (Case(), "250"),
    "rule 2": (Case(mail("Subject: x"), login="bert"), "250"),
    "rule 3": (Case(mail("From: a.schmidt@example.com")), "250"),
    "rule 3 for a device": (Case(mail("From: x@y.example"), ip=SCANNER), "250"),
    "rule 3 for the default user": (Case(mail("From: x@y.example"), listener="default"), "250"),
    "rule 4, nobody": (Case(mail("From: x@y.example")), "550 5.7.1"),
    "rule 4, no From": (Case(b""), "550 5.7.1"),
    "rule 4, owns none": (Case(mail("From: x@y.example"), login="carl"), "550 5.7.1"),
    "excluded": (Case(mail("From: old@example.com"), login="anna"), "550 5.7.1"),
    "restricted, by login": (Case(mail("From: boss@example.com"), login="bert"), "250"),
    "restricted, by device": (Case(mail("From: boss@example.com"), ip=SCANNER), "250"),
    "restricted, to others": (Case(mail("From: boss@example.com"), login="carl"), "550 5.7.1"),
    "restricted, by default user": (Case(mail("From: boss@example.com"), listener="default"), "550 5.7.1"),
    "restricted, nobody": (Case(mail("From: boss@example.com")), "550 5.7.1"),
    "seen beside another": (Case(mail("From: sales@example.com", "Sender: boss@example.com")), "550 5.7.1"),
    "seen in a second From": (Case(mail("From: sales@example.com", "From: old@example.com")), "550 5.7.1"),
    "resent": (Case(mail("Resent-Bcc: a@b.example", "Resent-From: sales@example.com", "From: boss@x.example")), "250"),
    "resent by nobody": (Case(mail("Resent-To: a@b.example", "From: sales@example.com")), "550 5.7.1"),
    "the null sender": (Case(null_sender=True), "250"),
    "postmaster": (Case(to=("postmaster",)), "250"),
    "postmaster among others": (Case(to=("POSTMASTER", "anna@example.com", "a@b.example")), "250"),
    "no domain": (Case(to=("anna",)), "550 5.1.3"),
    "no domain for one of them": (Case(to=("anna", "a@b.example")), "250"),
    "the null path": (Case(to=("",)), "501 5.1.3"),
    "a blank": (Case(to=("a b@c.example",)), "501 5.1.3"),
    "two at signs": (Case(to=("a@@c.example",)), "501 5.1.3"),
    "a bracket too many": (Case(to=("a>b@c.example",)), "501 5.1.3"),
    "quoted": (Case(to=('"a b>c"@x.example',)), "250"),
    "a source route": (Case(to=("@r.example,@s.example:a@x.example",)), "250"),
    "an IPv4 literal": (Case(to=("a@[192.0.2.1]",)), "250"),
    "an IPv6 literal": (Case(to=("a@[IPv6:2001:db8::1]",)), ""),
    "a route in the middle": (Case(to=("bob@gate:by@y.example",)), ""),
    "a quoted at sign without a domain": (Case(to=('"a@b"',)), ""),
    "in brackets": (Case(to=("<a@b.example>",)), "250"),
    "international": (Case(to=("jürgen@x.example",)), "553 5.6.7"),
    "international, asked for": (Case(to=("jürgen@x.example",), smtputf8=True), "250"),
    "too many recipients": (Case(to=tuple(f"n{n}@x.example" for n in range(5))), "250"),
    "twice": (Case(to=("a@x.example", "A@X.example", "central@EXAMPLE.com")), "250"),
    "a stray line": (Case(mail("From: sales@example.com", "no field", "Bcc: a@b.example")), "554 5.6.0"),
    "a stray line behind an mbox line": (Case(mail("From x Mon", "From: sales@example.com", "-", "B: c")), "554 5.6.0"),
    "a forgotten empty line": (Case(b"From: sales@example.com\r\nhello there\r\n"), "250"),
    "all body": (Case(b"hello\r\nFrom: sales@example.com\r\n", login="bert"), "250"),
    "a blank before the colon": (Case(mail("From : sales@example.com")), "250"),
    "bare line feeds": (Case(b"From: sales@example.com\nSubject: x\n\nhello", login="bert"), "250"),
    "too large a header": (Case(mail("From: sales@example.com", *["X: " + "x" * 900] * 120)), "552 5.3.4"),
    "too long a From": (Case(mail("From: " + "x@y.example, " * 4000)), "554 5.6.0"),
    "too large": (Case(mail("From: sales@example.com") + b"x" * 300_000), "552 5.3.4"),
    "in circles": (Case(mail("From: sales@example.com", *["Relay-Loop: relay.office.example"] * 4)), "554 5.4.6"),
    "may not connect": (Case(ip=STRANGER), "554 5.7.1"),
    "not logged in": (Case(listener="login"), "530 5.7.0"),
    "not logged in, but a device": (Case(listener="login", ip=SCANNER), "530 5.7.0"),
    "logged in": (Case(listener="login", login="anna"), "250"),
}  # fmt: skip


class Session:
    """Asks the service a question by SMTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, line: str) -> str:
        return await self.send(f"{line}\r\n".encode())

    async def send(self, data: bytes) -> str:
        self._writer.write(data)
        return await self.read()

    async def read(self) -> str:
        async with asyncio.timeout(10):
            while line := (await self._reader.readline()).decode():
                if line[3:4] != "-":
                    return line.rstrip("\r\n")
        raise AssertionError("the session has ended")

    async def ask(self, case: Case) -> tuple[str, list[str]]:
        """Give the reply to the mail, and the recipients' refusals."""
        said = await self.read()
        if not said.startswith("220"):
            return said, []
        await self.say("EHLO client.example")
        if case.login is not None:
            word = base64.b64encode(f"\0{case.login}\0{PASSWORD}".encode()).decode()
            assert (await self.say(f"AUTH PLAIN {word}")).startswith("235")
        sender = "" if case.null_sender else "who@cares.example"
        said = await self.say(f"MAIL FROM:<{sender}>{' SMTPUTF8' if case.smtputf8 else ''}")
        if not said.startswith("250"):
            return said, []
        replies = [await self.say(f"RCPT TO:{to if to.startswith('<') else f'<{to}>'}") for to in case.to]
        refused = [reply for reply in replies if not reply.startswith("250")]
        if len(refused) == len(replies):
            return refused[0], refused
        await self.say("DATA")
        # Bare line feeds mean nothing but the end of a line, and the client ends the last one.
        return await self.send(case.mail + (b"" if case.mail.endswith(b"\r\n") else b"\r\n") + b".\r\n"), refused


@asynccontextmanager
async def open_listener(folder: Path, listener: dict[str, Any]) -> AsyncGenerator[ListenerServer]:
    given = {**listener, "networks": ["127.0.0.1/32", f"{SCANNER}/32"], "max_message_size": "200 KiB"}
    async with open_office(folder, **OFFICE, listener=given) as office:
        settings = office.settings
        passwords = PasswordChecker(lambda: settings.directory)
        context = ListenerContext(
            listener=settings.listeners[0],
            limits=settings.limits,
            hostname=settings.hostname,
            shared=SharedResources(
                submission=office.submission,
                authenticator=passwords,
                budget=Shares(settings.limits.bytes_in_flight),
                logins=LoginThrottle(passwords),
                disk_space=SharedDiskSpace(lambda _octets: True),
                files=Shares(1 << 32),
            ),
        )
        server = ListenerServer(context)
        await server.start()
        try:
            yield server
        finally:
            await server.close()


async def _ask_service(server: ListenerServer, case: Case) -> tuple[str, list[str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(case.ip, 0))
    try:
        return await Session(reader, writer).ask(case)
    finally:
        writer.close()


@pytest.mark.parametrize("listener", LISTENERS)
async def test_explain_says_what_a_session_says(listener: str, tmp_path: Path, run: Run) -> None:
    message, differences = tmp_path / "mail.eml", []
    async with open_listener(tmp_path, LISTENERS[listener]) as server:
        for name, (case, expected) in CASES.items():
            if case.listener != listener:
                continue
            reply, refused = await _ask_service(server, case)
            assert reply.startswith(expected), name
            message.write_bytes(case.mail)
            said = run("explain", *_arguments(case), str(message), config_file=tmp_path / "relay.toml").json
            explained = [said["sent"], said["reply"], [one["reply"] for one in said["refused_recipients"]]]
            sent = reply.startswith("250")
            answered = [sent, None if sent else reply, refused]
            differences += [(name, explained, answered)] if explained != answered else []
    assert differences == []


def _arguments(case: Case) -> list[str]:
    words = ["--json", "--ip", case.ip]
    words += [word for to in case.to for word in ("--to", to)]
    words += ["--user", case.login] if case.login is not None else []
    return words + ["--null-sender"] * case.null_sender + ["--no-smtputf8"] * (not case.smtputf8)
