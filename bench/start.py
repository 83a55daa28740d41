"""How long a start takes: of the service until a client is greeted, and of commands; a Postfix only has the first."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.client import Client
from bench.commands import time_command
from bench.contestants import NOBODY, Start, Surroundings
from bench.figures import Figures
from bench.relaying import Load, submit
from tests.peers.relay_process import RelayProcess

_REPEATED: Final = 5
_LISTED: Final = ("queue", "list")


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin:
    """Start a contestant on an empty queue, then commands on so many waiting mails; can be the round of a case."""

    waiting: int

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken."""
        if weigh:
            return {}
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            server = start(Surroundings(provider=NOBODY, folder=Path(name)))
            with server as started, Client(started.port):
                figures = {"start to the first client's greeting, ms": 1000 * _age(started.pid)}
                if not isinstance(started, RelayProcess):
                    return figures
                submit(started, Load(messages=self.waiting, sessions=5, length=1000))
                figures["relay queue list beside it, ms"] = time_command(started, _LISTED, repeated=_REPEATED)
            figures["relay queue list without a service, ms"] = time_command(started, _LISTED, repeated=_REPEATED)
            figures["relay --help, ms"] = time_command(started, ("--help",), repeated=_REPEATED, configured=False)
            return figures


def _age(pid: int) -> float:
    """Give the seconds since a process began, to a hundredth."""
    began = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
