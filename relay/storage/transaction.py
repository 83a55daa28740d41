"""A transaction: it runs the statements of `relay.storage.statement` on the driver's own cursor.

What SQLAlchemy adds to each execution costs more than most statements do (docs/decisions).
"""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from relay.storage.statement import Many, Parameter, Parameters, Statement, Ts

_GROUPS: Final = (32, 16, 8, 4, 2, 1)
"""How many rows one statement may write on SQLite (of 19 columns at most: 608 parameters, any SQLite takes 999)."""

AnyRow: TypeAlias = tuple[Any, ...]
"""A row of a SELECT."""


class Transaction:
    """One transaction of a database; each call raises what the driver raises (PEP 249)."""

    __slots__ = ("_arrive", "_connection", "_dialect", "_driver", "_time", "has_changed")

    def __init__(
        self,
        driver: Any,  # noqa: ANN401 - the driver's connection
        dialect: str,
        connection: Connection | None = None,
        *,
        arrive: Callable[[], None] | None = None,
    ) -> None:
        """`arrive`: what is sent waits for no answer until this is called, or rows are asked for."""
        self._driver = driver
        self._dialect = dialect
        self._connection = connection
        self._arrive = arrive
        self._time: int | None = None
        self.has_changed = False
        """Whether anything was written in it."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes may work on this database: then claims are leases."""
        return self._dialect == "postgresql"

    @property
    def connection(self) -> Connection:
        """SQLAlchemy's connection, for what is no SQL of ours."""
        assert self._connection is not None
        return self._connection

    def has_table(self, name: str) -> bool:
        """Return whether a table is there."""
        if self.is_shared:
            # Not to_regclass, which may remember from before another node's commit that there is none.
            visible = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = ANY(current_schemas(false))"
            return bool(self.raw(f"{visible} AND tablename = ?", name))
        return bool(self.raw("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name))

    def raw(self, sql: str, *places: Parameter) -> Sequence[AnyRow]:
        """Run SQL of one database's own, with `?` for a parameter: its catalogue, clock, settings; return the rows."""
        with self._cursor() as cursor:
            cursor.execute(sql.replace("?", "%s") if self.is_shared else sql, places)
            if self._arrive is not None:
                self._arrive()
            found: Sequence[AnyRow] = cursor.fetchall() if cursor.description else []
        return found

    def rows(self, statement: Statement[*Ts], /, **parameters: Parameter) -> Sequence[tuple[*Ts]]:
        """Run a SELECT and return its rows. Raises TypeError where the names of the parameters are not its own."""
        form = statement.form(self._dialect)
        with self._cursor() as cursor:
            cursor.execute(form.text, form.bind(parameters))
            found: Sequence[tuple[*Ts]] = cursor.fetchall()
        return [form.truth(row) for row in found] if form.booleans else found

    def records(self, statement: Statement[*Ts], /, **parameters: Parameter) -> list[dict[str, Any]]:
        """Run a SELECT and return each row by the names of its columns."""
        columns = statement.form(self._dialect).columns
        found: Sequence[AnyRow] = self.rows(statement, **parameters)
        return [dict(zip(columns, row, strict=True)) for row in found]

    def change(self, statement: Statement[()], /, **parameters: Parameter) -> int:
        """Run one change and return how many rows it touched."""
        form = statement.form(self._dialect)
        return self._run("execute", form.text, form.bind(parameters), counted=True)

    def change_rows(self, statement: Statement[*Ts], /, **parameters: Parameter) -> Sequence[tuple[*Ts]]:
        """Run one change that ends with RETURNING, and return what that gives."""
        found = self.rows(statement, **parameters)
        self.has_changed = self.has_changed or bool(found)
        return found

    def change_each(self, statement: Many | Statement[()], rows: Sequence[Parameters], *, counted: bool = False) -> int:
        """Run one change for each of many rows, given by name, in their order; no two change the same row.

        Returns how many rows of the database it touched in all, if they are to be `counted`: else PostgreSQL may not
        have answered yet.
        """
        if not rows:
            return 0
        if self.is_shared or not isinstance(statement, Many):
            form = statement.form(self._dialect)
            return self._run("executemany", form.text, form.bind_each(rows), counted=counted)
        begin, before = 0, self._driver.total_changes
        for size in _GROUPS:
            while len(rows) - begin >= size:
                form = statement.form(self._dialect, size)
                group = form.bind_each(rows[begin : begin + size])
                values = tuple(itertools.chain.from_iterable(group))
                self._run("execute", form.text, values, counted=counted)
                begin += size
        return int(self._driver.total_changes - before)  # the driver does not count what begins with WITH

    def time(self) -> int:
        """Return the time of a shared database, in milliseconds: the clocks of the nodes may differ.

        It is asked once: for all of a transaction it is the moment of the first question.
        """
        if self._time is None:
            self._time = int(self.raw("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")[0][0])
        return self._time

    def lease_until(self, lease: int) -> int | None:
        """Return until when a claim made now holds for `lease` milliseconds; None where it ends with the process."""
        return self.time() + lease if self.is_shared else None

    def give_back_space(self, pages: int) -> None:
        """Return so many free pages to the file system, where the database does not do that by itself."""
        if self.is_shared:
            return
        free = int(self.raw("PRAGMA freelist_count")[0][0])
        for _ in range(min(pages, free)):
            # It frees a page at each step, and the driver takes one step only, since there are no columns to read.
            self.raw("PRAGMA incremental_vacuum(1)")

    def _run(self, method: str, sql: str, parameters: Sequence[Any], *, counted: bool) -> int:
        with self._cursor() as cursor:
            getattr(cursor, method)(sql, parameters)
            if self._arrive is not None and counted:
                self._arrive()
            count: int = cursor.rowcount
        is_open = self._arrive is not None and not counted
        self.has_changed = self.has_changed or is_open or count != 0
        return count

    def _cursor(self) -> contextlib.AbstractContextManager[Any]:
        cursor = self._driver.cursor()
        # One whose answer is on its way stays open for it.
        return contextlib.closing(cursor) if self._arrive is None else contextlib.nullcontext(cursor)
