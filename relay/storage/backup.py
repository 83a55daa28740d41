"""Copies of a SQLite database, made while it is in use, and taken back.

Guarantee: a copy is whole and on the disk under its name, or there is none; nothing but an older copy is replaced. What
is taken back sends nothing by itself: every mail that was waiting is held, since it may have been sent after the copy
was made.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from relay.clock import wall_clock
from relay.model.errors import StorageError
from relay.storage.bodies import folder_of, hold_files, put_into_rows
from relay.storage.faults import is_of_source, plain_reason
from relay.storage.sqlite_file import opened_file
from relay.storage.syncing import replacing, sync

Step: TypeAlias = Callable[[int], None]
"""Is told of the octets that are done."""
_HOLD: Final = (
    "UPDATE delivery SET state = 'held', uncertain = uncertain + 1, marked = 0, node = '', lease_until = NULL"
    " WHERE state IN ('queued', 'active') RETURNING message_id"
)
_NOTE: Final = "INSERT INTO event (message_id, at, what, detail) VALUES (?, ?, 'held', ?) ON CONFLICT DO NOTHING"
_WHY: Final = "restored from a copy: it may have been sent since"
_HAS_EVENTS: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'event'"
_RESTS: Final = ("-wal", "-shm")
"""What SQLite keeps beside a file that is open, or was when its process died."""
_WRITE_AHEAD: Final = b"\x02\x02"
"""What the header of a SQLite file says at 18, as long as it has a write-ahead log."""
_PIECE: Final = 1 << 20
"""Octets that are copied at a time, where others are to be heard in between."""
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What `restore_database` did."""

    schema: int
    held: int
    """Deliveries that wait for a person now."""
    kept: Path | None
    """Where the database that was there before is; None where there was none."""
    damaged: bool
    """Whether the one that was there is kept as it was found, since it can't be read."""


def back_up(source: Path, target: Path, step: Step | None = None) -> int:
    """Copy as `copy_database` does, for people. Raises StorageError, also where `target` is there and no older copy."""
    target = follow_links(target)
    check_replaceable(target, source)
    return copy_database(source, target, step)


def follow_links(file: Path) -> Path:
    """Return where a name leads, its links followed, be there anything or not.

    Raises StorageError where that can't be reached: round in circles, behind a folder that is shut.
    """
    try:
        if stat.S_ISLNK(file.lstat().st_mode):
            file.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise StorageError(f"{file}: can't be followed to a file ({error.strerror}): name the file itself") from None
    return Path(os.path.realpath(file))


def copy_database(source: Path, target: Path, step: Step | None = None) -> int:
    """Copy a database that may be in use; return the octets. Whatever has the name is replaced.

    With `step` it goes in pieces, and `step` is told of the octets of each: it may rest, or raise to end it.
    Raises StorageError, and leaves nothing behind, where the copy can't be made.
    """
    try:
        return _copy(source, target, step)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{source if is_of_source(error) else target}: {plain_reason(error)}") from None


def restore_database(copy: Path, target: Path, *, newest: int, name: Path | None = None) -> Restored:
    """Put a copy, which people call `name`, in the place of a database that nobody uses, and keep that beside it.

    `newest` is the newest schema that can be taken. Raises StorageError where the copy is none, damaged or newer, or is
    the database itself; nothing has changed then.
    """
    if is_same(copy, target):
        raise StorageError(f"{copy}: is the database itself: there is nothing to take back")
    schema = _check(copy, newest, name or copy)
    fresh = target.with_name(f"{target.name}.restoring")
    try:
        _copy(copy, fresh)
        held = _hold_all(fresh)
        sync(fresh)
        kept, damaged = _keep(target)
        _unlink(target, *_RESTS)  # of the old file; they are in what was kept
        fresh.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{target}: {plain_reason(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            _unlink(fresh, "", "-journal")
    return Restored(schema=schema, held=held, kept=kept, damaged=damaged)


def _copy(source: Path, target: Path, step: Step | None = None) -> int:
    bodies = folder_of(Path(os.path.realpath(source)))
    # Held from before the moment that the copy is of: none of the files that it names goes away meanwhile.
    holding = hold_files(bodies) if bodies.is_dir() else contextlib.nullcontext()
    with replacing(target) as (partial, _), holding:
        _copy_pages(source, partial, step)
        with opened_file(partial, "rw") as new:
            put_into_rows(new, bodies, step or (lambda _octets: None))
    return target.stat().st_size


def _copy_pages(source: Path, target: Path, step: Step | None) -> None:
    # Read-only, and no new file where the name is wrong; the database's own journal is read with it.
    with (
        opened_file(source, "rw", patience=30) as old,
        opened_file(target, "rwc") as new,
    ):
        (mode,), (size,) = old.execute("PRAGMA journal_mode").fetchone(), old.execute("PRAGMA page_size").fetchone()
        if step is None or mode != "wal":
            # All in one step: it reads one moment's state. In several, each write in between makes it begin anew.
            old.backup(new)
        else:
            _copy_in_steps(old, new, size, step)
        new.execute("PRAGMA journal_mode = DELETE")  # one file is the whole copy


def _copy_in_steps(old: sqlite3.Connection, new: sqlite3.Connection, page: int, step: Step) -> None:
    """Copy in pieces, all of one moment: the transaction keeps its view, and with a WAL nobody who writes waits."""
    old.isolation_level = None
    old.execute("BEGIN")
    old.execute("SELECT count(*) FROM sqlite_master").fetchone()
    done = 0

    def note(_status: int, remaining: int, total: int) -> None:
        nonlocal done
        step((total - remaining - done) * page)
        done = total - remaining

    old.backup(new, pages=max(1, _PIECE // page), progress=note)
    old.execute("COMMIT")


def _hold_all(file: Path) -> int:
    """Hold all that waits, and note why; return the number of deliveries."""
    now = wall_clock()
    with opened_file(file, "rwc") as connection, connection:
        held = [row[0] for row in connection.execute(_HOLD).fetchall()]
        if connection.execute(_HAS_EVENTS).fetchone():  # the first release had none
            connection.executemany(_NOTE, [(message_id, now, _WHY) for message_id in sorted(set(held))])
    return len(held)


def _keep(target: Path) -> tuple[Path | None, bool]:
    """Keep the database that is to be replaced; return where, and whether it is damaged."""
    if not target.exists() or target.stat().st_size == 0:
        return None, False
    n = 1
    while (kept := target.with_name(f"{target.name}.before-restore-{n}")).exists():
        n += 1
    # What can't be read may still be mended. A second name keeps it as it is, and needs neither room nor a good disk;
    # it comes first, since SQLite removes a journal that it can't make sense of.
    linked = _link(target, kept)
    try:
        _copy(target, kept)
    except (OSError, sqlite3.Error) as error:
        if linked and getattr(error, "sqlite_errorcode", None) not in _IN_USE:
            with contextlib.suppress(FileNotFoundError):
                folder_of(target).rename(folder_of(kept))  # else the next start would find them nobody's
            return kept, True
        _unlink(kept, "", *_RESTS)
        raise
    _unlink(kept, *_RESTS)
    return kept, False


def _link(target: Path, kept: Path) -> bool:
    """Give a database a second name; false where the file system has none."""
    try:
        os.link(target, kept)
        for rest in _RESTS:
            with contextlib.suppress(FileNotFoundError):
                os.link(_beside(target, rest), _beside(kept, rest))
    except OSError:
        _unlink(kept, "", *_RESTS)
        return False
    return True


def _unlink(file: Path, *endings: str) -> None:
    for ending in endings:
        _beside(file, ending).unlink(missing_ok=True)


def _check(copy: Path, newest: int, name: Path) -> int:
    try:
        with opened_file(copy, "ro") as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise StorageError(f"{name}: the copy is damaged")
            found = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            connection.execute("SELECT count(*) FROM delivery WHERE state = 'queued'").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"{name}: no copy of a relay's database ({plain_reason(error)}): name what `relay backup` has made"
        ) from None
    if found is None or not str(found[0]).isdecimal():
        raise StorageError(f"{name}: no copy of a relay's database: name what `relay backup` has made")
    if int(found[0]) > newest:
        raise StorageError(f"{name}: has schema {found[0]}, this program knows {newest}: a newer relay has made it")
    return int(found[0])


def check_replaceable(target: Path, source: Path) -> None:
    """Raise StorageError where a copy would destroy something else than an older copy. Nothing is made beside it."""
    if is_same(target, source):
        raise StorageError(f"{target}: is the database itself")
    try:
        found = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise StorageError(
                f"{target.parent}: there is no such folder: make it (mkdir -p), or name another place"
            ) from None
        return
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{target}: is no plain file, and is not replaced")
    if found.st_size == 0:
        return
    try:
        with target.open("rb") as stream:
            is_in_use = stream.read(20)[18:] == _WRITE_AHEAD
        # Immutable: SQLite looks at this file alone, whatever links stand beside it.
        with opened_file(target, "ro", immutable=True) as connection:
            ours = connection.execute("SELECT 1 FROM meta WHERE key = 'schema'").fetchone() is not None
    except (OSError, sqlite3.Error):
        ours = is_in_use = False
    if is_in_use:  # a copy is not: this one is, or was, the database of a service
        raise StorageError(f"{target}: is a database in use, no copy of one: it is not replaced")
    if not ours:
        raise StorageError(f"{target}: is there already and no copy of a relay's database: it is not replaced")


def is_same(one: Path, other: Path) -> bool:
    """Return whether two names lead to one file or folder, or would, where there is none."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)
