"""SQL as expressions of SQLAlchemy Core, compiled once for each database and run on the driver's own cursor.

A statement is a constant of its module. Its parameters are bound by name: `bindparam("account")` in the expression is
`account=...` at the call. Values that stand in the expression become literals: only so both databases may use their
partial indexes. What differs between the databases is an expression, too: `is_in`, `insert(...).on_conflict_...`, and
`with_for_update`, which is nothing on SQLite. A statement that is put together at run time is
`Statement(..., composed=True)`.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    Boolean,
    ClauseElement,
    ColumnElement,
    Dialect,
    Integer,
    Table,
    Values,
    bindparam,
    column,
    func,
    select,
    true,
    update,
)
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Parameter: TypeAlias = str | int | float | bytes | Sequence[str] | None
Parameters: TypeAlias = Mapping[str, Parameter]
"""The parameters of a statement, or of one of its rows, by name."""

LIMIT: Final = bindparam("limit", type_=Integer())
"""The parameter `limit`, of a statement that gives so many rows at most."""


class _IsIn(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> "_IsIn":  # noqa: ARG002 - SQLAlchemy's
        # Else SQLAlchemy compares it with 1 on SQLite, as any function that is true or false, and no index serves that.
        return self


@compiles(_IsIn, "sqlite")
def _in_json(element: _IsIn, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    which, wanted = (compiler.process(part, **how) for part in element.clauses)
    return f"{which} IN (SELECT value FROM json_each({wanted}))"  # noqa: S608 - compiled SQL


@compiles(_IsIn, "postgresql")
def _in_array(element: _IsIn, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    which, wanted = (compiler.process(part, **how) for part in element.clauses)
    return f"{which} = ANY ({wanted})"


def is_in(which: ColumnElement[str], wanted: str | list[str]) -> ColumnElement[bool]:
    """Make the condition that a column has one of many values, which are one parameter: its name, or the values."""
    kind = ARRAY(which.type)
    if isinstance(wanted, str):
        return _IsIn(which, bindparam(wanted, type_=kind))
    return _IsIn(which, bindparam(None, wanted, type_=kind))


def lowest(which: ColumnElement[T]) -> ColumnElement[T | None]:
    """Make the lowest value of a column; None where there is no row."""
    return cast("ColumnElement[T | None]", func.min(which))


def highest(which: ColumnElement[T]) -> ColumnElement[T | None]:
    """Make the highest value of a column; None where there is no row."""
    return cast("ColumnElement[T | None]", func.max(which))


def insert(table: Table) -> Insert:
    """Begin an INSERT of SQLite; PostgreSQL takes its `on_conflict_do_nothing` and `on_conflict_do_update` as well."""
    return sqlite.insert(table)


class _WithLiterals(SQLCompiler):
    """Writes what has a value as a literal, and keeps as parameters those that get theirs at the call."""

    def visit_bindparam(self, bindparam: BindParameter[Any], **how: Any) -> str:  # type: ignore[override] # noqa: ANN401
        return str(super().visit_bindparam(bindparam, **{**how, "literal_binds": not bindparam.required}))  # type: ignore[no-untyped-call]


class _SQLite(_WithLiterals, SQLiteCompiler):
    pass


@functools.cache
def _dialect(name: str, *, literals: bool) -> Dialect:
    if name == "sqlite":
        lite = SQLiteDialect_pysqlite(paramstyle="qmark")
        if literals:
            lite.statement_compiler = _SQLite
        return lite
    # Imported here: it takes 2 MB, and a service on SQLite does without.
    from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg, PGDialect_psycopg  # noqa: PLC0415

    class PostgreSQL(PGCompiler_psycopg):
        def _on_conflict_target(self, clause: Any, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
            clause.constraint_target = None  # a clause of SQLite's, which `insert` makes, can't name a constraint
            return str(super()._on_conflict_target(clause, **how))  # type: ignore[no-untyped-call]

    class WithLiterals(_WithLiterals, PostgreSQL):
        pass

    postgres = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
    postgres.statement_compiler = WithLiterals if literals else PostgreSQL
    return postgres


class Form:
    """A statement as text for one database, and how its parameters are bound."""

    __slots__ = ("_count", "_given", "_lists", "_pick", "booleans", "columns", "names", "text")

    def __init__(self, expression: ClauseElement, dialect: Dialect, *, composed: bool = False, rows: int = 1) -> None:
        """`rows`: it writes so many rows, the parameters of each of which are bound alone."""
        compiled = expression.compile(dialect=dialect, compile_kwargs={"render_postcompile": composed, "rows": rows})
        assert isinstance(compiled, SQLCompiler)
        is_sqlite = dialect.name == "sqlite"
        places = tuple(compiled.positiontup or ())
        self.text = compiled.string
        self.names = places[: len(places) // rows]
        """The parameters by place; one may stand in several places."""
        self.columns = tuple(str(entry[0]) for entry in compiled._result_columns)  # noqa: SLF001 - has no other name
        self.booleans = tuple(
            n
            for n, entry in enumerate(compiled._result_columns)  # noqa: SLF001
            if is_sqlite and isinstance(entry[3], Boolean)
        )
        """The columns that SQLite gives as 0 or 1."""
        lists = {name for name, bound in compiled.binds.items() if is_sqlite and isinstance(bound.type, ARRAY)}
        self._lists = [n for n, name in enumerate(self.names) if name in lists]
        self._given = compiled.params if composed else None
        self._count = len(set(self.names))
        self._pick = itemgetter(*self.names) if len(self.names) > 1 else None

    def bind(self, parameters: Parameters) -> tuple[Parameter, ...]:
        """Give the parameters by place; a composed statement has its own. Raises TypeError for one too many or few."""
        if self._given is not None and not parameters:
            parameters = self._given
        if len(parameters) != self._count:
            raise self._mismatch(parameters)
        try:
            found = self._pick(parameters) if self._pick else tuple(parameters[name] for name in self.names)
        except KeyError:
            raise self._mismatch(parameters) from None
        if self._lists:
            found = tuple(json.dumps(value) if n in self._lists else value for n, value in enumerate(found))
        return found

    def bind_each(self, rows: Sequence[Parameters]) -> list[tuple[Parameter, ...]]:
        """Give the parameters of many rows, as `bind` does; most rows are right, and cost one step each."""
        if self._pick and not self._lists and {*map(len, rows)} == {self._count}:
            with contextlib.suppress(KeyError):
                return list(map(self._pick, rows))
        return [self.bind(row) for row in rows]

    def truth(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Give a row with True and False for what SQLite has as 1 and 0."""
        cells = list(row)
        for n in self.booleans:
            cells[n] = None if cells[n] is None else bool(cells[n])
        return tuple(cells)

    def _mismatch(self, parameters: Parameters) -> TypeError:
        missing, unknown = sorted({*self.names} - {*parameters}), sorted({*parameters} - {*self.names})
        return TypeError(f"parameters missing: {missing}, unknown: {unknown}, of: {self.text}")


class Statement(Generic[*Ts]):
    """A statement whose rows, if it gives any, are of the types `Ts`."""

    __slots__ = ("_composed", "_expression", "_forms")

    @overload
    def __init__(self: "Statement[*Ts]", expression: TypedReturnsRows[*Ts], *, composed: bool = False) -> None: ...
    @overload
    def __init__(self: "Statement[()]", expression: UpdateBase, *, composed: bool = False) -> None: ...
    def __init__(self, expression: Any, *, composed: bool = False) -> None:
        """`composed`: put together for one call: the values in it are its parameters, and no literals."""
        self._expression = expression
        self._composed = composed
        self._forms: dict[str, Form] = {}

    def form(self, dialect: str) -> Form:
        """Give its form for a database; it is compiled when it is first asked for."""
        form = self._forms.get(dialect)
        if form is None:
            known = _dialect(dialect, literals=not self._composed)
            form = self._forms[dialect] = Form(self._expression, known, composed=self._composed)
        return form


class _Rows(Values):
    """A table of rows, all of the same parameters. One row is compiled, however many there are."""

    inherit_cache = False

    def __init__(self, like: Mapping[str, ColumnElement[Any]]) -> None:
        super().__init__(*(column(name, one.type) for name, one in like.items()))
        self.row = [bindparam(name, type_=one.type) for name, one in like.items()]


@compiles(_Rows)
def _repeat(element: _Rows, compiler: SQLCompiler, *, rows: int, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
    # PostgreSQL takes a bare NULL in such a table for a text; on SQLite a cast would change what it is given.
    typed = compiler.dialect.name == "postgresql"
    parameters = [cast_to(one, one.type) if typed else one for one in element.row]
    row = ", ".join(compiler.process(parameter, **how) for parameter in parameters)
    return "VALUES " + ", ".join([f"({row})"] * rows)


class Many:
    """A change for each of many rows; a row is the parameters of one, by name.

    On SQLite it takes few steps, with many rows in each: each step gives up the interpreter's lock, and gets it back
    late where the event loop is busy. On PostgreSQL the driver sends row after row, and waits once.
    """

    __slots__ = ("_expression", "_forms")

    def __init__(self, make: Callable[[CTE], UpdateBase], **like: ColumnElement[Any]) -> None:
        """`make` gives the change by a table of rows, whose columns have these names and are of the types of `like`.

        Two rows must not change the same row of the database.
        """
        self._expression = make(_Rows(like).cte("new"))
        self._forms: dict[tuple[str, int], Form] = {}

    @classmethod
    def insert(cls, into: Insert, *names: str) -> "Many":
        """Make an INSERT of rows with these columns, or with all columns of the table."""
        # SQLite takes the ON CONFLICT behind a SELECT for one of a join, unless a WHERE stands between.
        columns = {name: into.table.c[name] for name in names or into.table.c.keys()}
        return cls(lambda new: into.from_select(list(columns), select(new).where(true())), **columns)

    @classmethod
    def update(
        cls,
        table: Table,
        *changed: str,
        by: Sequence[str],
        only: Sequence[ColumnElement[bool]] = (),
        same: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Many":
        """Make a change that gives these columns a row's values, where the columns `by` are equal and all `only` hold.

        `same`: what other columns get, the same in each row.
        """

        def make(new: CTE) -> UpdateBase:
            found = [table.c[name] == new.c[name] for name in by]
            return update(table).values({**{name: new.c[name] for name in changed}, **same}).where(*found, *only)

        return cls(make, **{name: table.c[name] for name in (*changed, *by)})

    def form(self, dialect: str, rows: int = 1) -> Form:
        """Give its form for a database and so many rows; it is compiled when it is first asked for."""
        form = self._forms.get((dialect, rows))
        if form is None:
            form = Form(self._expression, _dialect(dialect, literals=True), rows=rows)
            self._forms[dialect, rows] = form
        return form
