import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from structlog.testing import capture_logs

from relay.collection.plan import plan_poll
from relay.model.account import FirstPoll, MailboxServer, Security
from relay.model.destination import to_inbox
from relay.model.errors import StorageError
from relay.model.mail import RecipientKind
from relay.model.maildrop import FolderListing, Listed, MessageKey, Seen
from relay.storage import arrivals
from relay.storage.columns import metadata
from relay.storage.engine import open_engine, transaction
from relay.storage.mailboxes import Mailboxes, find_seen, read_mailboxes
from relay.storage.queue import Queue
from relay.storage.upgrade import VERSION, prepare_database, require_database, schema_of
from relay.storage.writer import Writer
from tests.peers.deliveries import Selection, list_deliveries
from tests.storage.conftest import NOW, SALES, new_copies

RELEASED = Path(__file__).parent / "released"


def test_all_tables_are_there_and_a_second_time_changes_nothing(engine: Engine) -> None:
    prepare_database(engine)
    assert {*metadata.tables} <= {*inspect(engine).get_table_names()}


def test_a_newer_database_is_refused(url: str) -> None:
    engine = open_engine(url)
    prepare_database(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = '99' WHERE key = 'schema'"))
    with pytest.raises(StorageError, match="newer"):
        prepare_database(engine)
    engine.dispose()


def test_who_only_wants_to_read_makes_and_upgrades_nothing(url: str) -> None:
    engine = open_engine(url)
    with pytest.raises(StorageError, match="no database yet"):
        require_database(engine)
    assert inspect(engine).get_table_names() == []
    _load(engine, 1)
    with pytest.raises(StorageError, match="older release"):
        require_database(engine)
    assert "event" not in inspect(engine).get_table_names()
    prepare_database(engine)
    require_database(engine)
    engine.dispose()


def test_two_may_start_at_once(url: str) -> None:
    engine = open_engine(url)
    errors: list[BaseException] = []

    def create() -> None:
        try:
            prepare_database(engine)
        except BaseException as error:  # noqa: BLE001 - the test reads it
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    engine.dispose()


def test_every_released_schema_is_here() -> None:
    for dialect in ("sqlite", "postgresql"):
        assert {int(path.name.split(".")[0]) for path in RELEASED.glob(f"*.{dialect}.sql")} == {*range(1, VERSION)}


@pytest.mark.parametrize("schema", range(1, VERSION))
async def test_a_released_database_is_upgraded_and_goes_on(url: str, tmp_path: Path, schema: int) -> None:
    engine = open_engine(url)
    _load(engine, schema)
    with capture_logs() as lines:
        prepare_database(engine)
    assert {
        "event": "database_upgraded",
        "schema_before": schema,
        "schema_after": VERSION,
        "log_level": "info",
    } in lines
    with transaction(engine, write=False) as tx:
        assert schema_of(tx) == VERSION
    assert _shape(engine) == _shape_of_new(url, engine, tmp_path)
    writer = Writer(engine)
    await _collect(engine, writer)
    queue = Queue(engine, writer)
    (recovered,) = await queue.recover(now=1)
    assert recovered.message.subject == "mail 3"
    claimed = [await queue.claim(SALES, now=1_790_000_000_000, limit=1, open_now=True) for _ in range(3)]
    assert [d.message.subject for several in claimed for d in several] == ["mail 3", "mail 1"]
    assert [r.address for r in claimed[1][0].recipients] == ["customer@example.net", "central@example.com"]
    assert {row.state for row in list_deliveries(engine, Selection(states=("held",)))} == {"held"}
    await queue.close()
    engine.dispose()


async def test_what_an_older_release_has_for_inboxes_goes_into_them(url: str) -> None:
    engine = open_engine(url)
    _load(engine, 4)
    prepare_database(engine)
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT DISTINCT destination FROM delivery ORDER BY destination") == [
            ("account:other",),
            ("account:sales",),
            ("inbox:anna",),
            ("inbox:bert",),
        ]
        assert tx.raw("SELECT count(*) FROM attempt")[0][0] == 3
    queue = Queue(engine, Writer(engine))
    (notice,) = await queue.claim(to_inbox("anna"), now=1_790_000_000_000, limit=9, open_now=True)
    assert [(one.address, one.kind) for one in notice.recipients] == [("anna", RecipientKind.INBOX)]
    # Later kinds need no new table.
    with transaction(engine, write=True) as tx:
        tx.raw("UPDATE recipient SET kind = 'sent' WHERE n = 0")
    await queue.close()
    engine.dispose()


async def test_what_an_older_release_has_seen_of_a_mailbox_is_neither_fetched_nor_left_out(url: str) -> None:
    engine = open_engine(url)
    _load(engine, 4)
    prepare_database(engine)
    with transaction(engine, write=False) as tx:
        known = read_mailboxes(tx)["sales"]
    assert (known.hosts, known.folders, known.last_ok) == (("pop.example.net",), {"": ""}, 1780000000000)
    writer = Writer(engine)
    seen = await Mailboxes(engine, writer).seen("sales")
    await writer.close()
    assert seen == {
        MessageKey("left alone"): Seen(first_seen=1779000000000, fetched=False),
        MessageKey("uid-0"): Seen(first_seen=1779000000000, gone_at=1780000000001),
        MessageKey("uid-1"): Seen(first_seen=1780000000000),
    }
    server = MailboxServer(
        host="pop.example.net", port=1, security=Security.NONE, username="sales", first_poll=FirstPoll.NEW
    )
    listed = [Listed(n=n, key=MessageKey(uid), size=1) for n, uid in enumerate(("left alone", "uid-1", "uid-2"), 1)]
    plan = plan_poll([FolderListing(messages=listed)], known, seen, server=server, now=NOW)
    assert (plan.is_new, plan.skip) == (False, ())
    assert ([one.key.uid for one in plan.fetch], [one.key.uid for one in plan.delete]) == (["uid-2"], ["uid-1"])
    (copy,) = arrivals.find_arrivals(engine, "uid-0")
    was_seen = find_seen(engine, copy)
    assert was_seen is not None
    assert was_seen.gone_at == 1780000000001
    engine.dispose()


async def _collect(engine: Engine, writer: Writer) -> None:
    """What was fetched before stays known, and what comes is kept."""
    mailboxes = Mailboxes(engine, writer)
    seen = await mailboxes.seen("sales")
    assert seen[MessageKey("uid-1")].fetched
    assert await mailboxes.acquire("sales", "t")
    (copy,) = new_copies("uid-2")
    await mailboxes.record("sales", "t", [MessageKey("uid-2")], now=NOW, arrivals=[copy])
    with transaction(engine, write=False) as tx:
        assert [row[0] for row in tx.raw("SELECT uidl FROM arrival WHERE uidl = 'uid-2'")] == ["uid-2"]
    await mailboxes.release("sales", "t")


def test_a_sqlite_file_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/relay.db")
    _load(engine, 1)
    prepare_database(engine)
    engine.dispose()
    copy = open_engine(f"sqlite:///{tmp_path}/relay.db.schema-1")
    with transaction(copy, write=False) as tx:
        assert schema_of(tx) == 1
        assert tx.raw("SELECT count(*) FROM delivery")[0][0] == 4
    copy.dispose()


def test_an_upgrade_that_fails_changes_nothing(url: str) -> None:
    engine = open_engine(url)
    _load(engine, 1)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE event (x TEXT)"))  # in the way of the last step
    with pytest.raises(StorageError):
        prepare_database(engine)
    with transaction(engine, write=False) as tx:
        assert schema_of(tx) == 1
    assert "source" not in {column["name"] for column in inspect(engine).get_columns("delivery")}
    engine.dispose()


def _load(engine: Engine, schema: int) -> None:
    script = (RELEASED / f"{schema}.{engine.dialect.name}.sql").read_text()
    connection = engine.raw_connection()
    if engine.dialect.name == "sqlite":
        connection.driver_connection.executescript(f"PRAGMA foreign_keys = OFF; {script} PRAGMA foreign_keys = ON;")  # type: ignore[union-attr]
    else:
        connection.driver_connection.execute(script)  # type: ignore[union-attr]
        connection.commit()
    connection.close()


def _shape_of_new(url: str, engine: Engine, tmp_path: Path) -> object:
    if url.startswith("sqlite"):
        new = open_engine(f"sqlite:///{tmp_path}/new.db")
        prepare_database(new)
        shape = _shape(new)
        new.dispose()
        return shape
    with engine.begin() as connection:
        connection.execute(text("ALTER SCHEMA public RENAME TO upgraded"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    prepare_database(engine)
    shape = _shape(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("ALTER SCHEMA upgraded RENAME TO public"))
    engine.dispose()
    return shape


def _shape(engine: Engine) -> object:
    found = inspect(engine)
    return {
        table: (
            {(c["name"], str(c["type"]), c["nullable"], str(c["default"] or "")) for c in found.get_columns(table)},
            {
                (i["name"], tuple(i["column_names"]), i["unique"], *map(str, i["dialect_options"].values()))
                for i in found.get_indexes(table)
            },
            tuple(found.get_pk_constraint(table)["constrained_columns"]),
            {(tuple(k["constrained_columns"]), k["referred_table"]) for k in found.get_foreign_keys(table)},
        )
        for table in found.get_table_names()
    }


@pytest.fixture
def made(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    engine = open_engine(url)
    prepare_database(engine)
    engine.dispose()
    return url


def test_a_database_of_this_program_can_be_used(made: str) -> None:
    database = open_engine(made, create=False)
    require_database(database)
    with transaction(database, write=False) as tx:
        assert schema_of(tx) == VERSION


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("DROP TABLE meta", "no database yet"),
        ("DELETE FROM meta", "no database yet"),
        ("UPDATE meta SET value = '1'", "older release"),
        ("UPDATE meta SET value = '99'", "schema 99, this program knows"),
    ],
)
def test_any_other_is_refused_and_left_alone(made: str, change: str, text: str) -> None:
    database = open_engine(made, create=False)
    with transaction(database, write=True) as tx:
        tx.raw(change)
    with pytest.raises(StorageError, match=text):
        require_database(database)
