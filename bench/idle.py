"""Sessions that are open and say nothing: what they cost, and what another client notices."""

import contextlib
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.client import Client, write_mail
from bench.contestants import RECIPIENT, SENDER, Start
from bench.figures import Figures
from bench.memory import read_memory
from bench.relaying import running

_QUESTIONS = 200
_MAILS = 20
_PAUSE = 0.002
"""Seconds after each question."""
_LONG_PAUSE = 0.02
"""Seconds after each mail, so that it is alone."""
_MORE_FILES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Idle:
    """One contestant with more and more open sessions; can be run as the round of a case."""

    sizes: tuple[int, ...]
    """How many sessions, in growing order."""
    length: int
    """Octets of the body of the mail that another session hands in."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round, in which memory is looked at while nothing is timed: so `weigh` needs no round of its own."""
        if weigh:
            return {}
        figures: dict[str, float] = {}
        with (
            _many_files(max(self.sizes) + _MORE_FILES),
            running(start, mails=0, sessions=max(self.sizes)) as (server, _),
            contextlib.ExitStack() as sessions,
            Client(server.port) as other,
        ):
            opened = 0
            other.send(SENDER, RECIPIENT, write_mail(0, self.length))  # starts what is started when it is needed
            for size in self.sizes:
                for _ in range(size - opened):
                    sessions.enter_context(Client(server.port))
                opened = size
                time.sleep(1)  # until what was started has settled
                name = f"{size:,} session{'s' * (size > 1)}"
                figures[f"{name}: memory, MB"] = read_memory(server.pid) / 1e6
                figures[f"{name}: NOOP of another, median, ms"] = 1000 * self._ask(other)
                figures[f"{name}: final dot to 250 of another, median, ms"] = 1000 * self._send(other)
        return figures

    def _ask(self, client: Client) -> float:
        waits = []
        for _ in range(_QUESTIONS):
            waits.append(client.ask())
            time.sleep(_PAUSE)
        return statistics.median(waits)

    def _send(self, client: Client) -> float:
        waits = []
        for number in range(_MAILS):
            sent, taken = client.send(SENDER, RECIPIENT, write_mail(number, self.length))
            waits.append(taken - sent)
            time.sleep(_LONG_PAUSE)
        return statistics.median(waits)


@contextlib.contextmanager
def _many_files(count: int) -> Iterator[None]:
    """Let this process and those that it starts open so many files. Raises ValueError where the system forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
