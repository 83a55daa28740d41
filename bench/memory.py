"""The memory of a program with all its children, what they share counted once.

That is the sum of their PSS (proportional set sizes). A program that is one process shares with strangers alone, and
they must not make it look smaller: all that is resident counts.
"""

import contextlib
import threading
from pathlib import Path
from typing import Self

from bench.figures import Figures

_PROC = Path("/proc")
_PAUSE = 0.01
"""Seconds between two looks."""
_MB = 1_000_000


def read_memory(root: int) -> int:
    """Give the memory of a process and all that descend from it, in octets (0: it has ended)."""
    members = family(root)
    name = "Rss:" if len(members) == 1 else "Pss:"
    total = 0
    for pid in members:
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            fields = (_PROC / str(pid) / "smaps_rollup").read_text().split()
            total += int(fields[fields.index(name) + 1]) * 1024
    return total


class Scale:
    """A context manager that looks at a program's memory all the time, if it is switched on, and keeps the peak."""

    def __init__(self, pid: int, *, on: bool) -> None:
        self._pid = pid
        self._on = on
        self._end = threading.Event()
        self._peak = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        if self._on:
            self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        if self._on:
            self._thread.join()

    @property
    def figures(self) -> Figures:
        """The peak so far; nothing if it is switched off."""
        return {"peak memory, MB": self._peak / _MB} if self._on else {}

    def _look(self) -> None:
        while True:
            self._peak = max(self._peak, read_memory(self._pid))
            if self._end.wait(_PAUSE):
                return


def family(root: int) -> list[int]:
    """Give the ids of a process and of all that descend from it."""
    parents: dict[int, int] = {}
    for path in _PROC.iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in brackets, can hold anything; the state and the parent follow it.
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found
