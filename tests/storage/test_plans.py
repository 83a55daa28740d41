"""How both databases run each statement: by an index, but for those that are known to read a table whole.

Only a full table shows it: every other test is green while a condition that no index serves reads all of it.
"""

import re
from collections.abc import Generator, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, make_url, text

import relay.storage
from relay.model.ids import make_id
from relay.model.state import State
from relay.storage.columns import metadata
from relay.storage.engine import open_engine, transaction
from relay.storage.listing import MailFilter, find_mails
from relay.storage.statement import Form, Many, Statement, insert
from relay.storage.upgrade import prepare_database
from tests.storage.conftest import NOW

MAILS = 4_000
SMALL = {"mailbox", "pause", "counter", "login"}
"""Tables of a few rows, for each account or day."""
EXPECTED = {
    "listing._IS_KNOWN delivery": "ends at the first row that is found; asked for a name that the configuration lacks",
    "listing._IS_KNOWN message": "see above",
    "arrivals._BY_FILE arrival": "for what is rare, as its function says",
    "arrivals._PURGE arrival": "on PostgreSQL, which does not know how small the limit is; once an hour",
    "listing._COUNT_ALL message": "counts them all",
    "listing.newest message": "ends with the list, from its newest end",
    "reclaiming._SWEEP content": "at a start; bodies are there only of what waits",
    "reclaiming._SWEEP message": "see above, on PostgreSQL",
    "settling._SELECT_DELIVERED message": "on PostgreSQL, which does not know how small the limit is; once an hour",
}
"""Statement and table -> why it may read the table, or an index of it, whole."""
PARTIAL = {
    index.name
    for table in metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
"""The indexes of a few rows, such as what is open, which are made to be read whole."""


def statements() -> Iterator[tuple[str, Statement[*tuple[Any, ...]] | Many]]:
    """Give all statements that modules of the storage hold, by their names."""
    for found in iter_modules(relay.storage.__path__):
        for name, value in vars(import_module(f"relay.storage.{found.name}")).items():
            for one in value.values() if isinstance(value, dict) else [value]:
                if isinstance(one, (Statement, Many)):
                    yield f"{found.name}.{name}", one


def composed() -> Iterator[tuple[str, Statement[str]]]:
    """Give some of the statements that are put together at run time."""
    for name, wanted in {
        "open": MailFilter(),
        "newest": MailFilter(states=tuple(State)),
        "since": MailFilter(states=tuple(State), since=NOW + MAILS - 100 + 86_400_000, user="anna"),
    }.items():
        yield f"listing.{name}", find_mails(wanted, 9)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_all_statements_compile_without_a_database(dialect: str) -> None:
    found = [one.form(dialect) for _, one in [*statements(), *composed()]]
    assert len(found) > 150
    assert not [form.text for form in found if ") = 1" in form.text]  # a condition that no index serves


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine]:
    """A database with so many rows that a plan shows what it does with millions."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans')}/relay.db"
    else:
        server = request.getfixturevalue("postgresql")
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE plans"))
        admin.dispose()
        url = make_url(server).set(database="plans").render_as_string(hide_password=False)
    engine = open_engine(url)
    prepare_database(engine)
    with transaction(engine, write=True) as tx:
        for table in metadata.sorted_tables:
            count = 4 if table.name in SMALL else MAILS
            tx.change_each(Many.insert(insert(table)), [_row(table, n) for n in range(count)])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


def _row(table: Table, n: int) -> dict[str, Any]:
    mail = make_id(NOW + n, n.to_bytes(10, "big"))
    known = {
        "delivery.id": f"{mail[:-1]}d", "delivery_id": f"{mail[:-1]}d", "id": mail, "message_id": mail, "n": 1,
        "state": ("queued", "active", "held")[n % 3] if n % 50 == 0 else "done", "kind": "archive" if n % 2 else "to",
        "outcome": "bounced" if n % 100 == 0 else "delivered", "place": "quarantine" if n % 200 == 0 else "inbox",
        "destination": f"account:a{n % 200}", "account": f"a{n % 200}" if table.name not in SMALL else f"a{n}",
        "until": n or None, "about": mail if n % 50 == 0 else "", "key": f"k{n:05d}",
    }  # fmt: skip
    row: dict[str, Any] = {}
    for column in table.c:
        kind = column.type.python_type
        plain: Any = f"{column.name}{n}" if kind is str else kind(n) if kind is not bytes else b"x"
        row[column.name] = known.get(f"{table.name}.{column.name}", known.get(column.name, plain))
    return row


def test_no_statement_reads_a_table_whole_but_those_that_are_known_to(full: Engine) -> None:
    is_sqlite = full.dialect.name == "sqlite"
    found: dict[str, str] = {}
    with full.connect() as connection:
        for name, one in [*statements(), *composed()]:
            form = one.form(full.dialect.name)
            known = form.bind({}) if name in dict(composed()) else None
            scans = _sqlite_scans(connection, form) if is_sqlite else _postgresql_scans(connection, form, known)
            found |= {f"{name} {table}": form.text for table in scans}
    unexpected = {key: sql for key, sql in found.items() if key not in EXPECTED}
    assert not unexpected, "\n".join(f"{key}: {sql}" for key, sql in unexpected.items())


def _sqlite_scans(connection: Connection, form: Form) -> Iterator[str]:
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {form.text}", (None,) * form.text.count("?")):
        step = re.match(r"SCAN (\w+)(?:.* INDEX (\w+))?", row[3])
        if step is not None and step[1] in metadata.tables and step[1] not in SMALL and step[2] not in PARTIAL:
            yield step[1]


def _postgresql_scans(connection: Connection, form: Form, known: tuple[Any, ...] | None) -> Iterator[str]:
    numbers = iter(range(1, 1000))
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        if known is None:
            sql = re.sub("%s", lambda _: f"${next(numbers)}", form.text).replace("%%", "%")
            cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {sql}")
        else:  # it is planned for what it asks
            cursor.execute(f"EXPLAIN (FORMAT JSON) {form.text}", known)
        yield from _whole(cursor.fetchone()[0][0]["Plan"])


def _whole(node: dict[str, Any]) -> Iterator[str]:
    name, table = node["Node Type"], node.get("Relation Name", "")
    by_index = name.startswith("Index") and ("Index Cond" in node or node["Index Name"] in PARTIAL)
    if table and table not in SMALL and not by_index and name not in {"Bitmap Heap Scan", "ModifyTable", "LockRows"}:
        yield table
    for child in node.get("Plans", []):
        yield from _whole(child)
