"""How long a second session waits while somebody sends hostile input: `python -m tests.siege.siege` is `make siege`.

The real service, through its real port, with a provider, a mailbox, an archive and the stripping of TIFFs. Each input
is sent once; the wait is measured until its mail has left, or was refused, or its mailbox was collected.
"""

import argparse
import contextlib
import itertools
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.peers.machine import wait_until
from tests.peers.relay_process import ANNA, ROOT, RelayProcess, make_account, write_config
from tests.peers.sink import Sink
from tests.siege import inputs
from tests.siege.inputs import MIB, Hostile
from tests.siege.servers import HostileMailbox, HostileProvider

_FATE = ("message_delivered", "message_bounced", "delivery_deferred", "message_failed", "message_held")
_LONGEST = 240.0
"""Seconds that one input may take in all."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What one input did to the second session."""

    name: str
    octets: int
    answer: str
    """The last reply that the attacker got, or what became of it."""
    seconds: float
    """Until the service was done with it."""
    longest: float
    """The second session's longest wait for a reply, in seconds."""

    def __str__(self) -> str:
        """Give a line of the table."""
        return f"{self.longest * 1000:8.0f} ms  {self.seconds:6.2f} s  {self.octets:>10,}  {self.name}: {self.answer}"


class Siege:
    """A service under siege; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(Sink(keep=False))
            self._provider = stack.enter_context(HostileProvider())
            self._mailbox = stack.enter_context(HostileMailbox())
            sales = make_account("sales", sink.port)
            bad = make_account("bad", self._provider.port)
            pop3 = {"host": "127.0.0.1", "port": self._mailbox.port, "security": "none", "username": "anna"}
            shop = make_account("shop", sink.port, pop3={
                **pop3, "password": "p", "distribute": True, "interval": "1 h", "envelope_header": "Delivered-To",
            })  # fmt: skip
            config = write_config(
                self._folder,
                accounts=[sales, bad, shop],
                users=[{**ANNA, "notify": "inbox"}],
                archive={"bcc": ["central@example.com"], "strip_tiff": True},
                listener={"max_message_size": "100 MiB"},
                retry={"intervals": ["1 s"], "give_up_after": "1 s"},
            )
            self.relay = stack.enter_context(RelayProcess(config))
            command = [sys.executable, "-m", "tests.siege.neighbour", str(self.relay.port)]
            self._neighbour = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(self._neighbour.kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def send_mail(self, hostile: Hostile) -> Wait:
        """Hand in a mail; its fate is waited for."""
        with self._measured(hostile) as done:
            with self._session() as client:
                client.say(b"MAIL FROM:<sales@example.com>\r\n")
                client.say(b"RCPT TO:<customer@example.net>\r\n")
                client.say(b"DATA\r\n")
                data = hostile.data if b"\r\n\r\n" in hostile.data else hostile.data + b"\r\nhello\r\n"
                answer = client.say(data + b".\r\n")
            queued = re.search(rb"queued as (\w+)", answer)
            if queued:
                self._wait_for_fate(queued[1].decode())
        return done(answer)

    def send_command(self, hostile: Hostile) -> Wait:
        """Say twenty hostile commands at once."""
        with self._measured(hostile) as done, self._session() as client:
            if hostile.data.startswith(b"RCPT"):
                client.say(b"MAIL FROM:<sales@example.com>\r\n")
            answer = client.say(hostile.data * 20 + b"QUIT\r\n", until_closed=True)
        return done(answer)

    def meet_provider(self, hostile: Hostile, step: str) -> Wait:
        """Send a mail through a provider that answers so."""
        self._provider.step, self._provider.answer = step, hostile.data
        with self._measured(hostile) as done:
            with self._session() as client:
                client.say(b"MAIL FROM:<bad@example.com>\r\n")
                client.say(b"RCPT TO:<customer@example.net>\r\n")
                client.say(b"DATA\r\n")
                answer = client.say(b"From: bad@example.com\r\nSubject: s\r\n\r\nhello\r\n.\r\n")
            queued = re.search(rb"queued as (\w+)", answer)
            assert queued is not None, answer
            self.relay.run("queue", "run", check=False)
            fate = self._wait_for_fate(queued[1].decode())
        self._provider.step = ""
        return done(fate.encode())

    def collect(self, hostile: Hostile, step: str) -> Wait:
        """Collect from a mailbox that answers so."""
        self._mailbox.step, self._mailbox.answer = step, hostile.data
        with self._measured(hostile) as done:
            answer = self.relay.run("poll", "shop", check=False, timeout=_LONGEST)
        self._mailbox.step = ""
        return done(answer.encode())

    @contextmanager
    def _measured(self, hostile: Hostile) -> Generator[Callable[[bytes], Wait]]:
        self._look()
        begun = time.perf_counter()
        longest = seconds = 0.0

        def done(answer: bytes) -> Wait:
            text = answer.decode("ascii", "replace").strip().splitlines()
            return Wait(hostile.name, len(hostile.data), text[-1][:60] if text else "", seconds, longest)

        yield done
        seconds = time.perf_counter() - begun
        longest = self._look()

    def _look(self) -> float:
        assert self._neighbour.stdin is not None
        assert self._neighbour.stdout is not None
        self._neighbour.stdin.write("\n")
        self._neighbour.stdin.flush()
        return float(self._neighbour.stdout.readline().split()[0])

    @contextmanager
    def _session(self) -> Generator["_Client"]:
        client = _Client(self.relay.port)
        try:
            yield client
        finally:
            client.close()

    def _wait_for_fate(self, queue_id: str) -> str:
        def fate() -> str:
            found = [line for name in _FATE for line in self.relay.find(name, queue_id=queue_id)]
            return str(found[-1]["event"]) if found else ""

        try:
            return wait_until(fate, what="its fate", timeout=30)
        except TimeoutError:
            return "nothing became of it within 30 s"


class _Client:
    """An attacker's session."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_LONGEST)
        self._socket.recv(4096)
        self.say(b"EHLO attacker.example\r\n")

    def say(self, data: bytes, *, until_closed: bool = False) -> bytes:
        """Send something; gives the reply, or what came until the other side closed. Never raises OSError."""
        answer = b""
        with contextlib.suppress(OSError):
            self._socket.sendall(data)
        with contextlib.suppress(OSError):
            while more := self._socket.recv(1 << 16):
                answer += more
                if not until_closed and re.search(rb"(?m)^\d\d\d [^\n]*\n\Z", answer):
                    break
        return answer

    def close(self) -> None:
        """Go away."""
        self._socket.close()


def besiege(siege: Siege, *, header: int, body: int, reply: int, every: int = 1, only: str = "") -> Iterator[Wait]:
    """Send the hostile inputs whose name has a text, of headers and commands every so many-th, with so many octets."""
    sized = [inputs.headers(header), inputs.commands()]
    for send, hostiles in zip((siege.send_mail, siege.send_command), sized, strict=True):
        for hostile in itertools.islice(hostiles, 0, None, every):
            if only in hostile.name:
                yield send(hostile)
    for hostile in inputs.bodies(body):
        if only in hostile.name:
            yield siege.send_mail(hostile)
    for hostile, step in inputs.provider_replies(reply):
        if only in hostile.name:
            yield siege.meet_provider(hostile, step)
    for hostile, step in inputs.mailbox_answers(body):
        if only in hostile.name:
            yield siege.collect(hostile, step)


def main() -> None:
    """Send all, and print the table, the longest waits last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="send only every so many-th header and command")
    parser.add_argument("--body", type=int, default=75, help="MiB of a body and of a mailbox's answer")
    parser.add_argument("--all", action="store_true", help="print every line, in place of the longest 40")
    parser.add_argument("--only", default="", help="only those whose name has this")
    chosen = parser.parse_args()
    waits = []
    with tempfile.TemporaryDirectory() as folder, Siege(Path(folder)) as siege:
        sizes = {"header": inputs.HEADER, "body": chosen.body * MIB, "reply": 16 * MIB}
        for wait in besiege(siege, **sizes, every=chosen.every, only=chosen.only):
            waits.append(wait)
            if wait.longest > 0.1:
                print(wait, flush=True)
    waits.sort(key=lambda wait: wait.longest)
    print(f"\n{len(waits)} inputs; the second session's longest wait, the time in all, octets, input, answer:")
    for wait in waits if chosen.all else waits[-40:]:
        print(wait)
    beyond = sum(wait.longest > 0.1 for wait in waits)
    print(f"median {waits[len(waits) // 2].longest * 1000:.0f} ms, longest {waits[-1].longest * 1000:.0f} ms,"
          f" {beyond} beyond 100 ms")  # fmt: skip
    raise SystemExit(bool(beyond))


if __name__ == "__main__":
    main()
