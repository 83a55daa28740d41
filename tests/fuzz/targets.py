"""What is fuzzed: each target takes hostile input to the place where it comes in, and says what must hold of it."""

import asyncio
import contextlib
import datetime as dt
import re
import socket
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from time import process_time
from typing import Any, Final

from hypothesis import strategies as st

from relay.bcc_archive import make_stripper
from relay.model.account import ArchivePolicy, Security, SmtpServer
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.errors import SourceError
from relay.planning import MailPlan, plan_mail
from relay.rules.address import parse_mailboxes
from relay.rules.distribution import plan_distribution
from relay.rules.folding import BodyFolder, fold_header
from relay.rules.headers import apply_edits, is_signed, split_fields
from relay.rules.message_splitter import MessageSplitter, split_message
from relay.rules.summary import summarise
from relay.rules.trace import received_count, stamp_header
from relay.settings import ConfigurationError, load_settings
from relay.settings.schema import TABLES
from relay.upstream.smarthost import ConnectError, connect
from relay.upstream.transaction import OutgoingMail, Timeouts
from tests.collection.test_poll import Post, open_post
from tests.fuzz.hostile import PLACES, cuts, headers, mails, runs
from tests.peers.credentials import password
from tests.peers.relay_process import ANNA, RelayProcess, make_account, to_toml, write_config
from tests.peers.sink import Sink

KIB: Final = 1 << 10
LIMIT: Final = 256 * KIB
STALL: Final = 2.0
"""Seconds of this process within which any input must be done with."""
_QUICK: Final = Timeouts(connect=5, command=5, data=5, progress=5, final=5, quit=0.2)
_PATIENCE: Final = 0.1
"""Seconds for which a server waits for the next command."""
_PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*")


@dataclass(frozen=True)
class Target:
    """One place where hostile input comes in."""

    name: str
    inputs: st.SearchStrategy[Any]
    open: Callable[[], contextlib.AbstractContextManager[Callable[[Any], None]]]
    """Gives what takes an input and checks what must hold; it raises AssertionError where that does not."""


@contextmanager
def no_stall() -> Generator[None]:
    """Check that something does not take this process's time."""
    begun = process_time()
    yield
    assert process_time() - begun < STALL, f"{process_time() - begun:.1f} s"


# Headers: all that decides by one, and edits it


@contextmanager
def _header() -> Iterator[Callable[[Any], None]]:
    with tempfile.TemporaryDirectory() as folder:
        directory = load_settings(_office(Path(folder), 25)).directory
    client = Client(ip=ip_address("127.0.0.1"), default_user="anna")
    envelope = Envelope(
        reverse_path=Address(local="anna", domain="example.com"),
        recipients=(Address(local="customer", domain="example.net"),),
    )

    def check(given: tuple[bytes, list[float]]) -> None:
        mail, places = given
        block, body = split_message(mail)
        splitter = MessageSplitter(header_limit=LIMIT)
        pieces = [piece for part in cuts(block + b"\r\n" + body, places) for piece in splitter.feed(part)]
        assert len(b"".join([*pieces, splitter.close()])) <= len(block) + 2 + len(body)
        fields = split_fields(block)
        assert b"".join(one.raw for one in fields) == block
        decision = plan_mail(
            directory=directory, archive=ArchivePolicy(), hostname="h", client=client, envelope=envelope, header=block
        )
        if isinstance(decision, MailPlan):
            leaves = stamp_header(
                apply_edits(block, decision.route.edits),
                received=b"Received: by h\r\n",
                hostname="h",
                queue_id="q",
                message_id_domain="example.com",
                at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            )
            keys = {one.key for one in split_fields(leaves)}
            assert not keys & {"bcc", "resent-bcc", "return-path"}
            folded = fold_header(leaves)
            assert re.sub(rb"\s", b"", folded) == re.sub(rb"\s", b"", leaves)
        else:
            assert 400 <= decision.reply.code < 600
            assert _PRINTABLE.fullmatch(decision.reply.text), decision.reply.text
        assert plan_distribution(directory=directory, account=directory.accounts[0], header=block).shares
        for one in fields[:20]:
            with contextlib.suppress(ValueError):
                parse_mailboxes(one.value)
        received_count(block), is_signed(block)
        kept = summarise(block)
        assert _PRINTABLE.fullmatch(kept.subject)
        assert _PRINTABLE.fullmatch(kept.sender)

    yield check


# MIME: the archive's stripped copy, and long lines on the way out


@contextmanager
def _mime() -> Iterator[Callable[[Any], None]]:
    def strip(header: bytes, pieces: list[bytes]) -> tuple[bool, bytes]:
        stripper = make_stripper(header, language="en")
        if stripper is None:
            return False, b""
        out = b"".join([*map(stripper.feed, pieces), stripper.close()])
        return stripper.changed, out if stripper.changed else b""

    def fold(pieces: list[bytes]) -> bytes:
        folder = BodyFolder()
        return b"".join([*map(folder.feed, pieces), folder.close()])

    def check(given: tuple[bytes, list[float]]) -> None:
        mail, places = given
        header, body = split_message(mail)
        pieces = cuts(body, places)
        assert strip(header, pieces) == strip(header, [body])
        assert fold(pieces) == fold([body])

    yield check


# The session: the real service, through its real port


@contextmanager
def _session() -> Iterator[Callable[[Any], None]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sink = stack.enter_context(Sink(keep=False))
        relay = stack.enter_context(RelayProcess(_office(Path(folder), sink.port)))

        def check(given: tuple[list[bytes], list[float]]) -> None:
            lines, places = given
            data = b"".join(lines)
            with socket.create_connection(("127.0.0.1", relay.port), timeout=50) as client:
                answer = b""
                with contextlib.suppress(ConnectionError, OSError):
                    for piece in cuts(data, places):
                        client.sendall(piece)
                    client.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while more := client.recv(1 << 16):
                        answer += more
            for reply in answer.decode("ascii").split("\r\n")[:-1]:
                assert re.fullmatch(r"[2345]\d\d[ -][ -~]*", reply), reply
            faults = [line for line in relay.events[-20:] if "exception" in line or "Traceback" in str(line)]
            assert not faults, faults
            assert not relay.errors

        yield check


_VERBS: Final = st.sampled_from(
    [
        *(
            b"EHLO a\r\n",
            b"HELO a\r\n",
            b"MAIL FROM:<sales@example.com>\r\n",
            b"RCPT TO:<a@example.net>\r\n",
            b"DATA\r\n",
        ),
        *(b"RSET\r\n", b"NOOP\r\n", b"QUIT\r\n", b"VRFY a\r\n", b"AUTH PLAIN ", b"AUTH LOGIN\r\n", b"STARTTLS\r\n"),
        *(
            b"MAIL FROM:<> SIZE=",
            b"MAIL FROM:<",
            b"RCPT TO:<",
            b"\r\n.\r\n",
            b"BDAT 10\r\n",
            b"BDAT 10 LAST\r\n",
            b"*\r\n",
        ),
        *(b"RCPT TO:<a@example.net> NOTIFY=", b"RCPT TO:<a@example.net> ORCPT=rfc822;", b"From: sales@example.com\r\n"),
    ]
)
_BEGINNING: Final = [b"EHLO a\r\n", b"MAIL FROM:<sales@example.com>\r\n", b"RCPT TO:<a@example.net>\r\n", b"DATA\r\n"]
_SESSIONS: Final = st.builds(
    lambda begin, rest: _BEGINNING[:begin] + rest,
    st.integers(0, 4),
    st.lists(st.one_of(_VERBS, runs(16 * KIB), mails(64 * KIB)), max_size=8),
)


# Servers: what a POP3 server and a provider may answer


@dataclass
class _Server:
    """Answers the commands of each connection in turn, then says what is left and closes."""

    answers: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        # Where each side waits for the other, the server goes away: how long a client waits is no matter of its input.
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, ValueError, TimeoutError):
            for n, answer in enumerate(self.answers):
                if n and not await asyncio.wait_for(reader.readline(), _PATIENCE):
                    break
                writer.write(answer)
                await writer.drain()


@contextmanager
def _loop() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@contextmanager
def _pop3() -> Iterator[Callable[[Any], None]]:
    with tempfile.TemporaryDirectory() as name, _loop() as run:
        folder, server = Path(name), _Server()
        usual = [
            b"+OK hi\r\n", b"+OK\r\nUIDL\r\nUSER\r\n.\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\nUIDL\r\n.\r\n",
            b"+OK\r\n1 100\r\n2 100\r\n.\r\n", b"+OK\r\n1 %d\r\n2 b%d\r\n.\r\n",
        ]  # fmt: skip
        numbers = iter(range(1, 1 << 40))

        async def poll(post: Post) -> None:
            with contextlib.suppress(SourceError):
                await post.poll()

        async def one(begin: int, answers: list[bytes]) -> None:
            number = next(numbers)
            known = [text % ((number,) * text.count(b"%d")) for text in usual]
            server.answers = [*known[:begin], *answers]
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20)
            async with listening, open_post(folder, listening.sockets[0].getsockname()[1]) as post:
                post.configure(distribute=True, envelope_header="Delivered-To")
                async with asyncio.timeout(20):
                    await poll(post)

        def check(given: tuple[int, list[bytes]]) -> None:
            with no_stall():
                run(one(*given))
            for path in folder.rglob("*"):
                assert path.resolve().is_relative_to(folder.resolve())

        yield check


@contextmanager
def _replies() -> Iterator[Callable[[Any], None]]:
    with _loop() as run:
        server = _Server()
        usual = [
            b"220 hi\r\n", b"250-a\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 SIZE 1000000\r\n", b"235 welcome\r\n",
            b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n",
        ]  # fmt: skip

        async def body() -> Any:  # noqa: ANN401 - chunks
            yield b"hello\r\n"

        async def one(begin: int, answers: list[bytes]) -> None:
            server.answers = [*usual[:begin], *answers]
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            async with listening, asyncio.timeout(20):
                port = listening.sockets[0].getsockname()[1]
                smtp = SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, username="u")
                outgoing = OutgoingMail(
                    reverse_path="s@x.example", recipients=("a@x.example",), header=b"A: b\r\n", body=body, size=10
                )
                try:
                    connection = await connect(
                        smtp, hostname="relay.example", credential=password("hunter2"), timeouts=_QUICK
                    )
                    result = await connection.send(outgoing)
                    await connection.close()
                    said = [r for r in (result.mail, result.data, result.final, *result.recipients) if r is not None]
                except ConnectError as error:
                    said = [error.reply]
            for reply in said:
                assert _PRINTABLE.fullmatch(reply.text.replace("\n", " ")), reply.text  # lines are joined by it
                assert "hunter2" not in reply.text
                assert len(reply.text) < 10_000

        def check(given: tuple[int, list[bytes]]) -> None:
            with no_stall():
                run(one(*given))

        yield check


_CODES: Final = st.sampled_from([b"250 ", b"250-", b"550 ", b"421 ", b"+OK ", b"-ERR "])
_SAYINGS: Final = st.sampled_from([b"250 hunter2\r\n", b"+OK\r\n", b"250 ok\r\n", b"354 go\r\n", b"+OK\r\n.\r\n"])
_LISTED: Final = st.lists(runs(4 * KIB), max_size=5).map(b"\r\n".join)
_ANSWERS: Final = st.lists(
    st.one_of(
        _SAYINGS,
        runs(64 * KIB),
        st.builds(lambda code, text: code + text + b"\r\n", _CODES, runs(4 * KIB)),
        st.one_of(_LISTED, mails(64 * KIB)).map(lambda data: b"+OK\r\n" + data + b"\r\n.\r\n"),
    ),
    max_size=6,
)


# Settings: the file that people write


@contextmanager
def _settings() -> Iterator[Callable[[Any], None]]:
    with tempfile.TemporaryDirectory() as folder:
        path = _office(Path(folder), 25)
        good = path.read_bytes()

        def check(given: bytes | dict[str, Any]) -> None:
            if isinstance(given, dict):
                path.write_text(to_toml(given), encoding="utf-8", errors="surrogateescape")
            else:
                middle = len(good) // 2
                path.write_bytes(good[:middle] + given + good[middle:])
            try:
                load_settings(path)
            except ConfigurationError as error:
                for line in error.errors:
                    assert line.startswith("relay.toml: "), line
                    assert _PRINTABLE.fullmatch(line), line
                    assert len(line) < 5_000, line[:200]

        yield check


_KEYS: Final = sorted({key for keys in TABLES.values() for key in keys})
_SCALARS: Final = st.one_of(
    st.text(max_size=30), runs(8 * KIB).map(lambda data: data.decode("latin-1")), st.integers(-(1 << 63), 1 << 63),
    st.booleans(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["75 MiB", "1 h", "10.0.0.0/8", "::1", "anna@example.com", "-x", "../x", "Mon-Fri 07:00-19:00"]),
)  # fmt: skip
_TABLES: Final = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(_SCALARS, max_size=5),
        st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
        st.lists(st.dictionaries(st.sampled_from(_KEYS), inner, min_size=1, max_size=6), min_size=1, max_size=3),
    ),
    max_leaves=25,
)
_DOCUMENTS: Final = st.dictionaries(st.sampled_from(sorted({p[0] for p in TABLES if p})), _TABLES, max_size=6)


def _office(folder: Path, port: int) -> Path:
    bert = {"name": "bert", "address": "bert@example.com"}
    accounts = [
        make_account("sales", port, pop3={"host": "127.0.0.1", "port": 1, "security": "none", "username": "u",
                                          "password": "hunter2", "distribute": True}),
        make_account("bert", port, owner="bert", restrict=True),
        make_account("old", port, excluded=True),
    ]  # fmt: skip
    return write_config(folder, accounts=accounts, users=[ANNA, bert], limits={"commands_per_session": 1_000})


def _guarded(
    open_target: Callable[[], contextlib.AbstractContextManager[Callable[[Any], None]]],
) -> Callable[[], contextlib.AbstractContextManager[Callable[[Any], None]]]:
    @contextmanager
    def opened() -> Iterator[Callable[[Any], None]]:
        with open_target() as check:

            def checked(given: Any) -> None:  # noqa: ANN401 - what the target takes
                with no_stall():
                    check(given)

            yield checked

    return opened


TARGETS: Final = {
    target.name: target
    for target in (
        Target("header", st.tuples(st.one_of(mails(LIMIT), headers(LIMIT)), PLACES), _guarded(_header)),
        Target("mime", st.tuples(mails(LIMIT), PLACES), _guarded(_mime)),
        Target("session", st.tuples(_SESSIONS, PLACES), _session),
        Target("pop3", st.tuples(st.integers(0, 7), _ANSWERS), _pop3),
        Target("replies", st.tuples(st.integers(0, 6), _ANSWERS), _replies),
        Target("settings", st.one_of(runs(16 * KIB), _DOCUMENTS), _guarded(_settings)),
    )
}
