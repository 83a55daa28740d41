"""What a long queue and a long history cost the relay, size by size."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.contestants import NOBODY, SENDER
from bench.figures import rate, show, spread
from bench.filling import fill
from tests.peers.programs import submit_many
from tests.peers.relay_process import ROOT, RelayProcess, make_account, write_config
from tests.peers.sink import Sink

_CONNECTIONS: Final = 20


@dataclass(kw_only=True)
class Past:
    """How fast mail goes through on top of so much history: mails a second, by round."""

    count: int
    accepted: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


@dataclass(kw_only=True)
class Backlog:
    """What so many waiting mails cost."""

    count: int
    start: float = 0.0
    """Seconds until it listens."""
    listing: float = 0.0
    """Seconds that `relay queue list` takes."""
    accepted: float = 0.0
    """Mails a second, while the provider is down."""
    drained: float = 0.0
    """Mails a second, once it is back."""
    memory: int = 0
    """Octets, at the peak."""


def measure(rounds: int, messages: int, sizes: Sequence[int], *, drained: int) -> Iterator[str]:
    """Measure both, the history in turns; gives a line for each step, and the figures as Markdown at the end.

    Of a backlog at most `drained` mails are delivered.
    """
    pasts = [Past(count=count) for count in (0, *sizes)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        databases = {past.count: Path(name) / f"{past.count}.db" for past in pasts}
        for count, database in databases.items():
            fill(database, count, queued=False)
        for number in range(1, rounds + 1):
            for past in pasts:
                _pass_through(past, databases[past.count], messages)
                yield f"growing, round {number}: {past.count:,} mails of history: accepted {past.accepted[-1]:,.0f}/s"
    backlogs = []
    for size in sizes:
        backlogs.append(_hold_up(size, messages, drained))
        yield f"growing: {backlogs[-1]}"
    yield _describe(pasts, backlogs, rounds, min(drained, sizes[-1]))


def _pass_through(past: Past, database: Path, messages: int) -> None:
    """Run one round on a database; what the round adds to it stays there."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Sink("-M", str(messages), keep=False) as sink:
        folder = Path(name)
        (folder / "relay.db").hardlink_to(database)
        with RelayProcess(_config(folder, sink.port), fresh=True) as relay:
            began = time.monotonic()
            _submit(relay, messages)
            past.accepted.append(messages / (time.monotonic() - began))
            sink.wait_for_end()
            past.delivered.append(messages / (time.monotonic() - began))


def _hold_up(count: int, messages: int, drained: int) -> Backlog:
    """Start on a queue of so many mails whose provider is down, look at it, then let the provider come back."""
    found = Backlog(count=count)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        fill(folder / "relay.db", count, queued=True)
        relay = RelayProcess(_config(folder, NOBODY), fresh=True)
        began = time.monotonic()
        with relay:
            found.start = time.monotonic() - began
            relay.wait_for("account_unreachable")
            began = time.monotonic()
            command = [sys.executable, "-m", "relay", "queue", "list", "-c", str(relay.config)]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=60)
            found.listing = time.monotonic() - began
            began = time.monotonic()
            _submit(relay, messages)
            found.accepted = messages / (time.monotonic() - began)
            with Sink("-M", str(min(count, drained)), keep=False) as sink:
                _config(folder, sink.port)
                relay.reload()  # another port for the account: it is tried at once
                sink.wait_for_end()
            found.memory = relay.memory()[1]
            found.drained = rate(relay.find("message_delivered"))
    return found


def _config(folder: Path, port: int) -> Path:
    account = make_account("sales", port, archive=False, smtp={"connections": _CONNECTIONS})
    return write_config(folder, accounts=[account], limits={"keep_history": "3650 days"})


def _submit(relay: RelayProcess, messages: int) -> None:
    done = submit_many(relay.port, messages=messages, sessions=20, length=4096, sender=SENDER, kept=True)
    if done.status:
        raise RuntimeError(f"smtp-source: {done.transcript}")


def _describe(pasts: Sequence[Past], backlogs: Sequence[Backlog], rounds: int, drained: int) -> str:
    def compared(rates: list[float], first: list[float]) -> str:
        return f"{spread(rates)} | {statistics.median(rates) / statistics.median(first):.2f}"

    history = "".join(
        f"| {p.count:,} | {compared(p.accepted, pasts[0].accepted)} | {compared(p.delivered, pasts[0].delivered)} |\n"
        for p in pasts
    )
    waiting = "".join(
        f"| {b.count:,} | {show(b.start)} | {show(b.listing)} | {show(b.accepted)} | {show(b.drained)}"
        f" | {show(b.memory / 1e6)} |\n"
        for b in backlogs
    )
    return (
        "The relay alone; mails of 4 KiB without a blind copy over 20 kept connections; median of "
        f"{rounds} rounds in turns (lowest to highest), each beside what it is without history.\n\n"
        f"| mails of history | accepted, mails/s | | delivered, mails/s | |\n|---|---|---|---|---|\n{history}\n"
        f"Mails that wait while the provider is down; then at most {drained:,} of them are delivered.\n\n"
        "| mails waiting | start to listening, s | `relay queue list`, s | accepted, mails/s | drained, mails/s"
        f" | peak memory, MB |\n|---|---|---|---|---|---|\n{waiting}"
    )
