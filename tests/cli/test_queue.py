"""The queue's commands without a running service: they are the service for that moment."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from relay.settings import load_settings
from relay.storage.lock import StorageLock
from relay.supervisor import Service
from tests.cli.conftest import Run, runs_both_ways
from tests.peers.relay_process import ANNA, make_account, write_config
from tests.peers.sink import Sink


@runs_both_ways
def test_an_empty_queue_says_so(run: Run) -> None:
    assert run("queue", "list").out == "The queue is empty: nothing waits.\n"
    assert run("queue", "list", "--json").json == []


@runs_both_ways
def test_what_waits_is_listed(run: Run, queued: list[str]) -> None:
    out = run("queue", "list").out
    assert all(queue_id in out for queue_id in queued)
    assert "\x1b" not in out
    rows = run("queue", "list", "--json").json
    assert [row["queue_id"] for row in rows] == queued[::-1]
    assert run("queue", "list", "--account", "old", "--json").json == []
    assert len(run("queue", "list", "--user", "anna", "--limit", "1", "--json").json) == 1


@runs_both_ways
def test_one_mail_is_shown_by_the_beginning_of_its_id_or_its_message_id(run: Run, queued: list[str]) -> None:
    shown = run("queue", "show", queued[0], "--json").json[0]
    assert shown["rule"] == "1a"
    out = run("queue", "show", shown["message_id"]).out
    assert "1a" in out
    assert "customer@example.net: waits for its turn" in out
    assert run("trace", queued[0]).status == 0
    assert "accepted: rule 1a" in run("trace", queued[0]).out
    assert run("trace", queued[0], "--json").json[0]["queue_id"] == queued[0]


@runs_both_ways
@pytest.mark.parametrize("name", ["nothing", "x", "<no@id>", "01", "%" * 10])
def test_what_is_not_there_is_one_line_and_1(run: Run, name: str) -> None:
    for command in (("queue", "show"), ("queue", "retry"), ("trace",), ("queue", "delete", "--yes")):
        said = run(*command, name)
        assert said.status == 1
        assert len(said.err.splitlines()) == 1


def test_queue_run_is_the_service_for_that_moment(run: Run, config: Path, queued: list[str]) -> None:
    said = run("queue", "run")  # the provider is not there
    assert said.status == 1
    assert said.out.splitlines()[0] == "2 mails to try"
    assert "still wait" in said.err
    with Sink() as sink:
        write_config(config.parent, accounts=[make_account("sales", sink.port)], users=[ANNA])
        assert run("queue", "retry", *queued).status == 0
        assert run("queue", "run").status == 0
        assert len(sink.wait_for(2)) == 2
    assert run("queue", "list", "--json").json == []
    assert len(run("queue", "list", "--state", "delivered", "--json").json) == 2
    assert "message_delivered" not in run("queue", "list").out


@runs_both_ways
def test_the_list_says_why_an_account_stands_still(run: Run, queued: list[str]) -> None:
    assert queued
    run("account", "pause", "sales")
    assert "Account sales is paused since" in run("queue", "list").out


def test_two_services_of_one_folder_are_refused(run: Run, config: Path, queued: list[str]) -> None:
    with StorageLock(config.parent, load_settings(config).database):
        said = run("queue", "run")
        assert said.status == 1
        assert "another" in said.err.lower()
    assert len(queued) == 2


@runs_both_ways
def test_a_run_does_not_promise_what_a_paused_account_keeps(run: Run, queued: list[str]) -> None:
    run("account", "pause", "sales")
    said = run("queue", "run")
    assert said.status == 0
    first, second = said.out.splitlines()
    assert first == "0 mails to try"
    assert second.startswith("2 mails wait for the account sales, which is paused since 20")
    assert second.endswith("(by command): `relay account resume sales` lets it send")
    said = run("queue", "retry", queued[0])
    assert "Not by the account sales, which is paused since 20" in said.out

    assert queued


def test_one_is_not_called_by_the_plural(run: Run, queued: list[str]) -> None:
    assert run("queue", "hold", queued[0]).out == "1 mail held\n"
    assert run("queue", "hold", queued[1]).out == "1 mail held\n"
    said = run("queue", "delete", queued[0]).err
    assert "Nothing is deleted yet. This would delete 1 mail for good, and those who have not got it yet" in said
    assert "delete 2 mails for good, and those who have not got them yet" in run("queue", "delete", *queued).err
    run("queue", "release", queued[0])
    assert run("queue", "run").err.endswith("1 mail still waits: `relay queue list` says why\n")


@runs_both_ways
def test_a_mail_is_shown_before_it_is_deleted(run: Run, queued: list[str]) -> None:
    said = run("queue", "delete", queued[0])
    assert said.status == 2
    assert queued[0] in said.out
    assert "customer@example.net" in said.out
    assert "one" in said.out


@runs_both_ways
def test_an_id_that_is_too_short_is_told_so(run: Run, queued: list[str]) -> None:
    for command in (("queue", "hold"), ("queue", "show"), ("trace",)):
        said = run(*command, queued[0][:4])
        assert said.status == 1
        assert said.err == f"{queued[0][:4]!r} is too short: give at least 6 characters of the id, or all of it\n"


READING = [("queue", "list"), ("queue", "show"), ("trace",), ("account", "list"), ("quarantine", "list")]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_who_only_reads_is_told_that_no_service_runs(
    run: Run, config: Path, queued: list[str], command: tuple[str, ...]
) -> None:
    arguments = [*command, *(queued[:1] if command in {("queue", "show"), ("trace",)} else [])]
    for more in ([], ["--json"]):
        said = run(*arguments, *more)
        assert said.status == 0
        assert said.err.startswith(f"The service is not running ({config.parent}): nothing is sent or collected until")

    async def beside() -> str:
        service = Service(load_settings(config))
        await service.start()
        try:
            return (await asyncio.to_thread(run, *arguments)).err
        finally:
            await service.stop()

    assert asyncio.run(beside()) == ""


def test_whoever_reads_no_further_gets_no_message(config: Path, queued: list[str]) -> None:
    assert queued
    relay = [sys.executable, "-m", "relay", "queue", "list", "-c", str(config)]
    for more in ([], ["--json"]):
        read, write = os.pipe()
        os.close(read)
        ended = subprocess.run([*relay, *more], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert ended.returncode == 1
        assert "pipe" not in ended.stderr.lower()
        assert "Traceback" not in ended.stderr
