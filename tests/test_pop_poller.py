"""Which mailbox is polled when: by its interval, within the hours, never twice at a time, others unharmed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from relay.accounts.credentials import Credentials
from relay.collection import Collector
from relay.demo.provider import PASSWORD, Mailbox
from relay.model.maildrop import PollResult
from relay.pop_poller import PopPoller
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.settings.secrets import read_secret
from relay.storage.engine import open_engine
from relay.storage.mailboxes import Mailboxes
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.peers.credentials import Token, TokenCredentials
from tests.peers.dialogue import Dialogue
from tests.peers.machine import until
from tests.peers.relay_process import write_config

START = 1_780_000_000_000
"""Thursday, 22:26 in Berlin."""


class Office:
    """A poller with a clock that the test moves."""

    def __init__(
        self,
        folder: Path,
        mailboxes: Mailboxes,
        queue: Queue,
        ports: dict[str, int],
        *,
        credentials: Credentials | None = None,
        **tables: Any,  # noqa: ANN401 - tables of the configuration
    ) -> None:
        self.folder = folder
        self.mailboxes = mailboxes
        self.seconds = 0.0
        self.configure(ports, **tables)
        runtime = Runtime(
            settings=lambda: self.settings, queue=queue, credentials=credentials or Credentials(queue.fingerprint_key),
            now=lambda: START + int(self.seconds * 1000), monotonic=lambda: self.seconds, random=lambda: 0.5,
        )  # fmt: skip
        self.poller = PopPoller(runtime, Collector(runtime, mailboxes))

    def configure(
        self,
        ports: dict[str, int],
        *,
        account: dict[str, Any] | None = None,
        pop3: dict[str, Any] | None = None,
        **tables: Any,  # noqa: ANN401 - see above
    ) -> None:
        accounts = [
            {"name": name, "address": f"{name}@example.com", "owner": "anna", **(account or {}),
             "pop3": {"host": "127.0.0.1", "port": port, "security": "none", "username": "u", "interval": "5 min",
                      **(pop3 or {"password": PASSWORD})}}
            for name, port in ports.items()
        ]  # fmt: skip
        self.settings = load_settings(write_config(self.folder, accounts=accounts, **tables))

    async def pass_time(self, seconds: float) -> None:
        """Move the clock, start what is due, and wait for it."""
        self.seconds += seconds
        self.poller.start_due()
        tasks = [mailbox.task for mailbox in self.poller._known.values() if mailbox.task is not None]
        await asyncio.gather(*tasks)


@asynccontextmanager
async def open_office(folder: Path, ports: dict[str, int], **tables: Any) -> AsyncGenerator[Office]:  # noqa: ANN401 - see above
    engine = open_engine(f"sqlite:///{folder}/relay.db")
    prepare_database(engine)
    writer = Writer(engine)
    office = Office(folder, Mailboxes(engine, writer), Queue(engine, writer), ports, **tables)
    try:
        yield office
    finally:
        await office.poller.drain(1)
        await writer.close()
        engine.dispose()


@asynccontextmanager
async def open_mailbox() -> AsyncGenerator[Mailbox]:
    mailbox = Mailbox()
    await mailbox.start()
    try:
        yield mailbox
    finally:
        await mailbox.close()


async def test_a_mailbox_is_polled_by_its_interval(tmp_path: Path) -> None:
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}) as office:
        with capture_logs() as lines:
            for _ in range(31):
                await office.pass_time(60)
        assert 5 <= mailbox.sessions <= 7
        finished = [line for line in lines if line["event"] == "poll_finished"]
        assert len(finished) == mailbox.sessions
        state = await office.mailboxes.find("a")
        assert state is not None
        assert state.last_ok is not None


async def test_only_within_the_hours_and_only_what_is_collected(tmp_path: Path) -> None:
    schedule = {"active": ["Mon-Fri 07:00-19:00"], "timezone": "Europe/Berlin"}
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}, schedule=schedule) as office:
        await office.pass_time(3600)
        assert mailbox.sessions == 0
        await office.pass_time(8 * 3600)
        await office.pass_time(2)
        assert mailbox.sessions == 1
        for off in ({"excluded": True}, {"receive": False}):
            office.configure({"a": mailbox.port}, account=off)
            await office.pass_time(3600)
        assert mailbox.sessions == 1


async def test_a_mailbox_that_fails_is_asked_less_often_and_stops_no_other(tmp_path: Path) -> None:
    async with (
        open_mailbox() as mailbox,
        Dialogue() as broken,
        open_office(tmp_path, {"broken": broken.port, "good": mailbox.port}) as office,
    ):
        with capture_logs() as lines:
            for _ in range(120):
                await office.pass_time(60)
        failed = [line for line in lines if line["event"] == "poll_failed"]
        assert [line["next_poll_in"] for line in failed][:5] == [300, 600, 1200, 2400, 3600]
        assert broken.connections == len(failed) <= 6
        assert mailbox.sessions > 20
        state = await office.mailboxes.find("broken")
        assert state is not None
        assert "connect" in state.error


async def fail_for_long(office: Office) -> float:
    """Let the polls fail until the next one is far away; gives how far."""
    for _ in range(120):
        await office.pass_time(60)
    wait = office.poller._known["a"].due - office.seconds
    assert wait > 900
    return wait


async def test_the_secret_of_polls_that_fail_is_read_once_for_each_and_once_to_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Mock(side_effect=read_secret)
    monkeypatch.setattr("relay.accounts.credentials.read_secret", read)
    async with Dialogue() as broken, open_office(tmp_path, {"a": broken.port}) as office:
        await fail_for_long(office)
        assert read.call_count == broken.connections + 1 > 3


@pytest.mark.parametrize("mended", [{"password": PASSWORD}, {"password": PASSWORD, "host": "localhost"}])
async def test_corrected_settings_are_tried_at_once(tmp_path: Path, mended: dict[str, str]) -> None:
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}) as office:
        office.configure({"a": mailbox.port}, pop3={"password": "wrong"})
        wait = await fail_for_long(office)
        before = mailbox.sessions
        office.configure({"a": mailbox.port}, pop3={"password": "wrong"})
        office.poller.look()
        await office.pass_time(0)
        assert (mailbox.sessions, office.poller._known["a"].due - office.seconds) == (before, wait)
        office.configure({"a": mailbox.port}, pop3=mended)
        office.poller.look()
        await office.pass_time(0)
        assert mailbox.sessions == before + 1
        state = await office.mailboxes.find("a")
        assert state is not None
        assert state.error == ""


@pytest.mark.parametrize("source", ["password_file", "password_command"])
async def test_a_corrected_password_that_stands_elsewhere_is_tried_at_once_after_a_reload(
    tmp_path: Path, source: str
) -> None:
    secret = tmp_path / "secret"
    _write(secret, "wrong")
    value = str(secret) if source == "password_file" else ["/bin/cat", str(secret)]
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}) as office:
        office.configure({"a": mailbox.port}, pop3={source: value})
        wait = await fail_for_long(office)
        before = mailbox.sessions
        await look(office)
        assert (mailbox.sessions, office.poller._known["a"].due - office.seconds) == (before, wait)
        _write(secret, PASSWORD)
        await look(office)
        assert mailbox.sessions == before + 1
        assert office.poller._known["a"].failures == 0


async def test_a_token_is_no_reason_for_a_poll_and_a_new_grant_is(tmp_path: Path) -> None:
    credentials = TokenCredentials(Token())
    async with (
        open_mailbox() as mailbox,
        open_office(tmp_path, {"a": mailbox.port}, credentials=credentials) as office,
    ):
        await fail_for_long(office)
        before = mailbox.sessions
        await look(office)
        assert mailbox.sessions == before
        assert len(set(credentials.token.given)) == before
        credentials.token.grant += 1
        await look(office)
        assert mailbox.sessions == before + 1


async def test_a_password_that_is_corrected_while_a_poll_still_fails_is_tried_right_behind_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    _write(secret, "wrong")
    login = "S: +OK\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS wrong\n"
    async with Dialogue("! close", login + "! silence") as slow, open_office(tmp_path, {"a": slow.port}) as office:
        office.configure({"a": slow.port}, pop3={"password_file": str(secret)})
        for _ in range(2):
            await office.pass_time(10)
        office.seconds += 4000
        office.poller.start_due()
        await until(lambda: "PASS wrong" in slow.heard)
        _write(secret, PASSWORD)
        office.poller.look()
        await asyncio.gather(*office.poller._looks)
        slow._released.set()
        await office.pass_time(0)
        assert office.poller._known["a"].due == office.seconds


def _write(secret: Path, password: str) -> None:
    secret.write_text(password)
    secret.chmod(0o600)


async def look(office: Office) -> None:
    """Do what a reload does, and what is due then."""
    office.poller.look()
    await asyncio.gather(*office.poller._looks)
    await office.pass_time(0)


async def test_a_mailbox_that_another_node_polls_is_no_failure(tmp_path: Path) -> None:
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}) as office:

        async def taken(_account: str, _token: str) -> None:
            return None

        office.mailboxes.acquire = taken  # type: ignore[method-assign, assignment]
        with capture_logs() as lines:
            results = await office.poller.poll_now(office.settings.directory.accounts, lambda _: lambda *_: None)
        assert results == {"a": "another node is polling this mailbox"}
        assert [line["event"] for line in lines] == ["poll_elsewhere"]
        assert 200 < office.poller._known["a"].due - office.seconds < 400
        assert mailbox.sessions == 0


async def test_never_two_polls_of_one_mailbox_at_a_time(tmp_path: Path) -> None:
    async with Dialogue("S: +OK\nC: CAPA\n! silence") as slow, open_office(tmp_path, {"a": slow.port}) as office:
        account = office.settings.directory.accounts[0]
        office.seconds = 10
        office.poller.start_due()
        first = asyncio.create_task(office.poller.poll_now([account], lambda _: lambda *_: None))
        second = asyncio.create_task(office.poller.poll_now([account], lambda _: lambda *_: None))
        await until(lambda: slow.connections > 0)
        office.seconds += 4000
        office.poller.start_due()
        assert slow.connections == 1
        assert office.poller.active == 1
        await office.poller.drain(0.01)
        assert await first == await second == {"a": "the poll did not end"}


async def test_poll_now_tells_of_progress_and_results(tmp_path: Path) -> None:
    schedule = {"active": ["Mon 07:00-07:01"]}
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}, schedule=schedule) as office:
        mailbox.mails = [b"A: b\r\n\r\nx\r\n"]
        told: list[tuple[str, int, int]] = []
        results = await office.poller.poll_now(
            office.settings.directory.accounts, lambda name: lambda done, of: told.append((name, done, of))
        )
        assert isinstance(results["a"], PollResult)
        assert told[-1] == ("a", 1, 1)


async def test_run_polls_and_ends_with_the_drain(tmp_path: Path) -> None:
    async with open_mailbox() as mailbox, open_office(tmp_path, {"a": mailbox.port}) as office:
        office.seconds = 5
        running = asyncio.create_task(office.poller.run())
        await asyncio.sleep(0)
        office.seconds = 10
        office.poller.look()
        async with asyncio.timeout(5):
            while not mailbox.sessions:  # noqa: ASYNC110 - the mailbox has no event
                await asyncio.sleep(0.005)
        await office.poller.drain(5)
        await running
