"""Copies of a SQLite database, made while it is in use, and taken back.

Guarantee: a copy is whole and on the disk under its name, or there is none. What is taken back sends nothing by itself:
every mail that was waiting is held, since it may have been sent after the copy was made.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from relay.model.errors import StorageError

_HOLD: Final = (
    "UPDATE delivery SET state = 'held', uncertain = uncertain + 1, marked = 0, node = '', lease_until = NULL"
    " WHERE state IN ('queued', 'active')"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What `restore_database` did."""

    schema: int
    held: int
    """Deliveries that wait for a person now."""
    kept: Path | None
    """Where the database that was there before is; None where there was none."""


def database_file(engine: Engine) -> Path | None:
    """Give the file of a SQLite database; None for PostgreSQL, whose own tools (`pg_dump`) make its copies."""
    return Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None


def copy_database(source: Path, target: Path) -> int:
    """Copy a database that may be in use; gives the octets. An older copy of the name is replaced.

    Raises StorageError, and leaves nothing behind, where the copy can't be made.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy_pages(source, partial)
        _sync(partial)
        partial.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StorageError(f"{target}: {_reason(error)}") from None
    return target.stat().st_size


def restore_database(copy: Path, target: Path, *, newest: int) -> Restored:
    """Put a copy in the place of a database that nobody uses. `newest` is the newest schema that can be taken.

    What was there is kept beside it. Raises StorageError where the copy is none, damaged or newer; nothing has changed
    then.
    """
    schema = _check(copy, newest)
    fresh = target.with_name(f"{target.name}.restoring")
    copy_database(copy, fresh)
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            held = connection.execute(_HOLD).rowcount
        _sync(fresh)
        kept = None
        if target.exists():
            kept = _free_name(target)
            copy_database(target, kept)
        for rest in ("-wal", "-shm"):  # of the old file; they are in the copy that was kept
            target.with_name(target.name + rest).unlink(missing_ok=True)
        fresh.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StorageError(f"{target}: {_reason(error)}") from None
    return Restored(schema=schema, held=held, kept=kept)


def _copy_pages(source: Path, target: Path) -> None:
    # Read-only, and no new file where the name is wrong; the database's own journal is read with it.
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        # All in one step: it reads one moment's state, and in WAL mode nobody who writes waits for it. In several
        # steps, each write in between would make it begin anew.
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file is the whole copy


def _check(copy: Path, newest: int) -> int:
    try:
        uri = f"{copy.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise StorageError(f"{copy}: the copy is damaged")
            found = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            connection.execute("SELECT count(*) FROM delivery WHERE state = 'queued'").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{copy}: no copy of a relay's database ({_reason(error)})") from None
    if found is None or not str(found[0]).isdecimal():
        raise StorageError(f"{copy}: no copy of a relay's database")
    if int(found[0]) > newest:
        raise StorageError(f"{copy}: has schema {found[0]}, this program knows {newest}: a newer relay has made it")
    return int(found[0])


def _free_name(target: Path) -> Path:
    n = 1
    while (kept := target.with_name(f"{target.name}.before-restore-{n}")).exists():
        n += 1
    return kept


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
