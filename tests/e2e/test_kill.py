"""kill -9 at 20 random moments while 500 mails are handed in: what got its 250 arrives, its archive copy too."""

import collections
import json
import random
import re
import smtplib
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from tests.peers.machine import wait_until
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.sink import Sink

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

_MAILS, _KILLS, _CLIENTS = 500, 20, 5
_LINES = 100
_ARCHIVE = "central@example.com"
_SEED = 20


class _Clients:
    """Programs that hand in mail without end, whatever happens to the relay, and know which ones it took."""

    def __init__(self, relay: RelayProcess) -> None:
        self._relay = relay
        self._numbers = iter(range(_MAILS))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        self.accepted: dict[int, str] = {}
        """Number of the mail -> its queue id."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (number := self._next()) is not None:
            while number not in self.accepted and not self._ended.is_set():
                try:
                    self._submit(number)
                except (OSError, smtplib.SMTPException):
                    self._ended.wait(0.01)  # cut off, or the relay is down: try again, as programs do

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _submit(self, number: int) -> None:
        with smtplib.SMTP("127.0.0.1", self._relay.port, timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail("sales@example.com")
            smtp.rcpt(f"n{number}@example.net")
            body = f"From: sales@example.com\r\nSubject: {number}\r\nMessage-ID: <{number}@test.example>\r\n\r\n"
            code, reply = smtp.data(body + f"mail {number}\r\n" * _LINES)
            if code == 250:
                self.accepted[number] = reply.decode().split()[-1]


def test_every_mail_that_got_its_250_arrives_with_its_archive_copy(tmp_path: Path) -> None:
    chance = random.Random(_SEED)
    with Sink() as sink:
        config = write_config(tmp_path, accounts=[make_account("sales", sink.port, smtp={"connections": 4})])
        with RelayProcess(config) as relay, _Clients(relay) as clients:
            for kill in range(1, _KILLS + 1):
                _kill_in_a_while(relay, clients, after=chance.random(), target=_MAILS * kill // (_KILLS + 1))
            wait_until(lambda: not clients.busy, what="all mails were handed in", timeout=120)
            _release_until_empty(relay)
            # What a kill cut off in the middle stands there, too, and is no mail: its dot never came.
            mails = [mail for mail in sink.mails if mail.body.count(b"\n") == _LINES]
            relay.stop()

    assert len(clients.accepted) == _MAILS
    copies: collections.Counter[str] = collections.Counter(address for mail in mails for address in mail.recipients)
    missing = [number for number in clients.accepted if not copies[f"n{number}@example.net"]]
    assert not missing
    archived = {mail.field("Message-ID")[0] for mail in mails if _ARCHIVE in mail.recipients}
    assert archived >= {b"<%d@test.example>" % number for number in clients.accepted}
    _check_duplicates_are_named(relay, [mail.field("Received")[0] for mail in mails])


def _kill_in_a_while(relay: RelayProcess, clients: _Clients, *, after: float, target: int) -> None:
    """Kill once the clients have come so far and a random part of a second has passed; then start again."""
    wait_until(lambda: len(clients.accepted) >= target or not clients.busy, what=f"{target} mails", timeout=60)
    moment = time.monotonic() + after * 0.1
    wait_until(lambda: time.monotonic() > moment, what="the moment")
    relay.kill()
    relay.start()


def _release_until_empty(relay: RelayProcess) -> None:
    """Be the postmaster: release what is held for a second doubt, until nothing waits any more."""

    def is_empty() -> bool:
        rows = json.loads(relay.run("queue", "list", "--json"))
        held = [row["message_id"] for row in rows if row["state"] == "held"]
        if held:
            relay.run("queue", "release", *held)
        return not rows

    wait_until(is_empty, what="the queue is empty", timeout=90)


def _check_duplicates_are_named(relay: RelayProcess, traces: list[bytes]) -> None:
    """A mail that arrived twice was logged as a possible duplicate: our Received field holds its queue id."""
    named = {line["queue_id"] for line in relay.find("possible_duplicate")}
    arrived = collections.Counter(re.findall(rb"\bid (\w+)", trace)[0].decode() for trace in traces)
    twice = {queue_id for queue_id, count in arrived.items() if count > 1}
    assert twice <= named
