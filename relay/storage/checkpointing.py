"""Copies SQLite's log into the database's file while the writer goes on writing.

SQLite itself copies at the end of a commit, when the log has grown by 4 MB: whoever waits for that commit waits for the
copy, too. Here a second thread copies what is there; the writer copies only what it has written meanwhile, for only a
log that is copied to its end begins anew (https://www.sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
A copy that fails loses nothing: the log still has all of it, and the next copy takes it along.
"""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from sqlalchemy import Engine

from relay.storage.engine import WriteConnection

_DUE: Final = 4 << 20
"""Octets that are copied at once."""
_REST: Final = 1 << 20
"""So few the writer copies itself, to the log's end, and the log begins anew."""
_MOST: Final = 64 << 20
"""Octets of a log that does not begin anew; then the writer copies whatever is left, and its callers wait."""
_COMMIT: Final = 48 << 10
"""Octets of the log that a commit takes beside those of the bodies: some twelve pages."""


class Checkpointer:
    """Belongs to the one writer of a SQLite database, and to its thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue-log")
        self._copy: Future[None] | None = None
        self._log = self._fresh = 0
        """Octets in the log, about: since it began anew, and since the last copy began."""

    def committed(self, connection: WriteConnection, octets: int) -> None:
        """Note a commit, with so many octets of bodies, through the writer's own connection."""
        self._log += octets + _COMMIT
        self._fresh += octets + _COMMIT
        is_full = self._log >= _MOST
        if self._copy is not None and (is_full or self._copy.done()):
            self._copy.result()
            self._copy = None
            if is_full or self._fresh <= _REST:
                with contextlib.suppress(Exception):
                    connection.checkpoint()
                self._log = self._fresh = 0
        if self._copy is None and self._fresh >= _DUE:
            self._fresh = 0
            self._copy = self._thread.submit(self._run)

    def close(self) -> None:
        """Wait for what runs."""
        self._thread.shutdown()

    def _run(self) -> None:
        with contextlib.suppress(Exception):
            connection = WriteConnection(self._engine)
            try:
                connection.checkpoint()
            finally:
                connection.abandon()
