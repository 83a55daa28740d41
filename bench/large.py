"""A large mail: how fast it is taken, what the other sessions notice, what memory it needs."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from bench.client import Client
from bench.contestants import Contestant, Start
from bench.figures import Figures
from bench.memory import Scale
from bench.relaying import Load, patience, running, submit

_PAUSE = 0.002
"""Seconds between two commands of the session that waits."""
_MANY = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Large:
    """One large mail, while another session says NOOP; for memory also ten at once. Can be run as a case's round."""

    length: int
    """Octets of the mail's body."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""
        if weigh:
            return {f"peak memory with {self._count(mails)}, MB": self._weigh(start, mails) for mails in (1, _MANY)}
        with running(start, mails=1) as (server, sink), asking(server) as waits:
            began = time.monotonic()
            submit(server, Load(messages=1, sessions=1, length=self.length))
            accepted = time.monotonic() - began
            sink.wait_for_end()
            delivered = time.monotonic() - began
        return {
            "accepted, s": accepted,
            "delivered, s": delivered,
            "longest wait of another session, ms": 1000 * max(waits),
        }

    def _weigh(self, start: Start, mails: int) -> float:
        with running(start, mails=mails) as (server, sink), Scale(server.pid, on=True) as scale:
            submit(server, Load(messages=mails, sessions=mails, length=self.length))
            sink.wait_for_end()
        return scale.figures["peak memory, MB"]

    @staticmethod
    def _count(mails: int) -> str:
        return "one" if mails == 1 else f"{mails} at once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixed:
    """Many small mails while a large one comes; can be run as the round of a case.

    There must be so many that the large one is through long before the last of them: the provider does not tell them
    apart.
    """

    small: Load
    length: int
    """Octets of the large mail's body."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""

        def hand_in_large(server: Contestant) -> float:
            began = time.monotonic()
            submit(server, Load(messages=1, sessions=1, length=self.length))
            return time.monotonic() - began

        with (
            running(start, mails=self.small.messages + 1) as (server, sink),
            Scale(server.pid, on=weigh) as scale,
            ThreadPoolExecutor(1) as pool,
        ):
            began = time.monotonic()
            large: Future[float] = pool.submit(hand_in_large, server)
            submit(server, self.small)
            accepted = time.monotonic() - began
            sink.wait_for_end(timeout=patience(self.small.messages))
            delivered = time.monotonic() - began
            return scale.figures or {
                "small ones accepted, mails/s": self.small.messages / accepted,
                "small ones delivered, mails/s": self.small.messages / delivered,
                "large one accepted, s": large.result(),
            }


@contextlib.contextmanager
def asking(server: Contestant) -> Iterator[list[float]]:
    """Say NOOP in a session of its own all the while; gives the waits, in seconds, complete at the end."""
    waits: list[float] = []
    faults: list[Exception] = []
    end = threading.Event()

    def ask() -> None:
        try:
            with Client(server.port) as client:
                while not end.wait(_PAUSE):
                    waits.append(client.ask())
        except (OSError, RuntimeError) as error:
            faults.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield waits
    finally:
        end.set()
        thread.join()
    if faults or not waits:
        raise RuntimeError(f"the session that said NOOP: {faults or 'no reply'}")
