"""Measures the relay beside a Postfix that does the same work, and beside mpop and getmail6, in turns, on this machine.

Each round starts both anew on empty queues. `smtp-source` hands the mails in over parallel sessions; the server adds a
blind copy, writes the sender and relays to an `smtp-sink`. Postfix needs root. Run by `make bench`.
"""

import argparse
import importlib.metadata
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import collect, growth
from tests.peers.machine import require_program
from tests.peers.postfix import Postfix
from tests.peers.programs import submit_many
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.sink import Sink

_PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_BLOCK = r"(?s)(?<=<!-- {0}:begin -->\n).*?(?=<!-- {0}:end -->)"
_CONNECTIONS = 20  # what Postfix opens to one destination
_ARCHIVE = "central@example.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one round hands in."""

    messages: int
    sessions: int
    length: int
    """Octets of each mail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one round took, in seconds from its start."""

    accepted: float
    """Until the last mail had its 250."""
    delivered: float
    """Until the sink had the last mail."""


Start = Callable[[int, Path], AbstractContextManager[RelayProcess | Postfix]]


def start_relay(sink: int, folder: Path) -> RelayProcess:
    """Give our relay with one account, whose provider is the sink."""
    account = make_account("sales", sink, smtp={"connections": _CONNECTIONS})
    return RelayProcess(write_config(folder, accounts=[account], archive=[_ARCHIVE]))


def start_postfix(sink: int, _folder: Path) -> Postfix:
    """Give a Postfix with the sink as its smarthost, which writes the sender and adds the copy."""
    return Postfix(relayhost=sink, always_bcc=_ARCHIVE, rewrite_sender="sales@example.com")


def measure(start: Start, load: Load) -> Round:
    """Run one round. Raises RuntimeError if a mail was not taken."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Sink("-M", str(load.messages), keep=False) as sink,
        start(sink.port, Path(folder)) as server,
    ):
        began = time.monotonic()
        done = submit_many(server.port, messages=load.messages, sessions=load.sessions, length=load.length)
        accepted = time.monotonic() - began
        if done.status != 0:
            raise RuntimeError(f"smtp-source: {done.transcript}")
        sink.wait_for_end()
        return Round(accepted=accepted, delivered=time.monotonic() - began)


def describe(load: Load, ours: list[Round], theirs: list[Round]) -> str:
    """Give the figures as Markdown: medians, the range of the rounds, the ratio, and what was measured."""
    rows = []
    for what in ("accepted", "delivered"):
        a, b = ([load.messages / float(getattr(item, what)) for item in rounds] for rounds in (ours, theirs))
        ratio = statistics.median(a) / statistics.median(b)
        rows.append(f"| {what}, mails/s | {_show(a)} | {_show(b)} | {ratio:.2f} |\n")
    return (
        f"{load.messages:,} mails of {load.length:,} octets over {load.sessions} sessions, blind copy added, sender "
        f"written; median of {len(ours)} rounds in turns (lowest to highest).\n\n"
        "| | relay | Postfix | ratio |\n|---|---|---|---|\n" + "".join(rows)
    )


def _show(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"


def _versions() -> str:
    postconf = [require_program("postconf", package="postfix"), "-d", "-h", "mail_version"]
    postfix = subprocess.run(postconf, capture_output=True, check=True, text=True).stdout.strip()
    names = ("lan-mail-relay", "aiosmtpd", "aiosmtplib", "sqlalchemy", "uvloop")
    installed = {dist.name.lower(): dist.version for dist in importlib.metadata.distributions()}
    packages = ", ".join(f"{name} {installed[name]}" for name in names if name in installed)
    return (
        f"{packages}; CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}; Postfix {postfix}; "
        f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} cores."
    )


def main() -> int:
    """Measure, print, and with `--write` keep the figures in docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--length", type=int, default=4096, help="octets of each mail")
    parser.add_argument("--history", type=int, default=1_000_000, help="mails of history, beside none")
    parser.add_argument("--queue", type=int, default=100_000, help="mails that wait while the provider is down")
    parser.add_argument("--only", choices=("relaying", "collecting", "growing"), help="one of the measurements")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/performance.md")
    chosen = parser.parse_args()
    load = Load(messages=chosen.messages, sessions=chosen.sessions, length=chosen.length)
    try:
        for name, lines in (
            ("relaying", compare(load, chosen.rounds)),
            ("collecting", collect.measure(chosen.rounds, 3 * chosen.messages, chosen.length)),
            ("growing", growth.measure(chosen.rounds, chosen.messages, history=chosen.history, queue=chosen.queue)),
        ):
            if chosen.only not in (None, name):
                continue
            figures = ""
            for figures in lines:
                print(figures, flush=True)
            if chosen.write:
                keep(name, f"{figures}\n{_versions()}\n")
    except pytest.skip.Exception as lack:
        print(f"The benchmark {lack}.", file=sys.stderr)
        return 1
    return 0


def compare(load: Load, count: int) -> Iterator[str]:
    """Run the rounds of relaying; gives a line for each, and the figures as Markdown at the end."""
    contestants: dict[str, tuple[Start, list[Round]]] = {"relay": (start_relay, []), "Postfix": (start_postfix, [])}
    for number in range(1, count + 1):
        for name, (start, rounds) in contestants.items():
            rounds.append(measure(start, load))
            yield (
                f"round {number}: {name}: accepted in {rounds[-1].accepted:.2f} s, "
                f"delivered in {rounds[-1].delivered:.2f} s"
            )
    yield "\n" + describe(load, *(rounds for _, rounds in contestants.values()))


def keep(name: str, figures: str) -> None:
    """Write figures into their place on the page."""
    page = _PAGE.read_text()
    _PAGE.write_text(re.sub(_BLOCK.format(name), lambda _: figures.lstrip("\n"), page))


if __name__ == "__main__":
    sys.exit(main())
