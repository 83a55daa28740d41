"""Many mails at once, from the first connect to the last delivery: mails a second."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import RECIPIENT, SENDER, Contestant, Start, Surroundings
from bench.figures import Figures
from bench.memory import Scale
from bench.processes import Helper
from tests.peers.programs import submit_many
from tests.peers.sink import Sink


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one round hands in; it can be run as the round of a case."""

    messages: int
    sessions: int
    length: int
    """Octets of each mail's body."""
    kept: bool = True
    """Whether a session hands in one mail after the other; else each has a connection of its own."""
    recipients: int = 1
    transactions: int = 1
    """With the provider, for each mail: one takes at most 50 recipients, the archive among them."""
    round_trip: int = 0
    """To the provider, in milliseconds."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""
        with running(start, mails=self.messages * self.transactions, round_trip=self.round_trip) as (server, sink):
            with Scale(server.pid, on=weigh) as scale:
                began = time.monotonic()
                submit(server, self)
                accepted = time.monotonic() - began
                sink.wait_for_end(timeout=patience(self.messages))
                delivered = time.monotonic() - began
            return scale.figures or {
                "accepted, mails/s": self.messages / accepted,
                "delivered, mails/s": self.messages / delivered,
            }


@contextlib.contextmanager
def running(start: Start, *, mails: int, round_trip: int = 0, sessions: int = 0) -> Iterator[tuple[Contestant, Sink]]:
    """Start a contestant whose provider is a sink that ends after so many mails (0: never)."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        sink = stack.enter_context(Sink(*(["-M", str(mails)] if mails else []), keep=False))
        port = sink.port
        if round_trip:
            port = stack.enter_context(Helper("delay", port, round_trip)).port
        yield stack.enter_context(start(Surroundings(provider=port, folder=folder, sessions=sessions))), sink


def submit(server: Contestant, load: Load) -> None:
    """Hand the mails in by smtp-source. Raises RuntimeError if one is not taken."""
    done = submit_many(
        server.port,
        messages=load.messages,
        sessions=load.sessions,
        length=load.length,
        sender=SENDER,
        recipient=RECIPIENT,
        recipients=load.recipients,
        kept=load.kept,
        timeout=patience(load.messages),
    )
    if done.status != 0:
        raise RuntimeError(f"smtp-source: {done.transcript}")


def patience(messages: int) -> float:
    """Give the seconds after which so many mails have failed to go through."""
    return 120 + messages / 20
