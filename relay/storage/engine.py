"""Opening the database, SQLite or PostgreSQL, and its transactions."""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote, unquote

from relay.model.errors import StorageError
from relay.storage.faults import is_connection_lost, is_of_database, storage_error, why_unwritable
from relay.storage.transaction import Transaction

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import, which a command that only looks at a SQLite file can do without
    from sqlalchemy import URL, Connection, Engine

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
_PRAGMA_OF_A_NEW_FILE: Final = "PRAGMA auto_vacuum = INCREMENTAL"
_SQLITE_FILE: Final = re.compile(r"sqlite:///([^?]+)")


class SqliteFile:
    """A SQLite database that is there already, opened by the driver alone: what a short command needs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.patience: float = _BUSY_SECONDS
        """Seconds that a transaction waits for one that keeps it out."""

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> "Iterator[Transaction]":
        """Run one transaction on a connection of its own. Raises what the driver raises.

        A file that can't be written is left alone, and raises StorageError: SQLite would give its mode to what it makes
        beside it, and that would go on after the file's own is mended.
        """
        if (reason := why_unwritable(self.path)) is not None:
            raise StorageError(reason)
        connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=self.patience)
        with contextlib.closing(connection):
            _prepare(connection)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield Transaction(connection, "sqlite")
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def dispose(self) -> None:
        """Close what is kept open: nothing. An engine of SQLAlchemy has this method, too."""


Database: TypeAlias = "Engine | SqliteFile"
"""What `transaction` opens transactions on."""


def open_database(url: str, *, prepared_statements: bool = True) -> Database:
    """Open a database for a short command: a SQLite file, which must be there, without SQLAlchemy."""
    found = _SQLITE_FILE.fullmatch(url)
    return SqliteFile(Path(unquote(found[1]))) if found else open_engine(url, prepared_statements=prepared_statements)


def open_engine(url: str, *, prepared_statements: bool = True, patience: float | None = None) -> "Engine":
    """Open the database of a SQLAlchemy URL; nothing is written into it yet. A new SQLite file is its owner's alone.

    Without `prepared_statements` PostgreSQL may stand behind a PgBouncer that pools transactions; `patience` is the
    seconds within which it must answer a statement (None: as long as it takes).

    Raises StorageError where the URL names no database file of SQLite and no PostgreSQL.
    """
    from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - see above
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError("the database's URL can't be read") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
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


def _open_sqlite(url: "URL") -> "Engine":
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - see above

    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("the SQLite database must be a file")
    path = Path(url.database)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(why_unwritable(path) or f"{path}: {error.strerror}") from None
    if (reason := why_unwritable(path)) is not None:  # asked first: SQLite may remove what shows it when it fails
        raise StorageError(reason)
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
        _prepare(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: "Connection") -> None:
        write = connection.get_execution_options().get("relay_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def file_of(database: Database) -> Path | None:
    """Give the file of a SQLite database."""
    if isinstance(database, SqliteFile):
        return database.path
    is_file = database.dialect.name == "sqlite" and database.url.database is not None
    return Path(database.url.database or "") if is_file else None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    # Before WAL and the first table, else it has no effect; and only then, for it waits for whoever writes: a command
    # that only reads would fail beside a long write.
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        connection.execute(_PRAGMA_OF_A_NEW_FILE)
    for pragma in _PRAGMAS:
        connection.execute(pragma)


class WriteConnection:
    """A connection for one write after another: each takes the write lock when it begins, so that none fails half-way.

    Its transactions are the driver's own: beginning and ending them through SQLAlchemy costs as much as a small write.
    """

    def __init__(self, engine: "Engine") -> None:
        self._connection = engine.connect()
        self._driver: Any = self._connection.connection.dbapi_connection
        self._dialect = engine.dialect.name
        self._is_synced = True

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
        return Transaction(self._driver, self._dialect)

    def commit(self) -> None:
        """Make the transaction durable."""
        self._driver.commit()

    def rollback(self) -> None:
        """End the transaction, and keep nothing of it."""
        self._driver.rollback()

    def abandon(self) -> None:
        """Let the connection go, and what was not committed: what state it is in after a fault is not known."""
        with contextlib.suppress(Exception):
            self._connection.invalidate()
        with contextlib.suppress(Exception):
            self._connection.close()


def transaction_on(connection: "Connection") -> Transaction:
    """Give the SQL of a transaction that SQLAlchemy has begun."""
    return Transaction(connection.connection.dbapi_connection, connection.dialect.name, connection)


@contextlib.contextmanager
def transaction(database: Database, *, write: bool) -> Iterator[Transaction]:
    """Run one short transaction; it is committed at the end. Raises StorageError for whatever the database refuses.

    One that only reads sees one moment's state in all its queries, on PostgreSQL as on SQLite.
    """
    try:
        if isinstance(database, SqliteFile):
            with database.transaction(write=write) as tx:
                yield tx
        else:
            options: dict[str, Any] = {"relay_write": write}
            if not write and database.dialect.name == "postgresql":
                options["isolation_level"] = "REPEATABLE READ"
            with database.connect().execution_options(**options) as connection, connection.begin():
                try:
                    yield transaction_on(connection)
                except Exception as error:
                    if is_connection_lost(error):
                        connection.invalidate()  # nothing can be rolled back on it, nor used again
                    raise
    except Exception as error:
        if is_of_database(error):
            raise storage_error(error, file_of(database)) from None
        raise
