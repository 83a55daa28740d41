"""SQL within one transaction, and all that differs in it between SQLite and PostgreSQL.

SQL is written once, with `?` for a parameter and these words, which `Transaction` puts into the database's own terms:
`{any}` after a column (the parameter is a list), `{lock}` and `{skip_locked}` at the end of a SELECT from `delivery d`.
"""

import contextlib
import functools
import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

from relay.storage.statement import Many, Parameter, Parameters, Statement, Ts

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
AnyRecord: TypeAlias = dict[str, Any]
"""A row of a SELECT, by the names of its columns."""


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
            return bool(self.raw(f"{visible} AND tablename = ?", name))
        return bool(self.raw("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name))

    def raw(self, sql: str, *places: Parameter) -> Sequence[AnyRow]:
        """Run SQL of one database's own, with `?` for a parameter: its catalogue, clock, settings; return the rows."""
        with self._cursor() as cursor:
            cursor.execute(sql.replace("?", "%s") if self.is_shared else sql, places)
            found: Sequence[AnyRow] = cursor.fetchall() if cursor.description else []
        return found

    @overload
    def rows(self, statement: Statement[*Ts], /, **parameters: Parameter) -> Sequence[tuple[*Ts]]: ...
    @overload
    def rows(self, statement: str, /, *places: Parameter) -> Sequence[AnyRow]: ...
    def rows(self, statement: Statement[*Ts] | str, /, *places: Parameter, **parameters: Parameter) -> Sequence[AnyRow]:
        """Run a SELECT."""
        if isinstance(statement, str):
            return self._fetched(_native(statement, self._dialect), self._bound(places))
        form = statement.form(self._dialect)
        found = self._fetched(form.text, form.bind(parameters))
        return [form.truth(row) for row in found] if form.booleans else found

    def records(
        self, statement: Statement[*Ts] | str, /, *places: Parameter, **parameters: Parameter
    ) -> list[AnyRecord]:
        """Run a SELECT; gives each row by the names of its columns."""
        if isinstance(statement, str):
            with self._cursor() as cursor:
                cursor.execute(_native(statement, self._dialect), self._bound(places))
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        columns = statement.form(self._dialect).columns
        found: Sequence[AnyRow] = self.rows(statement, **parameters)
        return [dict(zip(columns, row, strict=True)) for row in found]

    def change(self, statement: Statement[()] | str, /, *places: Parameter, **parameters: Parameter) -> int:
        """Run one change; gives how many rows it touched."""
        if isinstance(statement, str):
            return self._run("execute", _native(statement, self._dialect), self._bound(places))
        form = statement.form(self._dialect)
        return self._run("execute", form.text, form.bind(parameters))

    @overload
    def change_rows(self, statement: Statement[*Ts], /, **parameters: Parameter) -> Sequence[tuple[*Ts]]: ...
    @overload
    def change_rows(self, statement: str, /, *places: Parameter) -> Sequence[AnyRow]: ...
    def change_rows(self, statement: Any, /, *places: Parameter, **parameters: Parameter) -> Sequence[AnyRow]:
        """Run one change that ends with RETURNING; gives what it returns."""
        found: Sequence[AnyRow] = self.rows(statement, *places, **parameters)
        self.has_changed = self.has_changed or bool(found)
        return found

    @overload
    def change_each(self, statement: Many | Statement[()], rows: Sequence[Parameters]) -> None: ...
    @overload
    def change_each(self, statement: str, rows: Sequence[tuple[Parameter, ...]]) -> None: ...
    def change_each(self, statement: Many | Statement[()] | str, rows: Sequence[Any]) -> None:
        """Run one change for each of many rows, given by name; the order of the rows is kept.

        Two rows must not change the same row of the database.
        """
        if not rows:
            return
        if isinstance(statement, str):
            self._change_each_text(statement, rows)
        elif self.is_shared or not isinstance(statement, Many):
            form = statement.form(self._dialect)
            self._run("executemany", form.text, [form.bind(row) for row in rows])
        else:
            begin = 0
            for size in _GROUPS:
                while len(rows) - begin >= size:
                    form = statement.form(self._dialect, size)
                    group = map(form.bind, rows[begin : begin + size])
                    self._run("execute", form.text, tuple(itertools.chain.from_iterable(group)))
                    begin += size

    def _change_each_text(self, sql: str, rows: Sequence[tuple[Parameter, ...]]) -> None:
        if self.is_shared or "VALUES (" not in sql:
            self._run("executemany", _native(sql, self._dialect), rows)
            return
        begin = 0
        for size in _GROUPS:
            while len(rows) - begin >= size:
                group = rows[begin : begin + size]
                native = _native(_repeated(sql, size), self._dialect)
                self._run("execute", native, tuple(itertools.chain.from_iterable(group)))
                begin += size

    def time(self) -> int:
        """Tell the time of a shared database, in milliseconds: the clocks of the nodes may differ."""
        return int(self.raw("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")[0][0])

    def lease_until(self, lease: int) -> int | None:
        """Tell until when a claim made now holds for `lease` milliseconds; None where it ends with the process."""
        return self.time() + lease if self.is_shared else None

    def give_back_space(self, pages: int) -> None:
        """Return so many free pages to the file system, where the database does not do that by itself."""
        if self.is_shared:
            return
        free = int(self.raw("PRAGMA freelist_count")[0][0])
        for _ in range(min(pages, free)):
            # It frees a page at each step, and the driver takes one step only, since there are no columns to read.
            self.raw("PRAGMA incremental_vacuum(1)")

    def _bound(self, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        if self.is_shared:
            return parameters
        return tuple(json.dumps(p) if isinstance(p, list) else p for p in parameters)

    def _fetched(self, sql: str, parameters: tuple[Parameter, ...]) -> Sequence[AnyRow]:
        with self._cursor() as cursor:
            cursor.execute(sql, parameters)
            found: Sequence[AnyRow] = cursor.fetchall()
        return found

    def _run(self, method: str, sql: str, parameters: Sequence[Any]) -> int:
        with self._cursor() as cursor:
            getattr(cursor, method)(sql, parameters)
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
