"""How fast mail leaves that has waited for its provider. Only versions of the relay are compared so."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.contestants import NOBODY, Start, Surroundings
from bench.figures import Figures, rate
from bench.memory import Scale
from bench.relaying import Load, patience, submit
from tests.peers.relay_process import RelayProcess
from tests.peers.sink import Sink

_SESSIONS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Drain:
    """So many mails are handed in while the provider is down, then it comes back; can be run as the round of a case."""

    messages: int
    length: int
    """Octets of each mail's body."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            with start(Surroundings(provider=NOBODY, folder=folder)) as relay, Scale(relay.pid, on=weigh) as scale:
                assert isinstance(relay, RelayProcess)
                submit(relay, Load(messages=self.messages, sessions=_SESSIONS, length=self.length))
                with Sink(keep=False) as sink:
                    start(Surroundings(provider=sink.port, folder=folder))  # writes the configuration anew
                    relay.reload()  # another port for the account: it is tried at once
                    delivered = relay.wait_for(
                        "message_delivered", count=self.messages, timeout=patience(self.messages)
                    )
                if scale.figures:
                    return scale.figures
        return {"delivered, mails/s": rate(delivered)}
