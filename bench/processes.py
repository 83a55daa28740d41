"""A helper of the benchmark in a process of its own: a module of this folder that prints the port it listens on."""

import subprocess
import sys
import threading
from queue import Empty, SimpleQueue
from typing import Self

from tests.peers.machine import end_group
from tests.peers.relay_process import ROOT


class Helper:
    """`python -m bench.NAME`, a context manager. What it prints after its port is in `read_line`."""

    def __init__(self, name: str, *arguments: object) -> None:
        self._command = [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]
        self._lines: SimpleQueue[str] = SimpleQueue()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        try:
            self.port = int(self.read_line())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        end_group(self._process, at_once=True)
        self._thread.join()
        assert self._process.stdout
        self._process.stdout.close()

    def read_line(self, *, timeout: float = 30) -> str:
        """Give its next line. Raises TimeoutError if none comes, RuntimeError if it ended instead."""
        try:
            line = self._lines.get(timeout=timeout)
        except Empty:
            raise TimeoutError(f"{self._command} said nothing for {timeout} s") from None
        if not line:
            raise RuntimeError(f"{self._command} ended")
        return line

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line.decode())
        self._lines.put("")
