"""Opening the database, and all that differs between SQLite and PostgreSQL.

SQL is written once, with `?` for a parameter and these words, which `Transaction` puts into the database's own terms:
`{any}` after a column (the parameter is a list), `{lock}` and `{skip_locked}` at the end of a SELECT from `delivery d`.
"""

import contextlib
import functools
import itertools
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote, unquote

from relay.model.errors import StorageError, StorageFullError

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import, which a command that only looks at a SQLite file can do without
    from sqlalchemy import URL, Connection, Engine

_BUSY_SECONDS = 10
"""How long a write waits while another process writes."""
_LEASE = 600_000
"""Milliseconds for which a claim holds on PostgreSQL without being renewed."""
_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # before WAL and the first table, else it has no effect
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
)
_WORDS: Final = {
    "sqlite": {"any": "IN (SELECT value FROM json_each(?))", "lock": "", "skip_locked": ""},
    "postgresql": {"any": "= ANY(?)", "lock": "FOR UPDATE OF d", "skip_locked": "FOR UPDATE OF d SKIP LOCKED"},
}
_FAULTS_OF_THE_WRITE = {"IntegrityError", "DataError", "ProgrammingError", "InterfaceError", "NotSupportedError"}
"""Errors (PEP 249) that speak of one write, not of the database."""
_SQLITE_FILE: Final = re.compile(r"sqlite:///([^?]+)")
_GROUPS: Final = (32, 16, 8, 4, 2, 1)
"""How many rows one statement may write on SQLite (of 19 columns at most: 608 parameters, any SQLite takes 999)."""
_DISK_FULL = "53100"
"""SQLSTATE of a full disk."""
_CONFLICTS = ("40001", "40P01")
"""SQLSTATE of a serialization failure and a deadlock: the same again may well succeed."""

AnyRow: TypeAlias = tuple[Any, ...]
"""A row of a SELECT."""

Parameter = str | int | float | bytes | list[str] | None


class SqliteFile:
    """A SQLite database that is there already, opened by the driver alone: what a short command needs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> "Iterator[Transaction]":
        """Run one transaction on a connection of its own. Raises what the driver raises."""
        connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=_BUSY_SECONDS)
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


def open_database(url: str) -> Database:
    """Open a database for a short command: a SQLite file, which must be there, without SQLAlchemy."""
    found = _SQLITE_FILE.fullmatch(url)
    return SqliteFile(Path(unquote(found[1]))) if found else open_engine(url)


def open_engine(url: str) -> "Engine":
    """Open the database of a SQLAlchemy URL; nothing is written into it yet. A new SQLite file is its owner's alone.

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
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _BUSY_SECONDS, "application_name": "relay"},
        )
    raise StorageError(f"the database must be SQLite or PostgreSQL, not {backend}")


def _open_sqlite(url: "URL") -> "Engine":
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - see above

    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StorageError("the SQLite database must be a file")
    path = Path(url.database)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from None
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


def _prepare(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in _PRAGMAS:
        connection.execute(pragma)


class Transaction:
    """SQL within one transaction; every call raises what the driver raises (PEP 249).

    The statements go straight to the driver: they are text already, and what SQLAlchemy adds to each costs more than
    most of them.
    """

    __slots__ = ("_connection", "_dialect", "_driver")

    def __init__(self, driver: Any, dialect: str, connection: "Connection | None" = None) -> None:  # noqa: ANN401 - the driver's connection
        self._driver = driver
        self._dialect = dialect
        self._connection = connection

    @property
    def is_shared(self) -> bool:
        """Whether other nodes may work on this database: then claims are leases."""
        return self._dialect == "postgresql"

    @property
    def connection(self) -> "Connection":
        """SQLAlchemy's connection, for what is no SQL of ours."""
        assert self._connection is not None
        return self._connection

    def has_table(self, name: str) -> bool:
        """Tell whether a table is there."""
        if self.is_shared:
            # Not to_regclass, which may remember from before another node's commit that there is none.
            visible = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = ANY(current_schemas(false))"
            return bool(self.rows(f"{visible} AND tablename = ?", name))
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name))

    def rows(self, sql: str, *parameters: Parameter) -> Sequence[AnyRow]:
        """Run a SELECT."""
        with self._cursor() as cursor:
            cursor.execute(_native(sql, self._dialect), self._bound(parameters))
            found: Sequence[AnyRow] = cursor.fetchall()
        return found

    def records(self, sql: str, *parameters: Parameter) -> list[dict[str, Any]]:
        """Run a SELECT; gives each row by the names of its columns."""
        with self._cursor() as cursor:
            cursor.execute(_native(sql, self._dialect), self._bound(parameters))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def change(self, sql: str, *parameters: Parameter) -> int:
        """Run one change; gives how many rows it touched."""
        return self._run("execute", sql, self._bound(parameters))

    def change_each(self, sql: str, rows: Sequence[tuple[Parameter, ...]]) -> None:
        """Run one change for each of many tuples of parameters, which stand in for the group behind its VALUES.

        The order of the rows is kept; two rows must not change the same row of the database.
        """
        if self.is_shared or "VALUES (" not in sql:
            if rows:
                self._run("executemany", sql, rows)
            return
        # Each step of SQLite gives up the interpreter's lock and gets it back late where the event loop is busy: many
        # rows go in one step, in groups of few sizes, so that each is compiled once.
        begin = 0
        for size in _GROUPS:
            while len(rows) - begin >= size:
                group = rows[begin : begin + size]
                self._run("execute", _repeated(sql, size), tuple(itertools.chain.from_iterable(group)))
                begin += size

    def time(self) -> int:
        """Tell the time of a shared database, in milliseconds: the clocks of the nodes may differ."""
        return int(self.rows("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")[0][0])

    def lease_until(self) -> int | None:
        """Tell until when a claim made now holds; None where claims end with the process."""
        return self.time() + _LEASE if self.is_shared else None

    def give_back_space(self, pages: int) -> None:
        """Return so many free pages to the file system, where the database does not do that by itself."""
        if self.is_shared:
            return
        free = int(self.rows("PRAGMA freelist_count")[0][0])
        for _ in range(min(pages, free)):
            # It frees a page at each step, and the driver takes one step only, since there are no columns to read.
            self.rows("PRAGMA incremental_vacuum(1)")

    def _bound(self, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        if self.is_shared:
            return parameters
        return tuple(json.dumps(p) if isinstance(p, list) else p for p in parameters)

    def _run(self, method: str, sql: str, parameters: Sequence[Any]) -> int:
        with self._cursor() as cursor:
            getattr(cursor, method)(_native(sql, self._dialect), parameters)
            count: int = cursor.rowcount
        return count

    def _cursor(self) -> contextlib.closing[Any]:
        return contextlib.closing(self._driver.cursor())


@functools.cache
def _repeated(sql: str, count: int) -> str:
    """Write the group in parentheses behind the first VALUES so many times."""
    if count == 1:
        return sql
    begin = sql.index("VALUES (") + len("VALUES ")
    depth = 0
    for end in range(begin, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[end], 0)
        if depth == 0:
            break
    group = sql[begin : end + 1]
    return f"{sql[:begin]}{', '.join([group] * count)}{sql[end + 1 :]}"


@functools.cache
def _native(sql: str, dialect: str) -> str:
    native = sql.format_map(_WORDS[dialect])
    return native.replace("?", "%s") if dialect == "postgresql" else native


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
    """Run one short transaction; it is committed at the end. Raises StorageError for whatever the database refuses."""
    try:
        if isinstance(database, SqliteFile):
            with database.transaction(write=write) as tx:
                yield tx
        else:
            with database.connect().execution_options(relay_write=write) as connection, connection.begin():
                yield transaction_on(connection)
    except Exception as error:
        if _is_of_database(error):
            raise storage_error(error) from None
        raise


def storage_error(error: BaseException) -> StorageError:
    """Make an error of ours of one of the driver's; no parameter, hence no text of a mail, is in it."""
    original = _original(error)
    if not _is_of_database(error):
        return StorageError(f"database: {type(original).__name__}")
    # PostgreSQL's DETAIL shows whole rows; its first line does not.
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    text = primary or next(iter(str(original).splitlines()), "")
    full = getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    full = full or getattr(original, "sqlstate", None) == _DISK_FULL
    return (StorageFullError if full else StorageError)(f"database: {type(original).__name__}: {text}")


def is_fault_of_database(error: BaseException) -> bool:
    """Tell whether the database failed, so that no write could succeed, rather than refused one write."""
    if _is_of_database(error):
        return not _names(_original(error)) & _FAULTS_OF_THE_WRITE
    return isinstance(error, OSError)


def is_conflict(error: BaseException) -> bool:
    """Tell whether two transactions got in each other's way, and the same again may well succeed."""
    return getattr(_original(error), "sqlstate", None) in _CONFLICTS


def _original(error: BaseException) -> BaseException:
    """Give the driver's error where SQLAlchemy has wrapped it."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def _is_of_database(error: BaseException) -> bool:
    """Tell the errors of PEP 249 and of SQLAlchemy from all others; neither need be imported for it."""
    return bool(_names(error) & {"DatabaseError", "InterfaceError", "SQLAlchemyError"})


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
