"""`relay trace` tells what servers said, and nothing that a server says looks as if the relay told it."""

import sqlite3
from pathlib import Path

from tests.cli.conftest import Run

FORGED = "2026-01-01 00:00:00  attempt 9 by sales, 0.01 s: 250 2.0.0 Ok"
REPLY = f"no\n{FORGED}\r\nNow: the mail is done\x1b[2J\x9b31m\u202e"


def test_a_reply_of_many_lines_forges_none(run: Run, config: Path, queued: list[str]) -> None:
    (delivery,) = run("trace", queued[0], "--json").json[0]["deliveries"]
    connection = sqlite3.connect(config.parent / "relay.db")
    with connection:
        connection.execute("UPDATE recipient SET reply = ?, outcome = 'bounced', code = 550", (REPLY,))
        connection.execute(
            "INSERT INTO attempt (key, delivery_id, n, at, seconds, code, enhanced, reply)"
            " VALUES ('k', ?, 1, 1780000000000, 0.1, 550, '5.7.1', ?)",
            (delivery["id"], REPLY),
        )
        connection.execute(
            "INSERT INTO event (message_id, at, what, detail) VALUES (?, 1780000000000, 'held', ?)", (queued[0], REPLY)
        )
    connection.close()
    for command in (("trace", queued[0]), ("queue", "show", queued[0]), ("queue", "list")):
        said = run(*command)
        assert said.status == 0
        assert all(line.isprintable() for line in said.out.splitlines())
        assert not any(line.startswith((FORGED, "Now: the mail is done")) for line in said.out.splitlines())
        said = run(*command, "--json")
        assert said.out.isascii()
    assert FORGED in run("trace", queued[0]).out
