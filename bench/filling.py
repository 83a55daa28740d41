"""Databases of the relay with many mails in them: what months of use, or a day without a provider, leave behind."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from relay.model.ids import make_id
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database

_HEADER = b"Received: from x\r\nFrom: sales@example.com\r\nSubject: a mail\r\nX-Pad: %s\r\n" % (b"p" * 300)
_BODY = b"0123456789" * 400
_DAY = 86_400_000
_BATCH = 20_000


def fill(database: Path, count: int, *, queued: bool) -> None:
    """Write so many mails of the last 80 days into a database of ours: all delivered, or all waiting."""
    engine = open_engine(f"sqlite:///{database}")
    prepare_database(engine)
    engine.dispose()
    now = time.time_ns() // 1_000_000
    state, outcome = ("queued", "pending") if queued else ("done", "delivered")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for begin in range(0, count, _BATCH):
            moments = [now - 80 * _DAY + 79 * _DAY * n // count for n in range(begin, min(begin + _BATCH, count))]
            if queued:
                moments = [now - count + n for n in range(begin, min(begin + _BATCH, count))]
            ids = [(make_id(at, os.urandom(10)), make_id(at, os.urandom(10)), at) for at in moments]
            connection.executemany(
                'INSERT INTO message (id, received_at, "user", account, rule, reverse_path, header_message_id, subject,'
                " size, client, header, eightbit, smtputf8, notice, why)"
                " VALUES (?, ?, 'anna', 'sales', '1a', 'sales@example.com', ?, 'a mail', 4500, '192.0.2.9', ?, 0, 0, 0,"
                " '')",
                [(m, at, f"<{m}@example.com>", _HEADER) for m, _, at in ids],
            )
            connection.executemany(
                "INSERT INTO delivery (id, message_id, destination, version, state, due, since, attempts, tried,"
                " uncertain, node, source) VALUES (?, ?, 'account:sales', 0, ?, ?, ?, ?, ?, 0, '', ?)",
                [
                    (d, m, state, at, at, not queued, not queued, f"anna 192.0.2.{n % 9}")
                    for n, (m, d, at) in enumerate(ids)
                ],
            )
            connection.executemany(
                "INSERT INTO recipient (message_id, n, delivery_id, address, kind, outcome)"
                " VALUES (?, 0, ?, 'customer@example.net', 'to', ?)",
                [(m, d, outcome) for m, d, _ in ids],
            )
            if queued:
                rows = [(m, _BODY) for m, _, _ in ids]
                connection.executemany("INSERT INTO content VALUES (?, 0, 0, ?)", rows)
            else:
                connection.executemany(
                    "INSERT INTO attempt VALUES (?, 1, ?, ?, 0.1, 250, '2.0.0', 'taken')",
                    [(d, d, at) for _, d, at in ids],
                )
            connection.commit()
    with database.open("rb+") as stream:
        os.fsync(stream.fileno())  # or the disk would still be busy with it when something is measured
