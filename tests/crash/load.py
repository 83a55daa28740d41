"""The load of the crash proof: programs that hand in mail to several nodes, and a provider that takes it."""

import asyncio
import itertools
import smtplib
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from tests.peers.provider import Answers, Provider
from tests.peers.relay_process import RelayProcess

MOST: int = 200_000
"""Of the numbers of mails."""
_CLIENTS = 4
_REFUSED = 7
"""Every so many-th mail goes to an address that the provider refuses."""
_LARGE = 23
"""Every so many-th mail is of several chunks."""
_LATER = 11
"""Every so many-th mail's recipient is put off by the provider once; every so many-th + 1, the whole mail."""
_CAREFUL = 5
"""Every so many-th mail goes through an account that holds what is in doubt."""


class Clients:
    """Programs that hand in mail, whatever happens to the relay, and know which ones it took."""

    def __init__(self, nodes: Sequence[RelayProcess]) -> None:
        self._nodes = nodes
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._may = threading.Event()
        self._may.set()
        self._busy = 0
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        self.accepted: dict[int, str] = {}
        """Number of the mail -> its queue id."""
        for thread in self._threads:
            thread.start()

    @contextmanager
    def resting(self) -> Generator[None]:
        """Let nothing be handed in meanwhile."""
        self._may.clear()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
        try:
            yield
        finally:
            self._may.set()

    def end(self) -> None:
        """Hand in nothing more."""
        self._ended.set()
        self._may.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._ended.is_set():
            number = next(self._numbers)
            for node in itertools.count(number):
                if number in self.accepted or self._ended.is_set():
                    break
                self._may.wait()
                with self._changed:
                    self._busy += 1
                try:
                    self._submit(number, self._nodes[node % len(self._nodes)])
                except (OSError, smtplib.SMTPException):
                    self._ended.wait(0.01)  # cut off, or the relay is down: try again, as programs do
                finally:
                    with self._changed:
                        self._busy -= 1
                        self._changed.notify_all()

    def _submit(self, number: int, node: RelayProcess) -> None:
        with smtplib.SMTP("127.0.0.1", node.port, timeout=5) as smtp:
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
def provider() -> Generator[Provider]:
    """Run a provider in a thread of its own; it refuses the addresses that it must."""
    answers: dict[str, Answers] = {
        **{f"DOT n{n}@example.net": ["451 4.3.0 not now", "250 2.0.0 taken"] for n in range(1, MOST, _LATER)},
        **{f"RCPT n{n}@example.net": ["450 4.2.0 later", "250 2.1.5 ok"] for n in range(0, MOST, _LATER)},
        **{f"RCPT bad{n}@example.net": "550 5.1.1 no such user" for n in range(0, MOST, _REFUSED)},
    }
    served = Provider(answers)
    loop = asyncio.new_event_loop()
    ended: asyncio.Future[None] = loop.create_future()
    ready = threading.Event()

    async def serve() -> None:
        async with served:
            ready.set()
            await ended

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(ended.set_result, None)
        thread.join()
        loop.close()
