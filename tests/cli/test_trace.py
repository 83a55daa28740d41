"""`relay trace` tells what servers said, and nothing that a server says looks as if the relay told it."""

import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("both_ways")

FORGED = "2026-01-01 00:00:00  attempt 9 by sales, 0.01 s: 250 2.0.0 Ok"
SECOND = 1000
REPLY = f"no\n{FORGED}\r\nNow: the mail is done\x1b[2J\x9b31m\u202e"


def test_a_reply_of_many_lines_forges_none(run: Run, config: Path, queued: list[str]) -> None:
    (delivery,) = run("trace", queued[0], "--json").json[0]["deliveries"]
    connection = sqlite3.connect(config.parent / "relay.db")
    with connection:
        connection.execute("UPDATE recipient SET reply = ?, outcome = 'bounced', code = 550", (REPLY,))
        connection.execute(
            "INSERT INTO attempt (key, delivery_id, n, at, seconds, code, enhanced, reply)"
            " VALUES ('k', ?, 1, 1780000000000, 0.1, 550, '5.7.1', ?)",
            (delivery["delivery_id"], REPLY),
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


def write_history(
    config: Path, queue_id: str, account: str, tries: list[int], events: list[tuple[int, str, str]]
) -> None:
    """Write attempts and events of a mail with one delivery, which is of an account now."""
    connection = sqlite3.connect(config.parent / "relay.db")
    with connection:
        connection.execute("UPDATE delivery SET destination = ? WHERE message_id = ?", (f"account:{account}", queue_id))
        for n, at in enumerate(tries, 1):
            connection.execute(
                "INSERT INTO attempt (key, delivery_id, n, at, seconds, code, enhanced, reply)"
                " SELECT ?, id, ?, ?, 0.1, 451, '4.7.1', 'later' FROM delivery WHERE message_id = ?",
                (f"k{n}", n, at, queue_id),
            )
        for at, what, detail in events:
            connection.execute("INSERT INTO event (message_id, at, what, detail) VALUES (?, ?, ?, ?)",
                               (queue_id, at, what, detail))  # fmt: skip
    connection.close()


def attempts_in(said: str) -> list[str]:
    """Give each attempt with its account, as a trace shows them."""
    return re.findall(r"attempt [0-9]+(?: by [^,]*)?(?=,)", said)


BY_COMMAND = "by command, to the account "


@pytest.mark.parametrize(
    ("account", "events", "by"),
    [
        ("sales", [], ["sales", "sales", "sales"]),
        ("backup", [(15, "moved", BY_COMMAND + "backup")], ["sales", "backup", "backup"]),
        ("backup", [(35, "moved", BY_COMMAND + "backup")], ["sales", "sales", "sales"]),
        (
            "third",
            [(15, "moved", BY_COMMAND + "backup"), (25, "moved", BY_COMMAND + "third")],
            ["sales", "backup", "third"],
        ),
        ("", [(25, "notice_moved", "backup fails: into the inbox")], ["backup", "backup", "the inbox"]),
        (
            "",
            [(15, "notice_moved", "a fails: through b"), (25, "notice_moved", "b fails: into the inbox")],
            ["a", "b", "the inbox"],
        ),
        ("", [(25, "moved", BY_COMMAND + "backup")], ["the inbox", "the inbox", "the inbox"]),
    ],
)
def test_each_attempt_is_told_with_the_account_that_made_it(
    run: Run, config: Path, queued: list[str], account: str, events: list[tuple[int, str, str]], by: list[str]
) -> None:
    now = 1_990_000_000_000
    history = [(now + at * SECOND, what, detail) for at, what, detail in events]
    write_history(config, queued[0], account, [now + at * SECOND for at in (10, 20, 30)], history)
    said = run("trace", queued[0])
    assert attempts_in(said.out) == [f"attempt {n} by {name}" for n, name in enumerate(by, 1)]
    shown = run("queue", "show", queued[0]).out
    others = Counter(name for name in by if name != (account or "the inbox"))
    assert ("before it was moved" in shown) is bool(others)
    for name, count in others.items():
        assert f"{count} by {name}" in shown


def test_an_attempt_of_an_account_that_nothing_tells_has_none(run: Run, config: Path, queued: list[str]) -> None:
    connection = sqlite3.connect(config.parent / "relay.db")
    with connection:
        connection.execute("UPDATE message SET account = ''")
    connection.close()
    now = 1_990_000_000_000
    write_history(config, queued[0], "backup", [now, now + 2], [(now + 1, "moved", BY_COMMAND + "backup")])
    assert attempts_in(run("trace", queued[0]).out) == ["attempt 1", "attempt 2 by backup"]
    assert "(1 by another account, before it was moved)" in run("queue", "show", queued[0]).out
