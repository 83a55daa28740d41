"""What the database remembers, over a restart, of its backups: the last good one, the last failure, what was begun."""

import json
import os
from pathlib import Path
from typing import Final

from relay.rules.nightly import BackupState
from relay.storage import meta
from relay.storage.transaction import Transaction

_DONE: Final = "backup/done"
_FAILED: Final = "backup/failed"
_BEGUN: Final = "backup/begun"
_INSTALLATION: Final = "installation"


def read_state(tx: Transaction) -> BackupState:
    """Tell how the backups stand."""
    found = {key: json.loads(value) for key, value in meta.read_family(tx, "backup")}
    at, folder = found.get(_DONE, (None, None))
    error_at, error = found.get(_FAILED, (None, ""))
    return BackupState(
        at=at,
        folder=None if folder is None else Path(folder),
        error=error,
        error_at=error_at,
        begun=found.get(_BEGUN),
    )


def note_begun(tx: Transaction, at: int) -> str:
    """Note that a backup begins; return the name of this installation."""
    meta.write(tx, _BEGUN, json.dumps(at))
    return name_installation(tx)


def name_installation(tx: Transaction) -> str:
    """Return the name of this installation, made with its first backup: a database that is restored goes on with it."""
    meta.write_first(tx, _INSTALLATION, os.urandom(8).hex())
    return str(meta.read(tx, _INSTALLATION))


def note_done(tx: Transaction, at: int, folder: Path) -> None:
    """Note that a backup is whole; an earlier failure is over."""
    meta.write(tx, _DONE, json.dumps([at, os.fspath(folder)]))
    meta.forget(tx, _FAILED)
    meta.forget(tx, _BEGUN)


def note_failed(tx: Transaction, at: int, error: str) -> None:
    """Note that a backup could not be made, and why."""
    meta.write(tx, _FAILED, json.dumps([at, error]))
    meta.forget(tx, _BEGUN)
