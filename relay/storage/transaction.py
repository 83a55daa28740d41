"""SQL within one transaction, and all that differs in it between SQLite and PostgreSQL.

SQL is written once, with `?` for a parameter and these words, which `Transaction` puts into the database's own terms:
`{any}` after a column (the parameter is a list), `{lock}` and `{skip_locked}` at the end of a SELECT from `delivery d`.
"""

import contextlib
import functools
import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:  # see relay.storage.engine
    from sqlalchemy import Connection

_WORDS: Final = {
    "sqlite": {"any": "IN (SELECT value FROM json_each(?))", "lock": "", "lock_meta": "", "skip_locked": ""},
    "postgresql": {
        "any": "= ANY(?)",
        "lock": "FOR UPDATE OF d",
        "lock_meta": "FOR UPDATE",
        "skip_locked": "FOR UPDATE OF d SKIP LOCKED",
    },
}
_GROUPS: Final = (32, 16, 8, 4, 2, 1)
"""How many rows one statement may write on SQLite (of 19 columns at most: 608 parameters, any SQLite takes 999)."""

AnyRow: TypeAlias = tuple[Any, ...]
"""A row of a SELECT."""

Parameter = str | int | float | bytes | list[str] | None


class Transaction:
    """SQL within one transaction; every call raises what the driver raises (PEP 249).

    The statements go straight to the driver: they are text already, and what SQLAlchemy adds to each costs more than
    most of them.
    """

    __slots__ = ("_connection", "_dialect", "_driver", "has_changed")

    def __init__(self, driver: Any, dialect: str, connection: "Connection | None" = None) -> None:  # noqa: ANN401 - the driver's connection
        self._driver = driver
        self._dialect = dialect
        self._connection = connection
        self.has_changed = False
        """Whether anything was written in it."""

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

    def change_rows(self, sql: str, *parameters: Parameter) -> Sequence[AnyRow]:
        """Run one change that ends with RETURNING; gives what it returns."""
        found = self.rows(sql, *parameters)
        self.has_changed = self.has_changed or bool(found)
        return found

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

    def lease_until(self, lease: int) -> int | None:
        """Tell until when a claim made now holds for `lease` milliseconds; None where it ends with the process."""
        return self.time() + lease if self.is_shared else None

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
        self.has_changed = self.has_changed or count != 0
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
