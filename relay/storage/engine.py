"""Opening the database, SQLite or PostgreSQL, and its transactions."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from relay.model.errors import StorageError
from relay.storage.faults import is_connection_lost, is_of_database, storage_error, why_unwritable
from relay.storage.lock import database_name
from relay.storage.transaction import Transaction

_BUSY_SECONDS = 10
"""How long a write waits while another process writes."""
PATIENCE: Final = 20.0
"""Seconds within which PostgreSQL must answer the service; commands and upgrades wait as long as it takes."""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
)

Database: TypeAlias = Engine
"""What `transaction` opens transactions on."""


def open_engine(
    url: str, *, create: bool = True, prepared_statements: bool = True, patience: float | None = None
) -> Engine:
    """Open the database of a SQLAlchemy URL. Raises StorageError where it is neither a file of SQLite nor PostgreSQL.

    Without `create`, as commands open it, a SQLite file must be there, which each transaction finds out. Without
    `prepared_statements` PostgreSQL may stand behind a PgBouncer that pools transactions. `patience`: seconds within
    which PostgreSQL must answer (None: as long as it takes), and for which SQLite waits for others, if that is shorter.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError("the database's URL can't be read") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed, create=create, patience=patience)
    if backend == "postgresql":
        from relay.storage.postgresql import connect_arguments, make_patient  # noqa: PLC0415 - psycopg, where it is needed

        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args=connect_arguments(parsed, patience=patience, prepared=prepared_statements),
        )
        make_patient(engine, patience)
        return engine
    raise StorageError(f"the database must be SQLite or PostgreSQL, not {backend}")


def _open_sqlite(url: URL, *, create: bool, patience: float | None) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("the SQLite database must be a file")
    path = Path(url.database)
    if create:
        _make_missing(path)
        _require_writable(path)
    busy = min(_BUSY_SECONDS, patience or _BUSY_SECONDS)

    def connect() -> sqlite3.Connection:
        if not create:
            _require_writable(path)
        uri = f"file:{quote(str(path))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=busy, check_same_thread=False)

    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        creator=connect,
        poolclass=QueuePool if create else NullPool,  # a command may stand still between its transactions
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        # Before WAL and the first table, else it has no effect; and only then, for it waits for whoever writes: a
        # command that only reads would fail beside a long write.
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("relay_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _make_missing(path: Path) -> None:
    # A file that is there is not opened: to close it would drop all locks that SQLite holds on it in this process, and
    # the next program that closes the database would delete the log (WAL) that is written here.
    try:
        if not path.is_file():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(why_unwritable(path) or f"{path}: {error.strerror}") from None


def _require_writable(path: Path) -> None:
    # Asked before SQLite opens it: it may remove what shows the reason when it fails, and it gives the mode of a file
    # that can't be written to what it makes beside it, which would go on after that is mended.
    if (reason := why_unwritable(path)) is not None:
        raise StorageError(reason)


class WriteConnection:
    """A connection for one write after another, which take the write lock when they begin: none fails half-way.

    Its transactions are the driver's own: beginning and ending them through SQLAlchemy costs as much as a small write.
    """

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._driver: Any = self._connection.connection.dbapi_connection
        self._dialect = engine.dialect.name
        self._is_synced = True
        self._until_abandoned = contextlib.ExitStack()
        self._arrive: Callable[[], None] | None = None
        if self._dialect == "sqlite":  # here `Checkpointer` does that
            self._connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
            self._connection.rollback()
        else:
            # Each answer that is awaited gives up the interpreter's lock, and gets it back late where the loop is busy.
            pipeline = self._driver.pipeline()  # type: ignore[union-attr]
            self._arrive = self._until_abandoned.enter_context(pipeline).sync

    def begin(self, *, synced: bool = True) -> Transaction:
        """Begin a transaction; one that is not `synced` is durable only after the next that is.

        Both databases write one log in order, so that a sync of its end is one of all before it.
        """
        if self._dialect == "sqlite":
            if synced is not self._is_synced:
                self._driver.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                self._is_synced = synced
            self._driver.execute("BEGIN IMMEDIATE")
        elif not synced:  # psycopg begins by itself
            self._driver.execute("SET LOCAL synchronous_commit TO OFF")
        return Transaction(self._driver, self._dialect, arrive=self._arrive)

    def commit(self) -> None:
        """Make the transaction durable."""
        self._driver.commit()

    def rollback(self) -> None:
        """End the transaction, and keep nothing of it."""
        self._driver.rollback()

    def checkpoint(self) -> None:
        """Copy SQLite's log into its file, as far as no reader needs what was there, and keep nobody waiting."""
        self._driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def abandon(self) -> None:
        """Let the connection go, and what was not committed: what state it is in after a fault is not known."""
        with contextlib.suppress(Exception):
            self._until_abandoned.close()
        with contextlib.suppress(Exception):
            self._connection.invalidate()
        with contextlib.suppress(Exception):
            self._connection.close()


@contextlib.contextmanager
def transaction(database: Database, *, write: bool) -> Iterator[Transaction]:
    """Run one short transaction; it is committed at the end. Raises StorageError for whatever the database refuses.

    One that only reads sees one moment's state in all its queries, on PostgreSQL as on SQLite.
    """
    options: dict[str, Any] = {"relay_write": write}
    if not write and database.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    try:
        with database.connect().execution_options(**options) as connection, connection.begin():
            try:
                yield Transaction(connection.connection.dbapi_connection, database.dialect.name, connection)
            except Exception as error:
                if is_connection_lost(error):
                    connection.invalidate()  # nothing can be rolled back on it, nor used again
                raise
    except Exception as error:
        if is_of_database(error):
            raise storage_error(error, database_name(database.url)) from None
        raise
