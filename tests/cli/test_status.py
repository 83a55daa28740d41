"""`relay status`: one line, figures behind a bar, an exit status that monitoring understands."""

import contextlib
import json
import re
import socket
import sqlite3
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from relay.places import digest_of
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from tests.cli.conftest import Run
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.storage.conftest import postgresql_server

FIGURES = re.compile(
    r" \| waiting=\d+;;;0 oldest=\d+s;;;0 held=\d+;;0;0 quarantined=\d+;;0;0 disk_free=\d+B;\d+:;\d+:;0$"
)


def test_without_a_service_it_says_so_and_needs_you(run: Run, queued: list[str]) -> None:
    said = run("status")
    assert said.status == 2
    assert len(queued) == 2
    (line,) = said.out.splitlines()
    assert line.startswith("needs you: The mail service is not running (held up: 2 e-mails) | waiting=2;;;0")
    assert FIGURES.search(line)


def test_verbose_names_each_finding_with_what_to_do(run: Run, queued: list[str]) -> None:
    run("queue", "hold", queued[0])
    run("account", "pause", "sales")
    said = run("status", "-v")
    assert said.out.splitlines()[0].startswith("needs you: The mail service is not running (held up: 1 e-mail) - and 2")
    assert 'needs you: Account "sales": 1 e-mail stopped' in said.out
    assert 'watch: Account "sales" was paused by a person' in said.out
    assert said.out.count("  What to do: ") == 3


def test_times_are_those_of_the_office_whatever_the_machines_clock_says(
    run: Run, config: Path, queued: list[str]
) -> None:
    run("queue", "hold", queued[0])
    run("account", "pause", "sales")
    text = config.read_text()
    shown = []
    for zone in ("Asia/Tokyo", "UTC"):
        config.write_text(f'{text}\n[schedule]\ntimezone = "{zone}"\n')
        since = re.findall(r"  Since: (.*)", run("status", "-v").out)
        assert {one[-3:] for one in since} == {"JST" if zone == "Asia/Tokyo" else "UTC"}
        shown.append(min(datetime.fromisoformat(one[:-4]) for one in since))
    assert shown[0] - shown[1] == timedelta(hours=9)


def test_as_json_times_are_iso_and_states_have_the_names_of_the_contract(run: Run, queued: list[str]) -> None:
    run("queue", "hold", queued[0])
    said = run("status", "--json")
    assert said.status == 2
    told = said.json
    assert (told["grade"], told["running"], told["waiting"], told["active"], told["held"]) == (
        "needs_you",
        "no",
        1,
        0,
        1,
    )
    iso = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    assert iso.fullmatch(told["at"])
    assert iso.fullmatch(told["oldest"])
    assert [one["kind"] for one in told["findings"]] == ["service_down", "held"]
    assert told["accounts"][0]["name"] == "sales"
    assert told["accounts"][0]["held"] == 1


def test_before_there_is_a_database_the_service_is_just_not_running(run: Run, config: Path) -> None:
    Path(load_settings(config).database.removeprefix("sqlite:///")).unlink()
    said = run("status")
    assert (said.status, said.err) == (2, "")
    assert said.out.startswith("needs you: The mail service is not running | waiting=0")


@pytest.mark.parametrize("wrong", [["--no-such"], ["too", "many"], ["-c"]])
def test_wrong_usage_is_3_and_not_ill(run: Run, wrong: list[str]) -> None:
    said = run("status", *wrong, config_file=None)
    assert said.status == 3
    assert "Error: " in said.err
    assert run("statuss", config_file=None).status == 2  # of any other command


def test_mistakes_in_the_configuration_are_3_and_named_on_standard_output(run: Run, config: Path) -> None:
    config.write_text(
        config.read_text().replace('postmaster = "anna"', 'postmaster = "nobody"').replace("9\n", "99999\n")
    )
    said = run("status")
    assert said.status == 3
    assert said.out.startswith("can't be told: relay.toml: ")
    assert "postmaster" in said.out
    assert run("status", "--json").json["grade"] == "unknown"
    assert run("status", config_file=config.with_name("none.toml")).status == 3


def test_a_database_that_can_not_be_read_is_3(run: Run, config: Path) -> None:
    Path(load_settings(config).database.removeprefix("sqlite:///")).write_bytes(b"no database" * 100)
    said = run("status")
    assert said.status == 3
    assert said.out.startswith("can't be told: ")


def test_an_older_database_is_3(run: Run, config: Path) -> None:
    path = Path(load_settings(config).database.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    database.close()
    assert run("status").status == 3


def test_a_database_that_another_keeps_for_itself_is_not_waited_for(run: Run, queued: list[str], config: Path) -> None:
    assert queued
    with contextlib.closing(sqlite3.connect(load_settings(config).folder / "relay.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE meta SET value = value")
        begun = time.monotonic()
        said = run("status")
        assert time.monotonic() - begun < 8
    assert said.status == 3
    assert "another program" in said.out


def test_a_service_that_gives_no_answer_is_not_waited_for(run: Run, config: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(config.parent / "relay.sock"))
    listening.listen()
    with listening:
        begun = time.monotonic()
        said = run("status")
        assert time.monotonic() - begun < 8  # it asks for 2 s, on a machine that may be busy
    assert said.status == 2
    assert said.out.startswith("needs you: The mail service gives no answer (technical cause: the service has given")


def test_it_leaves_nothing_behind(run: Run, config: Path) -> None:
    before = {path.name for path in config.parent.iterdir()}
    run("status")
    assert {path.name for path in config.parent.iterdir()} - {"relay.db-wal", "relay.db-shm"} <= before


def test_a_bar_in_a_name_does_not_reach_the_figures(tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    folder = tmp_path / "a|b"
    folder.mkdir()
    path.write_text(path.read_text() + '[storage]\nfolder = "a|b"\n[limits]\nfree_space = "1024 GiB"\n')
    said = run("status", "-v", config_file=path)
    assert "a/b" in said.out
    assert said.out.count("|") == 1
    assert FIGURES.search(said.out.splitlines()[0])


@pytest.mark.peer
def test_a_database_that_was_deleted_under_the_service_is_no_empty_queue(tmp_path: Path) -> None:
    config = write_config(tmp_path, accounts=[make_account("sales", 9)])
    with RelayProcess(config) as relay:
        for path in filter(Path.is_file, tmp_path.glob("relay.db*")):
            path.unlink()
        told = json.loads(relay.run("status", "--json", check=False))
        assert told["grade"] == "unknown"
        assert "the database is gone, while the service runs" in told["reasons"][0]
        assert "there is no database yet" not in relay.run("queue", "list", check=False)
    told = json.loads(relay.run("status", "--json", check=False))
    assert told["grade"] == "needs_you"


@pytest.mark.peer
def test_a_running_service_is_fine_and_a_change_is_to_be_watched(tmp_path: Path) -> None:
    config = write_config(tmp_path, accounts=[make_account("sales", 9)], limits={"free_space": "1 MiB"})
    with RelayProcess(config) as relay:
        told = json.loads(relay.run("status", "--json", check=False))
        assert told["running"] == "yes"
        kinds = {one["kind"] for one in told["findings"]}
        assert kinds <= {"disk_low"}  # the disk of whoever tests may be full
        config.write_text(config.read_text() + "# a comment\n")
        told = json.loads(relay.run("status", "--json", check=False))
        assert "configuration_changed" in {one["kind"] for one in told["findings"]}
        assert told["grade"] == "watch"
        relay.run("reload")
        told = json.loads(relay.run("status", "--json", check=False))
        assert {one["kind"] for one in told["findings"]} == kinds
    assert digest_of(config) != digest_of(tmp_path / "none")


@pytest.mark.peer
def test_a_database_of_postgresql_is_read_and_one_that_hangs_is_not_waited_for(tmp_path: Path, run: Run) -> None:
    with postgresql_server(tmp_path) as url:
        config = write_config(tmp_path, accounts=[make_account("sales", 9)], storage={"database": url})
        assert run("status", "--json", config_file=config).json["running"] == "no"  # it has no tables yet
        engine = open_engine(url)
        prepare_database(engine)
        engine.dispose()
        told = run("status", "--json", config_file=config).json
        assert [one["kind"] for one in told["findings"] if one["kind"] != "disk_low"] == ["service_down"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"postgresql+psycopg://u:secret@127.0.0.1:{silent.getsockname()[1]}/relay"
        config = write_config(tmp_path, accounts=[make_account("sales", 9)], storage={"database": hanging})
        begun = time.monotonic()
        said = run("status", config_file=config)
        assert time.monotonic() - begun < 15
    assert said.status == 3
    assert said.out.startswith("can't be told: ")
    assert "secret" not in said.out + said.err
