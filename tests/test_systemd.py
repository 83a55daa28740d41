import asyncio
import os
import socket
from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage.committer import FIND_OUT
from relay.storage.engine import PATIENCE
from relay.systemd import feed_watchdog, notify, watchdog_limit


def test_the_state_goes_to_the_socket_that_systemd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"relay-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("STOPPING=1")
        assert systemd.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_limit_is_what_systemd_says_to_this_process(
    environment: dict[str, str], limit: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_limit() == limit


def test_the_unit_waits_longer_than_a_database_may_leave_a_commit_in_doubt() -> None:
    """An answer counts at the next sign only, and a third of the limit may pass until that."""
    unit = (Path(__file__).parent.parent / "config" / "relay.service").read_text()
    (limit,) = [int(line.partition("=")[2]) for line in unit.splitlines() if line.startswith("WatchdogSec=")]
    # The statement that has no answer, the questions what became of it, the last of which may last, and a connection.
    assert 2 * limit / 3 >= PATIENCE + FIND_OUT + PATIENCE + 10


async def test_where_nobody_watches_no_question_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)

    async def question() -> None:
        raise AssertionError

    await feed_watchdog(question)


async def test_a_sign_of_life_needs_an_answer_since_the_last_one_and_a_fault_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is the test's: each turn is a third of the limit."""
    turns: asyncio.Queue[None] = asyncio.Queue()
    slept: list[float] = []
    answers: list[asyncio.Future[None]] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await turns.get()

    async def question() -> None:
        answers.append(asyncio.get_running_loop().create_future())
        await answers[-1]

    async def turn() -> None:
        turns.put_nowait(None)
        for _ in range(5):
            await asyncio.sleep(0)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        feeding = asyncio.create_task(feed_watchdog(question, sleep=sleep))
        await turn()
        await turn()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        assert len(answers) == 1  # nothing new is asked before the old question is answered
        answers[0].set_result(None)
        await turn()
        assert systemd.recv(100) == b"WATCHDOG=1"
        answers[1].set_exception(StorageError("the disk is full"))
        await turn()
        assert systemd.recv(100) == b"WATCHDOG=1"
        await turn()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        assert set(slept) == {20.0}
        await asyncio.sleep(0)
        assert answers[2].cancelled()
