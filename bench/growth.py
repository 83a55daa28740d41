"""What a long queue and a long history cost: each size beside an empty database, in turns."""

import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relay.model.ids import make_id
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.peers.programs import submit_many
from tests.peers.relay_process import ROOT, RelayProcess, make_account, write_config
from tests.peers.sink import Sink

_HEADER = b"Received: from x\r\nFrom: sales@example.com\r\nSubject: a mail\r\nX-Pad: %s\r\n" % (b"p" * 300)
_BODY = b"0123456789" * 400
_DAY = 86_400_000
_BATCH = 20_000
_CONNECTIONS = 20


def fill(database: Path, count: int, *, queued: bool) -> None:
    """Write so many mails of the last 80 days into a database of ours: all delivered, or all waiting."""
    engine = open_engine(f"sqlite:///{database}")
    prepare_database(engine)
    engine.dispose()
    now = time.time_ns() // 1_000_000
    state, outcome = ("queued", "pending") if queued else ("done", "delivered")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for begin in range(0, count, _BATCH):
            moments = [now - 80 * _DAY + 79 * _DAY * n // count for n in range(begin, min(begin + _BATCH, count))]
            if queued:
                moments = [now - count + n for n in range(begin, min(begin + _BATCH, count))]
            ids = [(make_id(at, os.urandom(10)), make_id(at, os.urandom(10)), at) for at in moments]
            connection.executemany(
                'INSERT INTO message (id, received_at, "user", account, rule, reverse_path, header_message_id, subject,'
                " size, client, header, eightbit, smtputf8, notice, why)"
                " VALUES (?, ?, 'anna', 'sales', '1a', 'sales@example.com', ?, 'a mail', 4500, '192.0.2.9', ?, 0, 0, 0,"
                " '')",
                [(m, at, f"<{m}@example.com>", _HEADER) for m, _, at in ids],
            )
            connection.executemany(
                "INSERT INTO delivery (id, message_id, account, version, state, due, since, attempts, tried, uncertain,"
                " node, source) VALUES (?, ?, 'sales', 0, ?, ?, ?, ?, ?, 0, '', ?)",
                [
                    (d, m, state, at, at, not queued, not queued, f"anna 192.0.2.{n % 9}")
                    for n, (m, d, at) in enumerate(ids)
                ],
            )
            connection.executemany(
                "INSERT INTO recipient (message_id, n, delivery_id, address, kind, outcome)"
                " VALUES (?, 0, ?, 'customer@example.net', 'to', ?)",
                [(m, d, outcome) for m, d, _ in ids],
            )
            if queued:
                rows = [(m, _BODY) for m, _, _ in ids]
                connection.executemany("INSERT INTO content VALUES (?, 0, 0, ?)", rows)
            else:
                connection.executemany(
                    "INSERT INTO attempt VALUES (?, 1, ?, ?, 0.1, 250, '2.0.0', 'taken')",
                    [(d, d, at) for _, d, at in ids],
                )
            connection.commit()


def _config(folder: Path, port: int) -> Path:
    account = make_account("sales", port, archive=False, smtp={"connections": _CONNECTIONS})
    return write_config(folder, accounts=[account], limits={"keep_history": "3650 days"})


@dataclass(kw_only=True)
class Backlog:
    """What so many waiting mails cost."""

    count: int
    start: float = 0.0
    memory: int = 0
    listing: float = 0.0
    drained: float = 0.0
    """Mails a second."""


def backlog(count: int) -> Backlog:
    """Start on a queue of so many mails whose provider is down, look at it, then let the provider come back."""
    found = Backlog(count=count)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        fill(folder / "relay.db", count, queued=True)
        relay = RelayProcess(_config(folder, 9))
        began = time.monotonic()
        with relay:
            found.start = time.monotonic() - began
            relay.wait_for("account_unreachable")
            command = [sys.executable, "-m", "relay", "queue", "list", "-c", str(relay.config)]
            began = time.monotonic()
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            found.listing = time.monotonic() - began
            with Sink("-M", str(count), keep=False) as sink:
                _config(folder, sink.port)
                relay.reload()
                relay.wait_for("configuration_reloaded")
                began = time.monotonic()
                relay.run("queue", "run")
                sink.wait_for_end()
                found.drained = count / (time.monotonic() - began)
            found.memory = relay.memory()[1]
    return found


@dataclass(kw_only=True)
class Past:
    """How fast mail is taken on top of so much history: mails a second, by round."""

    count: int
    accepted: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


def accepting(past: Past, database: Path | None, messages: int) -> None:
    """Run one round on a copy of a database, or on none."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Sink("-M", str(messages), keep=False) as sink:
        folder = Path(name)
        if database is not None:
            (folder / "relay.db").hardlink_to(database)
        with RelayProcess(_config(folder, sink.port)) as relay:
            began = time.monotonic()
            done = submit_many(relay.port, messages=messages, sessions=20, length=4096)
            past.accepted.append(messages / (time.monotonic() - began))
            if done.status:
                raise RuntimeError(done.transcript)
            sink.wait_for_end()
            past.delivered.append(messages / (time.monotonic() - began))


def measure(rounds: int, messages: int, *, history: int, queue: int) -> Iterator[str]:
    """Measure both; gives a line for each step, and the figures as Markdown at the end."""
    pasts = [Past(count=0), Past(count=history)]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        database = Path(name) / "relay.db"
        fill(database, history, queued=False)
        for number in range(1, rounds + 1):
            for past in pasts:
                accepting(past, database if past.count else None, messages)
                yield f"round {number}: {past.count:,} mails of history: accepted {past.accepted[-1]:,.0f}/s"
    sizes = [max(1, queue // 100), queue // 10, queue]
    backlogs = []
    for size in sizes:
        backlogs.append(backlog(size))
        yield f"{size:,} mails waiting: {backlogs[-1]}"
    empty, full = (statistics.median(past.accepted) for past in pasts)
    rows = "".join(
        f"| {p.count:,} | {statistics.median(p.accepted):,.0f} | {statistics.median(p.delivered):,.0f} |\n"
        for p in pasts
    )
    waiting = "".join(
        f"| {b.count:,} | {b.start:.2f} | {b.memory / 1e6:,.0f} | {b.listing:.2f} | {b.drained:,.0f} |\n"
        for b in backlogs
    )
    sent = statistics.median(pasts[0].delivered)
    yield (
        f"\nMails of 4 KiB without a blind copy over 20 sessions; median of {rounds} rounds in turns.\n\n"
        f"| mails of history | accepted, mails/s | delivered, mails/s |\n|---|---|---|\n{rows}\n"
        f"With {history:,} mails of history {full / empty:.2f} of the rate with none.\n\n"
        "| mails waiting | start to listening, s | peak memory, MB | `relay queue list`, s | drained, mails/s |\n"
        f"|---|---|---|---|---|\n{waiting}\n"
        f"The longest backlog drains at {backlogs[-1].drained / sent:.2f} of the rate of an empty queue.\n"
    )
