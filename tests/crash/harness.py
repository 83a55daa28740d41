"""The service under load, killed again and again; then the receiver's side decides: accepted = delivered + bounced.

`python -m tests.crash.harness --kills 200` is `make crash`. Each kill is at a random moment or at a named point.
"""

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import os
import random
import re
import signal
import smtplib
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from relay.settings import load_settings
from relay.storage import admin
from relay.storage.engine import open_engine
from tests.crash.points import FREQUENT, NAMES
from tests.peers.machine import wait_until
from tests.peers.provider import Answers, Provider
from tests.peers.relay_process import ANNA, RelayProcess, make_account, write_config

_CLIENTS = 4
_ARCHIVE = "central@example.com"
_REFUSED = 7
"""Every so many-th mail goes to an address that the provider refuses."""
_LARGE = 23
"""Every so many-th mail is of several chunks."""
_LATER = 11
"""Every so many-th mail's recipient is put off by the provider once; every so many-th + 1, the whole mail."""
_CAREFUL = 5
"""Every so many-th mail goes through an account that holds what is in doubt."""
_MOST = 200_000


@dataclass(kw_only=True)
class Report:
    """What became of everything."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    """By where the process died."""
    accepted: int = 0
    delivered: int = 0
    bounced: int = 0
    lost: list[str] = field(default_factory=list)
    copies_lost: list[str] = field(default_factory=list)
    twice: int = 0
    """Mails that arrived more than once."""
    unnamed: list[str] = field(default_factory=list)
    """Those of them that no `possible_duplicate` names."""
    deferred: int = 0
    """Attempts that were put off."""
    held: int = 0
    silent: list[str] = field(default_factory=list)
    """Mails that are held for a doubt, and nobody was told."""

    def __str__(self) -> str:
        """Say it in a few lines."""
        places = "\n".join(f"  {count:4} {place}" for place, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} kills:\n{places}\n"
            f"{self.accepted} accepted = {self.delivered} delivered + {self.bounced} bounced; {len(self.lost)} lost,"
            f" {len(self.copies_lost)} archive copies lost;"
            f" {self.twice} arrived twice, {len(self.unnamed)} of them not named as possible;"
            f" {self.deferred} attempts put off; {self.held} held for a doubt, {len(self.silent)} of them in silence"
        )


class _Clients:
    """Programs that hand in mail without end, whatever happens to the relay, and know which ones it took."""

    def __init__(self, relay: RelayProcess) -> None:
        self._relay = relay
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        self.accepted: dict[int, str] = {}
        """Number of the mail -> its queue id."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._ended.is_set():
            number = next(self._numbers)
            while number not in self.accepted and not self._ended.is_set():
                try:
                    self._submit(number)
                except (OSError, smtplib.SMTPException):
                    self._ended.wait(0.01)  # cut off, or the relay is down: try again, as programs do

    def _submit(self, number: int) -> None:
        with smtplib.SMTP("127.0.0.1", self._relay.port, timeout=20) as smtp:
            smtp.ehlo()
            sender = "careful@example.com" if number % _CAREFUL == 0 else "sales@example.com"
            smtp.mail(sender)
            smtp.rcpt(address_of(number))
            header = f"From: {sender}\r\nSubject: {number}\r\nMessage-ID: <{number}@test.example>\r\n\r\n"
            code, reply = smtp.data(header + f"mail {number}\r\n" * (60_000 if number % _LARGE == 0 else 20))
            if code == 250:
                self.accepted[number] = reply.decode().split()[-1]
            else:
                self._ended.wait(0.05)  # its account is excluded just now


def address_of(number: int) -> str:
    """Give the recipient of a mail."""
    return f"bad{number}@example.net" if number % _REFUSED == 0 else f"n{number}@example.net"


@contextmanager
def _provider() -> Generator[Provider]:
    """Run a provider in a thread of its own; it refuses the addresses that it must."""
    answers: dict[str, Answers] = {
        **{f"DOT n{n}@example.net": ["451 4.3.0 not now", "250 2.0.0 taken"] for n in range(1, _MOST, _LATER)},
        **{f"RCPT n{n}@example.net": ["450 4.2.0 later", "250 2.1.5 ok"] for n in range(0, _MOST, _LATER)},
        **{f"RCPT bad{n}@example.net": "550 5.1.1 no such user" for n in range(0, _MOST, _REFUSED)},
    }
    provider = Provider(answers)
    loop = asyncio.new_event_loop()
    ended: asyncio.Future[None] = loop.create_future()
    ready = threading.Event()

    async def serve() -> None:
        async with provider:
            ready.set()
            await ended

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(ended.set_result, None)
        thread.join()
        loop.close()


def crash(folder: Path, *, kills: int, seed: int, database: str = "sqlite:///relay.db") -> Report:
    """Kill the service so many times under load, let it come to rest, and compare both sides."""
    chance, report = random.Random(seed), Report()
    with _provider() as provider:
        configure = partial(_configure, folder, provider.port, database)
        relay = RelayProcess(configure())
        relay.start()
        clients = _Clients(relay)
        for n in range(kills):
            # Two thirds of them at named points, each in its turn.
            point = NAMES[(n - n // 3 - 1) % len(NAMES)] if n % 3 else ""
            died = _kill_at(relay, point, chance, provider, configure) if point else _kill(relay, chance)
            report.kills[point or "a random moment"] += died
        clients.end()
        _see_who_was_told(relay, report)
        _release_until_empty(relay)
        relay.stop()
        _compare(report, clients.accepted, provider, folder, relay)
    return report


def _configure(folder: Path, port: int, database: str, **account: object) -> Path:
    more = {"username": "u", "password": "p", "connections": 4, "recipients_per_day": 1_000_000}
    accounts = [
        make_account("sales", port, smtp=more, **account),
        make_account("careful", port, smtp=more, on_uncertain="hold"),
    ]
    return write_config(
        folder,
        accounts=accounts,
        users=[{**ANNA, "notify": "inbox"}],
        storage={"database": database},
        retry={"intervals": ["1 s"], "warn_after": "1 s"},
        limits={"drain_timeout": "1 s"},
    )


def _kill(relay: RelayProcess, chance: random.Random) -> bool:
    """Kill the running service, and start it again."""
    time.sleep(chance.random() * 0.3)
    relay.kill()
    relay.start()
    return True


def _kill_at(
    relay: RelayProcess, point: str, chance: random.Random, provider: Provider, configure: Callable[..., Path]
) -> bool:
    """Let the service begin anew and die at a point; tells whether it died there. It runs then."""
    relay.kill()
    count = chance.randint(1, 12) if point in FREQUENT else 1
    with _hardship(point, relay, provider, configure):
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
def _hardship(point: str, relay: RelayProcess, provider: Provider, configure: Callable[..., Path]) -> Generator[None]:
    """Bring about what leads to a point, where the load alone does not."""
    if "refused login" in point:
        provider.answers["AUTH"] = "535 5.7.8 wrong"
        yield
        del provider.answers["AUTH"]
    elif "excluded" in point:
        configure(excluded=True)
        yield
        configure()
    elif "given back" in point:
        # It is told to stop while the provider is silent, and gives back what has not begun when its time is over.
        provider.answers["DATA"] = "silence"
        stopper = threading.Thread(target=_stop_when_it_hangs, args=(relay, len(provider.commands), provider))
        stopper.start()
        yield
        stopper.join()
        del provider.answers["DATA"]
    else:
        yield


def _stop_when_it_hangs(relay: RelayProcess, heard: int, provider: Provider) -> None:
    with contextlib.suppress(TimeoutError, OSError, AssertionError):
        wait_until(lambda: "DATA" in provider.commands[heard:], what="it hangs", timeout=10)
        os.kill(relay.pid, signal.SIGTERM)


def _see_who_was_told(relay: RelayProcess, report: Report) -> None:
    """Look, before the postmaster releases anything, whether each mail that is held for a doubt has its notice."""
    wait_until(lambda: '"active"' not in relay.run("queue", "list", "--json"), what="nothing is under way", timeout=60)
    engine = open_engine(load_settings(relay.config).database)
    held = admin.list_deliveries(engine, admin.Selection(states=("held",)), limit=_MOST)
    # Of mail that is held since its account is gone, the postmaster is told by account.
    doubted = {row.message_id for row in held if row.uncertain and not _is_homeless(engine, row.message_id)}
    report.held = len(doubted)
    report.silent = sorted(one for one in doubted if not admin.show_message(engine, one).notices)
    engine.dispose()


def _is_homeless(engine: Engine, message_id: str) -> bool:
    return any("gone or excluded" in event.detail for event in admin.show_message(engine, message_id).events)


def _release_until_empty(relay: RelayProcess) -> None:
    """Be the postmaster: release what is held for a second doubt, until nothing waits any more."""

    def is_empty() -> bool:
        rows = json.loads(relay.run("queue", "list", "--json"))
        if any(row["state"] == "held" for row in rows):
            relay.run("queue", "release", "--all", "--yes")
        return not rows

    wait_until(is_empty, what="the queue is empty", timeout=300)


def _compare(report: Report, accepted: dict[int, str], provider: Provider, folder: Path, relay: RelayProcess) -> None:
    notices = [path.read_bytes() for path in (folder / "inboxes" / "anna" / "new").iterdir()]
    failed = rb"Final-Recipient: rfc822; (\S+)\r?\nAction: failed"
    bounced = {found.decode() for notice in notices for found in re.findall(failed, notice)}
    delivered = {address for mail in provider.mails for address in mail.recipients}
    archived = {
        found[1].decode()
        for mail in provider.mails
        if _ARCHIVE in mail.recipients and (found := re.search(rb"Message-ID: <(\d+)@test", mail.data))
    }
    named = {line["queue_id"] for line in relay.find("possible_duplicate")}
    arrivals: collections.Counter[tuple[str, str]] = collections.Counter()
    for mail in provider.mails:
        found = re.search(rb"\bid (\w+)", mail.data)
        if found:
            arrivals.update((found[1].decode(), address) for address in mail.recipients)
    twice = {queue_id for (queue_id, _), count in arrivals.items() if count > 1}
    report.accepted = len(accepted)
    report.delivered = sum(address_of(number) in delivered for number in accepted)
    report.bounced = sum(address_of(number) in bounced for number in accepted)
    report.lost = [address_of(n) for n in accepted if address_of(n) not in delivered | bounced]
    report.copies_lost = [str(n) for n in accepted if str(n) not in archived]
    report.deferred = len(relay.find("delivery_deferred"))
    report.twice, report.unnamed = len(twice), sorted(twice - named)


def main() -> None:
    """Run it from the command line; status 1 where anything is lost, or twice without a name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{chosen.kills} kills, seed {chosen.seed}")
        report = crash(Path(folder), kills=chosen.kills, seed=chosen.seed)
    print(report)
    if report.lost or report.copies_lost or report.unnamed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
