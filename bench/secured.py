"""Many mails at once, with STARTTLS and AUTH from the clients to the server and from there to the provider."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import Certificates, Start, Surroundings
from bench.figures import Figures
from bench.memory import Scale
from bench.processes import Helper
from bench.relaying import patience
from tests.peers.postfix import Postfix
from tests.peers.relay_process import ROOT
from tests.peers.sink import Sink


@dataclass(frozen=True, kw_only=True, slots=True)
class Secured:
    """What one round hands in over kept connections; it can be run as the round of a case."""

    messages: int
    sessions: int
    length: int
    """Octets of each mail's body."""

    def __call__(self, start: Start, /, *, weigh: bool) -> Figures:
        """Run one round. Raises RuntimeError if a mail is not taken, TimeoutError if one is not delivered."""
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            certificates = Certificates(Path(folder))
            with (
                Sink("-M", str(self.messages), keep=False) as sink,
                Helper("front", sink.port, certificates.server_file) as front,
                start(Surroundings(provider=front.port, folder=Path(folder), secure=certificates)) as server,
                Scale(server.pid, on=weigh) as scale,
            ):
                trusted = server.ca_file if isinstance(server, Postfix) else certificates.ca_file
                began, accepted = self._submit(server.port, trusted)
                sink.wait_for_end(timeout=patience(self.messages))
                delivered = time.monotonic()
            return scale.figures or {
                "accepted, mails/s": self.messages / (accepted - began),
                "delivered, mails/s": self.messages / (delivered - began),
            }

    def _submit(self, port: int, trusted: Path) -> tuple[float, float]:
        command = [sys.executable, "-m", "bench.senders", f"--port={port}", f"--ca-file={trusted}"]
        command += [f"--messages={self.messages}", f"--sessions={self.sessions}", f"--length={self.length}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=patience(self.messages))
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
        began, accepted = map(float, done.stdout.split())
        return began, accepted
