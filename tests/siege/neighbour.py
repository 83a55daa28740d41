"""The second session beside an attack, in a process of its own: `python -m tests.siege.neighbour PORT`.

It says NOOP again and again. For each line on its standard input it prints the longest wait for a reply since the line
before, in seconds, and how many replies there were.
"""

import selectors
import socket
import sys
import time

_PAUSE = 0.002
"""Seconds between a reply and the next NOOP."""


class Neighbour:
    """A session that measures how long it waits."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()
        self.longest, self.replies = 0.0, 0

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=200)
        self._said = 0
        self._socket.recv(4096)
        self._ask(b"EHLO neighbour.example\r\n")

    def _ask(self, command: bytes) -> bytes:
        self._said += 1
        self._socket.sendall(command)
        return self._socket.recv(4096)

    def ask(self) -> None:
        """Say NOOP once, and note the wait."""
        begun = time.perf_counter()
        reply = self._ask(b"NOOP\r\n")
        self.longest = max(self.longest, time.perf_counter() - begun)
        self.replies += 1
        if self._said > 900 or not reply.startswith(b"250"):
            # A session has only so many commands.
            self._socket.close()
            self._connect()

    def tell(self) -> None:
        """Print what was measured, and begin anew."""
        print(self.longest, self.replies, flush=True)  # noqa: T201 - its result
        self.longest, self.replies = 0.0, 0


def main() -> None:
    """Measure until the standard input ends."""
    neighbour = Neighbour(int(sys.argv[1]))
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if selector.select(_PAUSE):
                if not sys.stdin.readline():
                    return
                neighbour.tell()
            neighbour.ask()


if __name__ == "__main__":
    main()
