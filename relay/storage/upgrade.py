"""The schema of a database: whether this program can use it, and how it becomes that of this program.

Guarantee: an upgrade takes effect as a whole or not at all; a SQLite file has a copy beside it before it is touched.
"""

from importlib import import_module
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from relay.emitting import emit
from relay.events.service import DatabaseCopied, DatabaseUpgraded
from relay.model.errors import StorageError
from relay.storage import account_tables, meta, tables  # noqa: F401 - they fill the list of tables
from relay.storage.backup import copy_database
from relay.storage.columns import metadata
from relay.storage.engine import Database, transaction
from relay.storage.lock import database_file
from relay.storage.transaction import Transaction

VERSION: Final = 6
"""Of the schema: each change of the tables adds 1 and a module in `migrations`; a program refuses a newer one."""
NONE_YET: Final = (
    "there is no database yet: start the service first (systemctl start relay, or relay serve), which makes it"
)
GONE: Final = (
    "the database is gone, while the service runs: it goes on in the deleted file, and all that is in there is lost"
    " when it ends. Do not restart it before what waits has been sent (the log says message_delivered); then stop it"
    " and put the last backup back (systemctl stop relay, relay restore)"
)
_SCHEMA_LOCK: Final = 0x72656C6179
"""PostgreSQL's advisory lock for all this: two nodes may start at once."""


def require_database(database: Database) -> None:
    """Raise StorageError unless the database is there and of schema `VERSION`, which the service alone makes it."""
    with transaction(database, write=False) as tx:
        found = schema_of(tx)
    if found is None:
        raise StorageError(NONE_YET)
    if found < VERSION:
        raise StorageError("the database is of an older release: start the service once, it upgrades it")


def schema_of(tx: Transaction) -> int | None:
    """Return the schema of a database, None where there is none. Raises StorageError where it is a newer one."""
    if not tx.has_table("meta"):
        return None
    found = meta.read(tx, "schema")
    if found is None:
        return None
    if int(found) > VERSION:
        raise StorageError(
            "a newer relay has used the database, and this one can't read it: install that release again, or take a"
            " copy from before back with `relay restore`, which lacks the mails since then"
            f" (schema {found}, this program knows {VERSION})"
        )
    return int(found)


def prepare_database(engine: Engine) -> None:
    """Make the database one of schema `VERSION`. Raises StorageError where it is of a newer program."""
    with transaction(engine, write=False) as tx:
        found = schema_of(tx)
    if found == VERSION:
        return
    # PostgreSQL has its own ways of keeping a copy.
    if found is not None and (file := database_file(engine.url)) is not None:
        copy = Path(f"{file}.schema-{found}")
        copy_database(file, copy)
        emit(DatabaseCopied(file=copy.name, schema=found))
    with transaction(engine, write=True) as tx:
        if tx.is_shared:
            tx.raw("SELECT pg_advisory_xact_lock(?)", _SCHEMA_LOCK)
        found = schema_of(tx)
        if found is None:
            if tx.is_shared:
                _give_conditions()
            metadata.create_all(tx.connection)
            meta.write(tx, "schema", str(VERSION))
        elif found < VERSION:
            _upgrade(tx, found)
            emit(DatabaseUpgraded(schema_before=found, schema_after=VERSION))


def _give_conditions() -> None:
    """Give PostgreSQL the conditions of partial indexes; in the tables they would load its dialect beside SQLite's."""
    for table in metadata.tables.values():
        for index in table.indexes:
            index.dialect_kwargs["postgresql_where"] = index.dialect_options["sqlite"]["where"]


def _upgrade(tx: Transaction, found: int) -> None:
    # Imported here: alembic takes half a second, and hardly any start needs it.
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.operations import Operations  # noqa: PLC0415

    with Operations.context(MigrationContext.configure(tx.connection)):
        for number in range(found + 1, VERSION + 1):
            import_module(f"relay.storage.migrations.v{number:04d}").upgrade()
    meta.write(tx, "schema", str(VERSION))
