"""What holds for every test: the same examples in each CI run, and nothing left running afterwards."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from structlog._config import BoundLoggerLazyProxy

from relay.emitting import subscribe
from relay.events.event import Event
from tests.peers.machine import IN_CI

_TASKS = Path("/proc/self/task")
_PATIENCE = 2.0
"""Seconds that a thread or process gets to end after its test."""

# A busy machine is no mistake of the test: no deadline, and slow data is no health problem.
settings.register_profile(
    "relay", max_examples=60, deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("relay")

_known: set[object] = set()
_figures: list[str] = []


@pytest.fixture(autouse=True)
def _process_as_before() -> Generator[None]:
    """What a service or a command in this process sets for good ends with its test."""
    mask = os.umask(0o022)
    os.environ.pop("COLUMNS", None)  # a width of the tests' own terminal is none of the commands'
    yield
    os.umask(mask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # `serve` leaves it so where it can't begin
    kept = structlog.get_config()["cache_logger_on_first_use"]
    structlog.reset_defaults()
    for log in [getattr(module, "log", None) for module in list(sys.modules.values())] if kept else ():
        if isinstance(log, BoundLoggerLazyProxy):
            vars(log).pop("bind", None)


@pytest.fixture
def recorded_events() -> Generator[list[Event]]:
    """Every event from now on, in whichever thread it happens."""
    events: list[Event] = []
    leave = subscribe(events.append)
    yield events
    leave()


@pytest.fixture
def show_figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What is measured but not asserted (times depend on the machine) is shown at the end of the run."""
    return lambda text: _figures.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    if _figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(_figures))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take minutes, which ask for a timeout of their own, first: the others run beside them.

    A short one stands between each two, since a worker is given two tests at a time.
    """
    long = sorted((item for item in items if item.get_closest_marker("timeout")), key=_timeout, reverse=True)
    chosen = set(long)
    short = [item for item in items if item not in chosen]
    pairs = [item for pair in zip(long, short, strict=False) for item in pair]
    items[:] = [*pairs, *long[len(pairs) // 2 :], *short[len(pairs) // 2 :]]


def _timeout(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return 0.0 if marker is None else float(marker.args[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Remember what runs before a test."""
    _known.clear()
    _known.update(_running())
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """What a fixture of many tests starts may outlive each of them."""
    before = _running() if fixturedef.scope != "function" else set()
    result = yield
    if fixturedef.scope != "function":
        _known.update(_running() - before)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Fail a test that leaves a child process or a thread which would keep the process alive."""
    result = yield
    deadline = time.monotonic() + _PATIENCE
    while (left := _running() - _known) and time.monotonic() < deadline:
        time.sleep(0.01)
    if left:
        pytest.fail(f"left running after the test: {sorted(map(str, left))}", pytrace=False)
    return result


def _running() -> set[object]:
    """Give the threads that are no daemons, and the ids of the child processes (on Linux).

    What the relay is forked from (tests/peers/warm_start.py) is there for all tests, and what is forked is a child.
    """
    threads: set[object] = {thread for thread in threading.enumerate() if not thread.daemon}
    threads |= {f"process {child.pid}" for child in multiprocessing.active_children()}
    for task in _TASKS.iterdir() if _TASKS.exists() else ():
        with contextlib.suppress(OSError):  # a thread that has just ended
            children = (task / "children").read_text()
            threads |= {f"process {pid}" for pid in children.split() if not _is_no_matter(pid)}
    return threads


def _is_no_matter(pid: str) -> bool:
    """Tell whether a process has ended, or is a helper of multiprocessing: these end with this process."""
    try:
        helps = b"from multiprocessing." in Path(f"/proc/{pid}/cmdline").read_bytes()
        return helps or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
