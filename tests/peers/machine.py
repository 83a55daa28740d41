"""What the machine that runs the tests has to offer: programs, free ports, and ways to wait for things."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import pytest

T = TypeVar("T")

IN_CI = bool(os.environ.get("RELAY_CI"))
"""Set where every program is there: what would be skipped elsewhere fails."""

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
_POLL = 0.005


def find_program(name: str) -> str | None:
    """Find a program of the system, in the folders of the administrator's programs too."""
    return shutil.which(name, path=_PATH)


def require_program(name: str, *, package: str) -> str:
    """Find a program; without it the test is skipped with the name of the package that has it (in CI: fails)."""
    return find_program(name) or lack(f"needs the program {name}, from the package {package}")


def require_root(reason: str) -> None:
    """Skip the test (in CI: fail) unless root runs it."""
    if os.geteuid() != 0:
        lack(f"needs root: {reason}")


def lack(what: str) -> NoReturn:
    """Skip the test, or fail it in CI, for want of something."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


def free_port() -> int:
    """Give a loopback port that is free at this moment, for a program that can't choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], T], *, what: str, timeout: float = 20) -> T:
    """Poll until a condition gives something true, and give that. Raises TimeoutError, which names what was awaited."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(_POLL)
    return result


async def until(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait, beside other tasks, until something that has no event of its own has happened. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_POLL)


class Loop:
    """An event loop in a thread of its own, as a context manager: what runs there goes on while a test blocks."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.run(_cancel_the_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float = 30) -> T:
        """Run a coroutine there to its end; returns or raises what it does, and TimeoutError after so many seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)


async def _cancel_the_others() -> None:
    """Cancel what still runs in this loop, as `asyncio.run` does at its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", *, errors: Path, timeout: float = 20) -> None:
    """Wait until a program of ours listens. Raises RuntimeError with the end of its errors if it ends instead."""

    def listens() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {errors.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    wait_until(listens, what=f"{process.args!r} listens on port {port}", timeout=timeout)


def end_group(process: "subprocess.Popen[bytes]", *, at_once: bool = False) -> None:
    """End a program that leads a process group of its own, with all its children: politely first, unless `at_once`."""
    if not at_once:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
