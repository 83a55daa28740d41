"""What a program asks of the kernel, seen by strace: what it syncs, and what it says on its connections, in order."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from tests.peers.machine import require_program, wait_until

SYNCS = ("fsync", "fdatasync")
READS = ("read", "recvfrom", "recvmsg")
WRITES = ("write", "sendto", "sendmsg", "writev")

_LINE = re.compile(
    r"(?P<thread>[0-9]+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\([0-9]+<(?P<of>[^>]*)>)(?P<rest>.*)"
)


class Call(NamedTuple):
    """A system call on a file or a connection, which succeeded."""

    name: str
    of: str
    """The file's path, or the connection's inode."""
    data: str
    """The beginning of what was written or read, as C writes it."""
    begun: int
    ended: int
    """Places in the order of all that was seen."""


class SystemCalls:
    """Watches a process and its threads while it is entered; a test is skipped where the system does not allow that."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._command = [require_program("strace", package="strace"), "-f", "-y", "-s", "64", "-p", str(pid)]
        self._command += ["-e", f"trace={','.join((*SYNCS, *READS, *WRITES))}"]
        self._trace = folder / "strace"
        self._said = folder / "strace.errors"
        self.calls: Sequence[Call] = ()
        """All of them, in the order of their ends; once it is left."""

    def __enter__(self) -> Self:
        with self._said.open("wb") as said:
            self._process = subprocess.Popen([*self._command, "-o", str(self._trace)], stderr=said)
        wait_until(lambda: self._process.poll() is not None or "attached" in self._said.read_text(), what="strace")
        if self._process.poll() is not None:
            pytest.skip(f"strace may not watch here: {self._said.read_text().strip()}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self.calls = read_calls(self._trace.read_text("utf-8", "replace"))

    def find(
        self, names: Sequence[str], said: str = "", *, where: Callable[[str], bool] = lambda _: True
    ) -> list[Call]:
        """Return the calls of these names whose data contains a text, on what `where` picks."""
        return [call for call in self.calls if call.name in names and said in call.data and where(call.of)]


def read_calls(trace: str) -> list[Call]:
    """Read what `strace -f -y` has written; calls that failed, or have no end, are left out."""
    calls: list[Call] = []
    open_calls: dict[str, Call] = {}
    for place, line in enumerate(trace.splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue
        if found["resumed"]:
            begun = open_calls.pop(found["thread"], None)
            if begun is None or begun.name != found["resumed"]:
                continue
            call = begun._replace(data=begun.data + found["rest"], ended=place)
        else:
            call = Call(found["name"], found["of"], found["rest"], place, place)
        if call.data.endswith("<unfinished ...>"):
            open_calls[found["thread"]] = call
        elif not re.search(r"= -1 E[A-Z]+", call.data):
            calls.append(call)
    return calls
