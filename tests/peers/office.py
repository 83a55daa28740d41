"""An office in one process: the real settings, queue, rules and delivery, with a clock that the test moves."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from relay.accounts.credentials import Credentials
from relay.delivery import Delivery
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.rules.address import parse_addr_spec
from relay.runtime import Runtime
from relay.settings import Settings, load_settings
from relay.storage import admin
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from relay.submission import Submission
from relay.upstream.transaction import TIMEOUTS, Timeouts
from tests.peers.deliveries import DeliveryRow, Selection, list_deliveries
from tests.peers.relay_process import ANNA, make_account, write_config

MINUTE = 60_000
START = 1_780_000_000_000
"""Thursday, 28 May 2026, 22:26 in Berlin."""
CLIENT = Client(ip=ip_address("192.0.2.9"), helo="scanner.lan", default_user="anna")


class Office:
    """What the supervisor builds, without listeners and signals."""

    def __init__(self, folder: Path, settings: Settings, engine: Engine, queue: Queue) -> None:
        self.folder = folder
        self.settings = settings
        self.engine = engine
        self.queue = queue
        self.now = START
        self.randoms = [0.5]
        """The random numbers, in turn."""
        self.skew = 0
        """Milliseconds by which the wall clock is ahead of the time that has passed."""
        self.timeouts = TIMEOUTS
        self.credentials = Credentials(queue.fingerprint_key)
        self._build()

    def _build(self) -> None:
        runtime = Runtime(
            settings=lambda: self.settings,
            queue=self.queue,
            credentials=self.credentials,
            now=lambda: self.now,
            monotonic=lambda: (self.now - START - self.skew) / 1000 + time.perf_counter(),
            random=self._random,
            timeouts=self.timeouts,
        )
        self.delivery = Delivery(runtime)
        self.submission = Submission(runtime, self.delivery)

    def _random(self) -> float:
        self.randoms.append(self.randoms.pop(0))
        return self.randoms[-1]

    def log_in_with(self, credentials: Credentials) -> None:
        """Use other credentials towards providers."""
        self.credentials = credentials
        self._build()

    def shorten_timeouts(self, timeouts: Timeouts) -> None:
        """Use other timeouts towards providers."""
        self.timeouts = timeouts
        self._build()

    async def hand_in(
        self,
        *to: str,
        sender: str = "sales@example.com",
        header: str | None = None,
        body: Sequence[bytes] = (b"hello\r\n",),
        reverse_path: str | None = "who@cares.example",
        client: Client = CLIENT,
        **asked: Any,  # noqa: ANN401 - RET, ENVID and wishes of the envelope
    ) -> Reply:
        """Hand a mail in, as a session does."""
        block = header if header is not None else f"From: {sender}\nSubject: a mail\n"
        envelope = Envelope(
            reverse_path=None if reverse_path is None else parse_addr_spec(reverse_path),
            recipients=tuple(parse_addr_spec(one) for one in to or ("customer@example.net",)),
            **asked,
        )
        incoming = self.submission.begin(envelope, client, show_client=False)
        await incoming.header(block.replace("\n", "\r\n").encode())
        for chunk in body:
            await incoming.body(chunk)
        return await incoming.finish()

    async def send(self) -> None:
        """Let everything that is due now be attempted."""
        await self.delivery.run_until_idle()

    async def pass_time(self, milliseconds: int) -> None:
        """Move the clock, and do what is due then."""
        self.now += milliseconds
        await self.send()

    async def set_clock(self, milliseconds: int) -> None:
        """Set the wall clock forwards or backwards while no time passes, and look at the queue."""
        self.skew += milliseconds
        await self.pass_time(milliseconds)

    def waiting(self, *states: str) -> list[DeliveryRow]:
        """Give the deliveries in these states; default: all but done."""
        return list_deliveries(self.engine, Selection(states=states or ("queued", "active", "held")))

    def outcomes(self, queue_id: str) -> dict[str, str]:
        """Give what became of each recipient of a mail."""
        detail = admin.show_message(self.engine, queue_id)
        return {r.address: r.outcome for delivery in detail.deliveries for r in delivery.recipients}

    def inbox(self, user: str = "anna") -> list[bytes]:
        """Give the mails in a user's Maildir."""
        return [path.read_bytes() for path in sorted((self.settings.inboxes / user / "new").glob("*"))]

    def configure(self, **tables: Any) -> None:  # noqa: ANN401 - a table of the configuration
        """Write another configuration, and read it as a reload does."""
        self.settings = load_settings(_write(self.folder, tables))

    async def restart(self) -> None:
        """Build everything anew over the same database, as after a crash."""
        await self.delivery.drain(0)
        await self.close()
        self.engine = open_engine(self.settings.database)
        self.queue = Queue(self.engine, Writer(self.engine))
        self._build()
        await self.delivery.recover()

    async def close(self) -> None:
        """End it in good order."""
        await self.delivery.drain(1)
        await self.queue.close()
        self.engine.dispose()


def _write(folder: Path, tables: dict[str, Any]) -> Path:
    port = tables.pop("port", 9)
    more = tables.pop("account", {})
    accounts = tables.pop("accounts", [make_account("sales", port, **more)])
    defaults = {"users": [{**ANNA, "notify": "inbox"}], "retry": {"intervals": ["1 min", "5 min"]}}
    return write_config(folder, **{"accounts": accounts, **defaults, **tables})


@asynccontextmanager
async def open_office(folder: Path, **tables: Any) -> AsyncGenerator[Office]:  # noqa: ANN401 - see above
    """Open an office whose account `sales` sends to `port`; `account={...}` adds to it, other tables are replaced."""
    settings = load_settings(_write(folder, tables))
    engine = open_engine(settings.database)
    await asyncio.to_thread(prepare_database, engine)
    office = Office(folder, settings, engine, Queue(engine, Writer(engine)))
    try:
        yield office
    finally:
        await office.close()
