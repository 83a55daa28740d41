"""How long one mail takes, when nothing else happens."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client, write_mail
from bench.contestants import RECIPIENT, SENDER, Start, Surroundings
from bench.figures import Figures, percentile
from bench.memory import Scale
from bench.processes import Helper


@dataclass(frozen=True, kw_only=True, slots=True)
class Lone:
    """So many mails over one session, each after the one before has arrived; can be run as the round of a case."""

    messages: int
    length: int
    """Octets of each mail's body."""
    pause: float = 0.02
    """Seconds between an arrival and the next mail."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""
        accepted, delivered = [], []
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            Helper("stamps") as sink,
            start(Surroundings(provider=sink.port, folder=Path(folder))) as server,
            Scale(server.pid, on=weigh) as scale,
            Client(server.port) as client,
        ):
            for number in range(self.messages + 1):
                sent, taken = client.send(SENDER, RECIPIENT, write_mail(number, self.length))
                arrived, at = sink.read_line().split()
                if int(arrived) != number:
                    raise RuntimeError(f"mail {arrived} arrived while {number} was awaited")
                if number:  # the first one starts what is started when it is needed
                    accepted.append(1000 * (taken - sent))
                    delivered.append(1000 * (float(at) - sent))
                time.sleep(self.pause)
            return scale.figures or {
                "final dot to 250, median, ms": statistics.median(accepted),
                "final dot to 250, 99th percentile, ms": percentile(accepted, 99),
                "final dot to the provider, median, ms": statistics.median(delivered),
                "final dot to the provider, 99th percentile, ms": percentile(delivered, 99),
            }
