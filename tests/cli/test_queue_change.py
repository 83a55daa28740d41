"""The commands that change what waits."""

import asyncio
import math
import os
import pty
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from relay.model.destination import to_account
from relay.settings import load_settings
from relay.supervisor import Service
from tests.cli.conftest import Run, hand_in, runs_both_ways
from tests.peers.relay_process import ANNA, make_account, write_config
from tests.peers.sink import Sink


@runs_both_ways
def test_held_mail_waits_until_it_is_released_or_deleted(run: Run, queued: list[str]) -> None:
    assert run("queue", "hold", *queued).out == "2 mails held\n"
    assert {row["state"] for row in run("queue", "list", "--json").json} == {"held"}
    said = run("queue", "delete", queued[0])
    assert said.status == 2
    assert "--yes" in said.err
    assert run("queue", "delete", "--yes", queued[0]).out == "1 mail deleted\n"
    assert [row["queue_id"] for row in run("queue", "list", "--json").json] == queued[1:]


def test_mail_moves_to_another_account_with_its_sender(run: Run, config: Path) -> None:
    queued = asyncio.run(hand_in(config, ["one", "two"], sender="sales@example.com"))
    (bounce,) = asyncio.run(hand_in(config, ["three"]))
    with Sink() as sink:
        accounts = [make_account("sales", 9), make_account("backup", sink.port, address="backup@example.com")]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        assert run("queue", "move", queued[0], "--account", "nobody").status == 1
        assert run("queue", "move", "--from-account", "sales", "--account", "backup", "--yes").out == "3 mails moved\n"
        assert {row["account"] for row in run("queue", "list", "--json").json} == {"backup"}
        assert {row["sender"] for row in run("queue", "list", "--json").json} == {"backup@example.com", ""}
        assert run("queue", "run").status == 0
        mails = sink.wait_for(3)
    assert {(mail.field("Subject")[0], mail.reverse_path) for mail in mails} == {
        (b"one", "backup@example.com"),
        (b"two", "backup@example.com"),
        (b"three", ""),  # what has the null sender keeps it
    }
    assert all(b"From: backup@example.com" in mail.data for mail in mails)
    life = run("trace", queued[0]).out
    assert "accepted: rule 1a, account sales" in life
    assert re.search("moved: by command of .+, to the account backup", life)
    assert "envelope sender <backup@example.com>" in life
    assert life.index("moved:") < life.index("attempt 1 by backup")
    assert "by the account backup: 1 attempt" in run("queue", "show", bounce).out


@runs_both_ways
def test_what_is_deleted_is_deleted_whole_and_remembered(run: Run, config: Path) -> None:
    (queue_id,) = asyncio.run(hand_in(config, ["one"], to=3))
    said = run("queue", "delete", "--to", "customer@*")
    assert said.status == 2
    assert "customer@example.net, other1@example.net, other2@example.net" in said.out
    assert "those who have not got it yet never will" in said.err
    assert run("queue", "delete", "--to", "customer@*", "--yes").out == "1 mail deleted\n"
    assert run("queue", "list", "--json").json == []
    life = run("trace", queue_id)
    assert life.status == 0
    assert "deleted: by command" in life.out
    assert life.out.count(".net: deleted, not sent\n") == 3
    again = run("queue", "delete", "--yes", queue_id)
    assert (again.status, again.out) == (1, "0 mails deleted\n")
    assert again.err == f"{queue_id}: is done: nothing of it waits\n"


@runs_both_ways
def test_what_can_not_be_changed_is_a_failure_that_says_why(run: Run, queued: list[str]) -> None:
    run("queue", "hold", queued[0])
    for command, why in (
        (("hold",), "is held already"),
        (("retry",), "is held: `relay queue release` lets it go"),
    ):
        said = run("queue", *command, queued[0])
        assert (said.status, said.err) == (1, f"{queued[0]}: {why}\n")
        assert said.out.startswith("0 ")
    said = run("queue", "release", queued[1])
    assert (said.status, said.out, said.err) == (
        1,
        "0 mails released\n",
        f"{queued[1]}: is not held: there is nothing to release; to try it now: `relay queue retry {queued[1]}`\n",
    )
    both = run("queue", "hold", *queued)
    assert (both.status, both.out) == (1, "1 mail held\n")
    assert run("queue", "hold", "--all", "--yes").status == 0  # there is nothing, and nothing is wrong


@runs_both_ways
def test_a_filter_says_what_it_passed_over(run: Run, config: Path, queued: list[str]) -> None:
    database = sqlite3.connect(config.parent / "relay.db")
    database.execute("UPDATE delivery SET state = 'active' WHERE message_id = ?", [queued[0]])
    database.execute("INSERT INTO recipient SELECT message_id, 9, 'more', 'x@y.example', kind, outcome, code, enhanced,"
                     " reply, notify, orcpt FROM recipient WHERE n = 0 AND message_id = ?", [queued[0]])  # fmt: skip
    database.execute("INSERT INTO delivery SELECT 'more', message_id, destination, version, 'queued', due, since,"
                     " attempts, tried, uncertain, marked, token, node, lease_until, source, warned FROM delivery"
                     " WHERE message_id = ?", [queued[0]])  # fmt: skip
    database.commit()
    database.close()
    said = run("queue", "delete", "--all", "--yes")
    assert (said.status, said.out, said.err) == (0, "1 mail deleted\n", "1 mail skipped: is being sent now\n")
    assert run("queue", "delete", "--yes", queued[0]).status == 1


@runs_both_ways
def test_what_would_be_held_again_is_not_released(run: Run, config: Path, queued: list[str]) -> None:
    run("queue", "hold", *queued)
    write_config(config.parent, accounts=[make_account("sales", 9, excluded=True)], users=[ANNA])
    said = run("queue", "release", queued[0])
    assert (said.status, said.out) == (1, "0 mails released\n")
    assert "its account sales is excluded or gone" in said.err
    assert run("queue", "release", "--all", "--yes").status == 1


def test_a_retry_counts_its_own_mails_alone(run: Run, config: Path) -> None:
    (ours,) = asyncio.run(hand_in(config, ["one"]))
    asyncio.run(hand_in(config, ["two"]))
    run("queue", "hold", ours)
    (other,) = asyncio.run(hand_in(config, ["three"]))
    with Sink() as sink:
        write_config(config.parent, accounts=[make_account("sales", sink.port)], users=[ANNA])
        said = run("queue", "retry", other)
        assert (said.status, said.err) == (0, "")
        assert run("queue", "run").status == 0  # what is held is not what it is about


@runs_both_ways
def test_an_excluded_account_takes_over_nothing(run: Run, queued: list[str]) -> None:
    said = run("queue", "move", *queued, "--account", "old")
    assert said.status == 1
    assert "excluded" in said.err
    assert {row["account"] for row in run("queue", "list", "--json").json} == {"sales"}


@runs_both_ways
def test_a_mail_that_is_moved_keeps_its_next_attempt_and_it_is_said(run: Run, config: Path, queued: list[str]) -> None:
    accounts = [make_account("sales", 9), make_account("backup", 9, address="backup@example.com")]
    write_config(config.parent, accounts=accounts, users=[ANNA])
    database = sqlite3.connect(config.parent / "relay.db")
    database.execute("UPDATE delivery SET due = 1990000000000 WHERE message_id = ?", [queued[0]])
    database.commit()
    database.close()
    said = run("queue", "move", "--all", "--yes", "--account", "backup")
    assert said.status == 0
    moved, when = said.out.splitlines()
    assert moved == "2 mails moved"
    assert when.startswith(f"{queued[0]} keeps its next attempt, 2033-")
    assert when.endswith(f": `relay queue retry {queued[0]}` sends it now")
    run("queue", "hold", *queued)
    assert run("queue", "move", *queued, "--account", "sales").out == (
        "2 mails moved\n"
        "2 of them are held still: `relay queue release --account sales` lets go what that account holds\n"
    )
    assert run("queue", "release", "--account", "sales", "--yes").out == "2 mails released\n"


@runs_both_ways
def test_what_is_being_delivered_is_counted_where_a_filter_leaves_it_alone(
    run: Run, config: Path, queued: list[str]
) -> None:
    database = sqlite3.connect(config.parent / "relay.db")
    with database:
        database.execute("UPDATE delivery SET state = 'active'")
    left = "being sent now, left alone: `relay queue list --state active` shows them\n"
    for command, what in (("hold", "held"), ("delete", "deleted")):
        said = run("queue", command, "--all", "--yes")
        assert (said.status, said.out, said.err) == (1, f"0 mails {what}\n", f"2 mails are {left}")
        for narrow in (("--account", "old"), ("--state", "waiting")):
            assert run("queue", command, *narrow, "--yes").err == "No mail matches; 2 are being sent.\n"
    with database:
        database.execute("UPDATE delivery SET state = 'queued' WHERE message_id = ?", [queued[0]])
    database.close()
    said = run("queue", "delete", "--all", "--yes")
    assert (said.status, said.out, said.err) == (0, "1 mail deleted\n", f"1 mail is {left}")


@runs_both_ways
def test_an_id_of_no_mail_may_be_that_of_a_refused_one(run: Run) -> None:
    for command in (("trace",), ("queue", "show"), ("queue", "hold")):
        said = run(*command, "01abcdefghijk")
        assert said.status == 1
        assert said.err == (
            "no mail in the queue has the id '01abcdefghijk': `relay queue list --all` shows those that there are;"
            " one that was refused, or left at the provider, stands only in the log\n"
        )


@pytest.mark.parametrize(("command", "hurried"), [("retry", "sales"), ("release", "sales"), ("move", "backup")])
def test_a_command_on_one_mail_hurries_its_account_alone(run: Run, config: Path, command: str, hurried: str) -> None:
    accounts = [make_account("sales", 9), make_account("backup", 9, address="backup@example.com")]
    write_config(config.parent, accounts=accounts, users=[ANNA])
    (queue_id,) = asyncio.run(hand_in(config, ["one"]))
    if command == "release":
        run("queue", "hold", queue_id)
    more = ["--account", "backup"] if command == "move" else []

    async def beside() -> list[str]:
        service = Service(load_settings(config))
        await service.start()
        try:
            lanes = [service.delivery._lanes.at(to_account(name)) for name in ("sales", "backup")]
            for lane in lanes:
                lane._backoff.until = math.inf
            said = await asyncio.to_thread(run, "queue", command, queue_id, *more)
            assert (said.status, said.err) == (0, "")
            return [lane.account for lane in lanes if lane._backoff.until == 0]
        finally:
            await service.stop()

    assert asyncio.run(beside()) == [hurried]


@pytest.mark.parametrize("command", ["hold", "retry", "delete"])
def test_many_show_on_a_terminal_how_far_it_is(config: Path, command: str) -> None:
    asyncio.run(hand_in(config, ["one", "two"]))
    relay = [sys.executable, "-m", "relay", "queue", command, "--all", "--yes", "-c", str(config)]
    ours, theirs = pty.openpty()
    ended = subprocess.run(relay, stdout=subprocess.PIPE, stderr=theirs, check=False, text=True)
    shown = os.read(ours, 65536).decode(errors="replace")
    os.close(ours)
    os.close(theirs)
    assert ended.stdout.startswith("2 mails ")
    assert {"hold": "Holding", "retry": "Making due", "delete": "Deleting"}[command] in shown
