"""Programs of ours that begin with the relay imported already: forked from a process that has done so once.

Importing takes a second of the processor, and the tests start hundreds of them. What such a process then does, and how
it ends, is the same in all else.
"""

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.peers.imported_relay"])


class WarmProcess:
    """`python -m MODULE ARGUMENTS...`, as far as tests need a `subprocess.Popen` of it; it reads nothing."""

    def __init__(self, module: str, arguments: Sequence[str], *, cwd: Path, stdout: Path, stderr: Path) -> None:
        """Begin it; what it writes is appended to two files."""
        self.args = [module, *arguments]
        stdout.touch()
        stderr.touch()
        with contextlib.chdir(_ROOT):  # where Python 3.11 looks for what is to be imported
            multiprocessing.forkserver.ensure_running()
        self._process = _CONTEXT.Process(
            target=_run, args=(module, list(arguments), dict(os.environ), cwd, stdout, stderr)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its status, that of a signal below 0; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Give its status, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it on the spot."""
        self._process.kill()


def run_warm(
    module: str, *arguments: str, cwd: Path = _ROOT, timeout: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run such a program to its end, and give its status and what it wrote. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        out, errors = Path(name, "out"), Path(name, "errors")
        process = WarmProcess(module, arguments, cwd=cwd, stdout=out, stderr=errors)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(process.args, status, out.read_text(), errors.read_text())


def _run(
    module: str, arguments: list[str], environment: Mapping[str, str], cwd: Path, stdout: Path, stderr: Path
) -> None:
    """Become the program, in the new process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for path, number in ((stdout, 1), (stderr, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
