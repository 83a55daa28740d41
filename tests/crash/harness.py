"""The service under load, killed and hurt again and again; then the receiver's side decides.

`python -m tests.crash.harness --kills 200` is `make crash`; with `--postgresql`, two nodes share a database. Each kill
is at a random moment or at a named point; the faults that end no process come after the kills, and heal by themselves.
Accepted = delivered + bounced.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, text

from relay.settings import load_settings
from relay.storage import admin
from relay.storage.engine import open_engine
from tests.crash import faults
from tests.crash.load import MOST, Clients, provider
from tests.crash.points import FREQUENT, NAMES, OF_FILES
from tests.crash.report import ARCHIVE, Report
from tests.peers.deliveries import Selection, list_deliveries
from tests.peers.machine import wait_until
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config
from tests.storage.conftest import postgresql_server

STOPPED = "a node that is stopped for longer than its lease"
LEASE = 20
"""Seconds for which a claim holds on PostgreSQL without being renewed: the shortest that may be configured."""
_LONGEST_LOOK = 60
_MOST_FAULTS = 60
"""Of a kind."""
_LOAD_UNDER_FAULTS = 30
"""Seconds in which these faults must have happened."""
_LONGEST_BACKLOG = 600
"""Seconds."""
_MOST_OPEN = 1_000
"""Mails that wait, above which the clients rest."""
_OFTEN = 10
"""Kills from one look at what waits to the next."""
_SLACK = 15
"""Seconds that the tests give to a busy machine."""

Configure = Callable[..., list[Path]]


def crash(
    folder: Path,
    *,
    kills: int,
    seed: int,
    database: str = "sqlite:///relay.db",
    nodes: int = 1,
    most_faults: int = _MOST_FAULTS,
) -> Report:
    """Kill the service so many times under load, hurt it, let it come to rest, and compare both sides."""
    chance, report = random.Random(seed), Report()
    names = [name for name in NAMES if nodes == 1 or name not in OF_FILES]
    with provider() as taker, contextlib.ExitStack() as stack:
        configure = partial(_configure, folder, nodes, taker.port, database)
        services = [RelayProcess(config) for config in configure()]
        for service in services:
            service.start()
            stack.callback(service.end)
        clients = Clients(services)
        stack.callback(clients.end)
        engine = open_engine(load_settings(services[0].config).database)
        for n in range(kills):
            service = services[n % nodes]
            # Two thirds of them at named points, each in its turn.
            point = names[(n - n // 3 - 1) % len(names)] if n % 3 else ""
            died = _kill_at(service, point, chance, taker, configure) if point else _kill(service, chance)
            report.kills[point or "a random moment"] += died
            if n % _OFTEN == _OFTEN - 1:
                _catch_up(engine, clients)
        for fault in faults.NAMES if most_faults else ():
            _hurt(services, clients, fault, most_faults, report, engine)
        if most_faults and nodes > 1:
            _stop_one(services, clients, report, engine)
        clients.end()
        _see_who_was_told(engine, report)
        engine.dispose()
        _release_until_empty(services[0])
        for service in services:
            service.stop()
        report.compare(clients.accepted, taker, folder / "inboxes" / "anna" / "new", services, _doubted(services[0]))
    return report


def _configure(folder: Path, nodes: int, port: int, database: str, **account: object) -> list[Path]:
    more = {"username": "u", "password": "p", "connections": 4, "recipients_per_day": 1_000_000}
    accounts = [
        make_account("sales", port, smtp=more, **account),
        make_account("careful", port, smtp=more, on_uncertain="hold"),
    ]
    storage: dict[str, object] = {"database": database, "inboxes": str(folder / "inboxes")}
    if nodes > 1:
        storage["lease"] = f"{LEASE} s"
    configs = []
    for n in range(nodes):
        home = folder / f"node{n}"
        home.mkdir(exist_ok=True)
        configs.append(
            write_config(
                home,
                accounts=accounts,
                users=[{**ANNA, "notify": "inbox"}],
                archive=[ARCHIVE],
                storage=storage,
                retry={"intervals": ["1 s"], "warn_after": "1 s"},
                limits={"drain_timeout": "1 s"},
            )
        )
    return configs


def _kill(relay: RelayProcess, chance: random.Random) -> bool:
    """Kill a running node, and start it again."""
    time.sleep(chance.random() * 0.3)
    relay.kill()
    relay.start()
    return True


def _kill_at(relay: RelayProcess, point: str, chance: random.Random, taker: Provider, configure: Configure) -> bool:
    """Let a node begin anew and die at a point; tells whether it died there. It runs then."""
    relay.kill()
    count = chance.randint(1, 12) if point in FREQUENT else 1
    with _hardship(point, relay, taker, configure):
        try:
            relay.start("tests.crash.points", point, str(count))
        except RuntimeError:
            died = True  # before it listened
        else:
            died = relay.wait_for_death(20)
    if not died:
        relay.kill()
    relay.start()
    return died


@contextmanager
def _hardship(point: str, relay: RelayProcess, taker: Provider, configure: Configure) -> Generator[None]:
    """Bring about what leads to a point, where the load alone does not."""
    if "refused login" in point:
        taker.answers["AUTH"] = "535 5.7.8 wrong"
        yield
        del taker.answers["AUTH"]
    elif "excluded" in point:
        configure(excluded=True)
        yield
        configure()
    elif "given back" in point:
        # It is told to stop while the provider is silent, and gives back what has not begun when its time is over.
        taker.answers["DATA"] = "silence"
        stopper = threading.Thread(target=_stop_when_it_hangs, args=(relay, len(taker.commands), taker))
        stopper.start()
        yield
        stopper.join()
        del taker.answers["DATA"]
    else:
        yield


def _stop_when_it_hangs(relay: RelayProcess, heard: int, taker: Provider) -> None:
    with contextlib.suppress(TimeoutError, OSError, AssertionError):
        wait_until(lambda: "DATA" in taker.commands[heard:], what="it hangs", timeout=10)
        os.kill(relay.pid, signal.SIGTERM)


def _hurt(
    services: Sequence[RelayProcess], clients: Clients, fault: str, most: int, report: Report, engine: Engine
) -> None:
    """Let the first node suffer faults that end no process; without a restart, all must come to rest behind them."""
    relay = services[0]
    record = relay.config.with_name(f"{fault}.faults")
    record.touch()
    relay.kill()
    relay.start("tests.crash.faults", fault, str(most), str(record))

    def happened() -> int:
        return len(record.read_text().split())

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: happened() >= most, what="the faults", timeout=_LOAD_UNDER_FAULTS)
    record.with_suffix(faults.OVER).touch()
    with clients.resting():
        report.rests[fault] = _rest(engine, longest=_LONGEST_LOOK)
    report.faults[fault] = happened()


def _stop_one(services: Sequence[RelayProcess], clients: Clients, report: Report, engine: Engine) -> None:
    """Stop a node in mid-air for longer than its lease: others take up what it had, and it finds out."""
    for relay in services:
        time.sleep(1)
        os.kill(relay.pid, signal.SIGSTOP)
        begun = time.monotonic()
        try:
            with clients.resting():
                report.rests[STOPPED] = max(
                    report.rests.get(STOPPED, 0.0), _rest(engine, longest=LEASE + _LONGEST_LOOK / 6)
                )
                time.sleep(max(0.0, begun + LEASE + 2 - time.monotonic()))
        finally:
            os.kill(relay.pid, signal.SIGCONT)
        report.faults[STOPPED] += 1


def _catch_up(engine: Engine, clients: Clients) -> None:
    """Let the clients rest while more waits than can be sent between two kills: a slow machine would not end."""
    if _count_open(engine) > _MOST_OPEN:
        with clients.resting():
            wait_until(lambda: _count_open(engine) < _MOST_OPEN // 2, what="the backlog", timeout=_LONGEST_BACKLOG)


def _rest(engine: Engine, *, longest: float) -> float:
    """Wait until nothing waits or is under way; gives the longest time in seconds in which nothing went on.

    Raises TimeoutError where that is too long. A backlog takes its time, but less of it is open again and again.
    """
    begun = time.monotonic()
    moved, left, still = begun, _count_open(engine), 0.0
    while left:
        time.sleep(0.05)
        now, count = time.monotonic(), _count_open(engine)
        if count < left:
            moved, left = now, count
        still = max(still, now - moved)
        if still > longest + _SLACK or now - begun > _LONGEST_BACKLOG:
            rows = list_deliveries(engine, Selection(states=("queued", "active")), limit=5)
            raise TimeoutError(f"{left} are open after {now - begun:.0f} s, {still:.0f} s without any progress: {rows}")
    return still


def _count_open(engine: Engine) -> int:
    with engine.connect() as connection:
        query = text("SELECT count(*) FROM delivery WHERE state IN ('queued', 'active') AND state <> 'done'")
        return int(connection.execute(query).scalar_one())


def _see_who_was_told(engine: Engine, report: Report) -> None:
    """Look, before the postmaster releases anything, whether each mail that is held for a doubt has its notice."""
    _rest(engine, longest=_LONGEST_LOOK)

    def all_are_told() -> bool:
        held = list_deliveries(engine, Selection(states=("held",)), limit=MOST)
        # Of mail that is held since its account is gone, the postmaster is told by account.
        doubted = {row.message_id for row in held if row.uncertain and not _is_orphaned(engine, row.message_id)}
        report.held = len(doubted)
        report.silent = sorted(one for one in doubted if not admin.show_message(engine, one).notices)
        return not report.silent

    with contextlib.suppress(TimeoutError):  # the report says who was not told
        wait_until(all_are_told, what="people are told", timeout=_LONGEST_LOOK)


def _doubted(relay: RelayProcess) -> set[str]:
    """Give the mails whose history, as `relay trace` shows it, says that they may have been sent twice."""
    engine = open_engine(load_settings(relay.config).database)
    with engine.connect() as connection:
        found = connection.scalars(text("SELECT message_id FROM event WHERE what = 'possible_duplicate'")).all()
    engine.dispose()
    return set(found)


def _is_orphaned(engine: Engine, message_id: str) -> bool:
    return any("gone or excluded" in event.detail for event in admin.show_message(engine, message_id).events)


def _release_until_empty(relay: RelayProcess) -> None:
    """Be the postmaster: release what is held for a second doubt, until nothing waits any more."""

    def is_empty() -> bool:
        rows = json.loads(relay.run("queue", "list", "--json"))
        if any("held" in (row["state"], row["blind_copy"]) for row in rows):
            relay.run("queue", "release", "--all", "--yes")
        return not rows

    wait_until(is_empty, what="the queue is empty", timeout=300)


@contextmanager
def _database(*, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield "sqlite:///relay.db"
        return
    with tempfile.TemporaryDirectory() as folder, postgresql_server(Path(folder)) as url:
        yield url


def main() -> None:
    """Run it from the command line; status 1 where anything is lost, or twice without a name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--postgresql", action="store_true", help="two nodes on a PostgreSQL of its own")
    chosen = parser.parse_args()
    print(f"{chosen.kills} kills, seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, _database(postgresql=chosen.postgresql) as database:
        report = crash(
            Path(folder), kills=chosen.kills, seed=chosen.seed, database=database, nodes=2 if chosen.postgresql else 1
        )
        if report.is_bad:
            kept = shutil.copytree(folder, tempfile.mkdtemp(prefix="crash-"), dirs_exist_ok=True)
            print(f"{kept} has what they wrote; lost {report.lost}, unnamed {report.unnamed}, silent {report.silent}")
    print(report)
    if report.is_bad:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
