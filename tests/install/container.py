"""A Debian that is booted with its own systemd, its own network (loopback alone) and its own processes."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Self

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POWEROFF: Final = signal.SIGRTMIN + 4
"""What systemd takes as an order to power off."""
_PATIENCE: Final = 60.0
_POLL: Final = 0.05
_SILENCE: Final = 60.0
"""Seconds in which a command at a terminal must say something."""


class StepError(Exception):
    """A step of the test failed; its text says what was run and what came of it."""


Answer = tuple[str, str | Callable[[re.Match[str]], str | None] | None]


class Container:
    """A context manager around a folder with a Debian, which is removed at the end unless it is to be kept."""

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self.folder = folder
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        if not self._keep:
            shutil.rmtree(self.folder)

    def start(self) -> None:
        """Boot, and wait until all that starts with the machine has started."""
        command = ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.folder}", "--private-network"]
        command += ["--register=no", "--keep-unit", f"--machine=relay-test-{os.getpid()}", "--console=pipe"]
        command += ["--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        environment = {"PATH": _PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with (self.folder.parent / f"{self.folder.name}.console").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StepError(f"the container does not boot: see {self.folder}.console")
            time.sleep(_POLL)
        self.run("systemctl is-system-running --wait || true")

    def stop(self) -> None:
        """Power off, and wait; what does not end by itself is ended. Only processes of this container are touched."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(StepError, ProcessLookupError):
            os.kill(self._leader(process), _POWEROFF)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)

    def run(self, script: str, *, given: str = "", folder: str = "/root", fails: bool = False) -> str:
        """Run a script of Bash as root, and give what it printed. Raises StepError where it fails (or does not).

        `given` is typed: the standard input.
        """
        try:
            done = subprocess.run(
                self._command(script, folder),
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=180,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"").decode(errors="replace")
            raise StepError(f"{script}\n--- is not done after {error.timeout} s, and said\n{said[-4000:]}") from None
        if (done.returncode != 0) is not fails:
            raise StepError(f"{script}\n--- ended with {done.returncode}, and said\n{done.stdout[-4000:]}")
        return done.stdout

    def converse(self, script: str, answers: Iterable[Answer], *, folder: str = "/root") -> str:
        """Run a script at a terminal of its own, and type. Raises StepError where it fails, or asks something else.

        Each answer: what is waited for (a regular expression, in what was printed since the last answer), and the line
        that is typed then, or what makes it of what was found (None: nothing is typed). Gives what the terminal showed.
        """
        process, terminal = pty.fork()
        if process == 0:
            command = self._command(script, folder, "TERM=dumb")
            os.execvp(command[0], command)
        try:
            said = _talk(terminal, answers, script)
        except BaseException:
            os.kill(process, signal.SIGKILL)
            raise
        finally:
            os.close(terminal)  # hangs up: what still runs inside ends
            _, status = os.waitpid(process, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise StepError(f"{script}\n--- ended with {os.waitstatus_to_exitcode(status)}, and said\n{said[-4000:]}")
        return said.replace("\r\n", "\n")

    def wait(self, script: str, *, what: str, seconds: float = 30) -> str:
        """Run a script until it succeeds. Raises StepError, which names what was awaited."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.run(script)
            except StepError as error:
                if time.monotonic() > deadline:
                    raise StepError(f"not within {seconds} s: {what}\n{error}") from None
            time.sleep(0.2)

    def path(self, inside: str) -> Path:
        """Give the path outside of a file inside."""
        return self.folder / inside.removeprefix("/")

    def write(self, inside: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Write a file of root's."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def _command(self, script: str, folder: str, *more: str) -> list[str]:
        assert self._process is not None
        home = [f"HOME={folder}", f"PATH={_PATH}", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "COLUMNS=120"]
        command = ["nsenter", f"--target={self._leader(self._process)}", "--mount", "--uts", "--ipc", "--pid", "--net"]
        return [*command, "--", "env", "-i", *home, *more, "bash", "-euo", "pipefail", "-c", f"cd {folder}\n{script}"]

    def _answers(self) -> bool:
        try:
            self.run("test -S /run/systemd/private")
        except StepError:
            return False
        return True

    @staticmethod
    def _leader(process: "subprocess.Popen[bytes]") -> int:
        """Give the process that is number one inside. Raises StepError while there is none."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            pids = [int(pid) for pid in children.read_text().split()]
        except OSError:
            pids = []
        for pid in pids:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() in ("systemd", "init"):
                    return pid
        raise StepError("the container has no systemd")


def _talk(terminal: int, answers: Iterable[Answer], script: str) -> str:
    said, seen = "", 0
    for awaited, typed in answers:
        while (found := re.compile(awaited).search(said, seen)) is None:
            if not (more := _read(terminal)):
                raise StepError(f"{script}\n--- does not say {awaited!r}, but\n{said[-4000:]}")
            said += more
        seen = found.end()
        line = typed(found) if callable(typed) else typed
        if line is not None:
            os.write(terminal, f"{line}\n".encode())
    while more := _read(terminal):
        said += more
    return said


def _read(terminal: int) -> str:
    """Give what came at a terminal; nothing once its command has ended, or is silent for too long."""
    ready, _, _ = select.select([terminal], [], [], _SILENCE)
    try:
        return os.read(terminal, 65536).decode(errors="replace") if ready else ""
    except OSError:  # nobody is at the other end any more
        return ""
