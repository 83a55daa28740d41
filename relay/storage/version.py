"""Which schema a database has, and whether this program can use it as it is."""

from typing import Final

from relay.model.errors import StorageError
from relay.storage import meta
from relay.storage.engine import Database, transaction
from relay.storage.transaction import Transaction

VERSION: Final = 5
"""Of the schema: each change of the tables adds 1 and a module in `migrations`; a program refuses a newer one."""
NONE_YET: Final = (
    "there is no database yet: start the service first (systemctl start relay, or relay serve), which makes it"
)

GONE: Final = (
    "the database is gone, while the service runs: it goes on in the deleted file, and all that is in there is lost"
    " when it ends. Do not restart it before what waits has been sent (the log says message_delivered); then stop it"
    " and put the last backup back (systemctl stop relay, relay restore)"
)


def require_database(database: Database) -> None:
    """Raise StorageError unless the database is there and of schema `VERSION`; nothing is made or changed.

    Commands ask for this: to make or upgrade a database is for the service alone, which holds the lock.
    """
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
