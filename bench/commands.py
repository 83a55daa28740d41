"""How long a command takes that looks at the queue of a running service. Only versions of the relay are compared so."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.contestants import NOBODY, Start, Surroundings
from bench.figures import Figures
from bench.relaying import Load, submit
from tests.peers.relay_process import RelayProcess

_REPEATED: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Ask a service with so many waiting mails again and again; can be run as the round of a case."""

    waiting: int

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken."""
        if weigh:
            return {}
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as name,
            start(Surroundings(provider=NOBODY, folder=Path(name))) as relay,
        ):
            assert isinstance(relay, RelayProcess)
            submit(relay, Load(messages=self.waiting, sessions=5, length=1000))
            # The status of a service whose provider is down is no success.
            timed = partial(time_command, relay, repeated=_REPEATED, check=False)
            return {f"{' '.join(words)}, median, ms": timed(words) for words in _COMMANDS}


_COMMANDS: Final = (("queue", "list", "--json"), ("queue", "list"), ("status",))


def time_command(
    relay: RelayProcess, words: Sequence[str], *, repeated: int, check: bool = True, configured: bool = True
) -> float:
    """Give the median of so many runs of a command, in milliseconds; the others are those of `RelayProcess.run`."""
    seconds = []
    for _ in range(repeated):
        began = time.monotonic()
        relay.run(*words, check=check, configured=configured)
        seconds.append(time.monotonic() - began)
    return 1000 * statistics.median(seconds)
