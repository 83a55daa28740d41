"""Opens a file of SQLite by the driver alone: a copy that is made, looked through or changed, of any released schema.

SQLAlchemy's engine (`engine.py`) would prepare it as this release's database, with a write-ahead log beside it.
"""

import contextlib
import sqlite3
from pathlib import Path


def opened_file(
    file: Path, mode: str, *, immutable: bool = False, patience: float = 5.0
) -> contextlib.closing[sqlite3.Connection]:
    """Open a file for a `with`, which closes it. Raises sqlite3.Error.

    `mode` is SQLite's: `ro`, `rw` (nothing is made where the name is wrong) or `rwc`; `immutable`: whatever stands
    beside the file is not looked at. `patience` is how many seconds to wait for others.
    """
    uri = f"{file.absolute().as_uri()}?mode={mode}{'&immutable=1' * immutable}"
    return contextlib.closing(sqlite3.connect(uri, uri=True, timeout=patience))
