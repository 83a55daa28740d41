import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from relay.cli import main
from relay.control.client import NAME
from relay.demo.provider import Mailbox
from relay.model.destination import Destination
from relay.model.envelope import Envelope
from relay.model.mail import Body, ClaimedDelivery
from relay.rules.address import parse_addr_spec
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from relay.supervisor import Service
from tests.peers.machine import Loop
from tests.peers.office import CLIENT
from tests.peers.relay_process import ANNA, make_account, write_config


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it printed
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose provider is not there, with the database that a service has made."""
    accounts = [
        make_account("sales", 9),
        make_account("old", 9, excluded=True),
        {"name": "inbox", "address": "inbox@example.com", "owner": "anna"},
    ]
    path = write_config(tmp_path, accounts=accounts, users=[{**ANNA, "notify": "inbox"}])
    engine = open_engine(load_settings(path).database)
    prepare_database(engine)
    engine.dispose()
    return path


@pytest.fixture
def run(config: Path, request: pytest.FixtureRequest) -> Run:
    """Run a command on the configuration, in this process.

    In a test that runs both ways the service reads a changed configuration before the next command.
    """
    follows = "both_ways" in request.fixturenames
    in_force = config.read_text()

    def run(*arguments: str, stdin: str = "", config_file: Path | None = config) -> Said:
        nonlocal in_force
        if follows and config.with_name(NAME).exists() and (text := config.read_text()) != in_force:
            in_force = text
            assert invoke("reload").status == 0
        return invoke(*arguments, stdin=stdin, config_file=config_file)

    def invoke(*arguments: str, stdin: str = "", config_file: Path | None = config) -> Said:
        chosen = [] if config_file is None else ["-c", str(config_file)]
        result = CliRunner().invoke(main, [*arguments, *chosen], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(params=["alone", "asked"])
def both_ways(request: pytest.FixtureRequest, config: Path) -> Generator[None]:
    """Run the test twice: without a service, and with one that sends nothing, which the commands ask."""
    if request.param == "alone":
        yield
        return
    with serve(config):
        yield


runs_both_ways = pytest.mark.usefixtures("both_ways")


@contextmanager
def serve(config: Path) -> Generator[list[Any]]:
    """Start the real service in a thread, and give its log; its activities do not run, so that nothing is sent."""
    service = Service(load_settings(config))
    with Loop() as loop:
        loop.run(service.start())
        try:
            with capture_logs() as lines:
                yield lines
        finally:
            loop.run(service.stop())


class _Nobody:
    """A dispatcher that never sends: the mail stays queued."""

    def reserve(self, _to: Destination) -> None:
        return None

    def offer(self, _delivery: ClaimedDelivery, _body: Body) -> None:
        pass

    def max_size(self, _account: str) -> int | None:
        return None


@pytest.fixture
def queued(config: Path) -> list[str]:
    """Two mails in the queue; gives their ids."""
    return asyncio.run(hand_in(config, ["one", "two\x1b[31m"]))


async def hand_in(config: Path, subjects: list[str], *, sender: str | None = None, to: int = 1) -> list[str]:
    """Put mails with these subjects into the queue; gives their ids, which sort in this order."""
    settings = load_settings(config)
    engine = open_engine(settings.database)
    prepare_database(engine)
    queue = Queue(engine, Writer(engine))
    submission = Submission(Runtime(settings=lambda: settings, queue=queue), _Nobody())
    people = ["customer@example.net", *(f"other{n}@example.net" for n in range(1, to))]
    envelope = Envelope(
        reverse_path=None if sender is None else parse_addr_spec(sender),
        recipients=tuple(map(parse_addr_spec, people)),
    )
    ids = []
    for subject in subjects:
        mail = submission.begin(envelope, CLIENT, show_client=False)
        await mail.header(f"From: sales@example.com\r\nSubject: {subject}\r\n".encode())
        await mail.body(b"hello\r\n")
        ids.append((await mail.finish()).text.split()[-1])
        at = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == at:  # noqa: ASYNC110 - of the clock; ids of one millisecond have no order
            await asyncio.sleep(0)
    await queue.close()
    engine.dispose()
    return ids


@contextmanager
def serve_mailbox() -> Generator[Mailbox]:
    """Serve a mailbox over POP3, in a thread of its own."""
    mailbox = Mailbox()
    with Loop() as loop:
        loop.run(mailbox.start())
        try:
            yield mailbox
        finally:
            loop.run(mailbox.close())


def change(config: Path, sql: str, *values: object) -> None:
    """Change the database behind the service's back."""
    with contextlib.closing(sqlite3.connect(config.parent / "relay.db")) as database, database:
        assert database.execute(sql, values).rowcount > 0


def answer(config: Path, queue_id: str, outcomes: list[tuple[str, str]], *, state: str = "done", due: int = 0) -> None:
    """Let a mail with one delivery end so for its recipients: (outcome, what the provider said)."""
    for n, (outcome, said) in enumerate(outcomes):
        code, enhanced, text = (*said.split(" ", 2), "", "")[:3] if said[:1].isdigit() else ("0", "", said)
        change(
            config, "UPDATE recipient SET outcome = ?, code = ?, enhanced = ?, reply = ?"
            " WHERE message_id = ? AND n = ?", outcome, int(code), enhanced, text, queue_id, n,
        )  # fmt: skip
    ended = "UPDATE delivery SET state = ?, due = ?, attempts = 1, tried = 1 WHERE message_id = ?"
    change(config, ended, state, due, queue_id)


def copy_to_archive(config: Path, queue_id: str, outcome: str, said: str) -> None:
    """Give a mail a blind copy that ended so."""
    change(
        config, "INSERT INTO recipient (message_id, n, delivery_id, address, kind, outcome, code, enhanced, reply)"
        " SELECT message_id, 9, id, 'central@example.com', 'archive', ?, ?, '', ? FROM delivery WHERE message_id = ?",
        outcome, int(said[:3]), said[4:], queue_id,
    )  # fmt: skip
