import os
import sqlite3
from pathlib import Path

import pytest

from relay.cli.configuration import require_own_hand
from relay.cli.telling import find_own_file
from relay.settings import load_settings
from relay.storage.upgrade import NONE_YET
from tests.cli.conftest import Run
from tests.peers.machine import require_root


def test_mistakes_end_with_2_and_a_line_for_each(run: Run, config: Path) -> None:
    config.write_text(
        config.read_text().replace('host = "127.0.0.1"', 'hots = "127.0.0.1"').replace('"sales"', '"old"', 1)
    )
    for command in (["check"], ["queue", "list"], ["trace", "x"], ["account", "list"], ["explain"], ["serve"]):
        said = run(*command)
        assert said.status == 2
        assert said.out == ""
        assert len(said.err.splitlines()) >= 3
        assert all(line.startswith("relay.toml: ") for line in said.err.splitlines())


def test_the_variable_and_the_folder_name_the_configuration(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELAY_CONFIG", str(config))
    assert run("check", config_file=None).status == 0
    monkeypatch.delenv("RELAY_CONFIG")
    monkeypatch.chdir(config.parent)
    assert run("check", config_file=None).status == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = run("check", config_file=None)
    assert said.status == 2
    assert "RELAY_CONFIG" in said.err


def test_root_takes_no_configuration_that_a_stranger_has_put_where_root_stands(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_root("to give files away")
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    monkeypatch.chdir(config.parent)
    os.chown(config, 54321, 54321)
    for command in (["check"], ["account", "test", "sales"], ["status"], ["restore"]):
        said = run(*command, config_file=None)
        assert said.status == (3 if command == ["status"] else 2)
        assert "relay.toml is of uid 54321, who could have written it for root to run" in said.out + said.err
    assert run("check").status == 0
    assert find_own_file(None) is None
    assert find_own_file(config.name) == Path(config.name)
    settings = load_settings(config)
    require_own_hand(str(config), settings)
    os.chown(config.parent, 54321, 54321)  # who may choose what is his own
    require_own_hand(None, settings)


def test_a_command_that_logs_in_nowhere_needs_no_passwords(run: Run, config: Path) -> None:
    login = '\nusername = "u"\npassword_file = "missing"\n'
    config.write_text(config.read_text().replace('security = "none"', f'security = "none"{login}', 1))
    for command in (["queue", "list"], ["account", "list"], ["account", "pause", "sales"], ["explain"]):
        assert run(*command).status == 0
    checked, tested = run("check"), run("account", "test", "sales")
    assert (checked.status, tested.status) == (0, 1)
    assert "password_file" in checked.out
    assert "password_file" in tested.out
    assert run("queue", "run").status == 0  # there is nothing to log in for


def test_a_database_that_cant_be_opened_is_one_line_and_1(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + '\n[storage]\ndatabase = "sqlite:////nowhere/at/all.db"\n')
    said = run("queue", "list")
    assert said.status == 1
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err


COMMANDS = [
    ("queue", "list", "--json"), ("queue", "run"), ("queue", "hold", "--all", "--yes"), ("trace", "abcdef"),
    ("account", "pause", "sales"), ("backup", "copy.db"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_makes_a_database(run: Run, config: Path, command: tuple[str, ...]) -> None:
    (config.parent / "relay.db").unlink()
    before = {path.name for path in config.parent.iterdir()}
    said = run(*command)
    assert (said.status, said.out) == (1, "")
    assert said.err == f"{config.parent}/relay.db: {NONE_YET}\n"
    assert {path.name for path in config.parent.iterdir()} == before
    (config.parent / "relay.db").touch()  # a service that has just begun
    assert run(*command).err == f"{NONE_YET}\n"


@pytest.mark.parametrize("command", [*COMMANDS, ("account", "list")], ids=" ".join)
def test_no_command_upgrades_a_database(run: Run, config: Path, command: tuple[str, ...]) -> None:
    file = config.parent / "relay.db"
    file.unlink()
    old = sqlite3.connect(file)
    old.executescript((Path(__file__).parents[1] / "storage" / "released" / "1.sqlite.sql").read_text())
    old.close()
    said = run(*command)
    assert (said.status, said.out) == (1, "")
    assert said.err == "the database is of an older release: start the service once, it upgrades it\n"
    assert not list(config.parent.glob("*.schema-*"))


@pytest.mark.parametrize(
    "command",
    [
        "queue list", "queue show {id}", "queue hold {id}", "queue delete --yes {id}", "trace {id}", "account list",
        "account pause sales", "quarantine list", "backup copy.db", "restore --yes {folder}/copy.db",
        "explain --from x@y.example", "dovecot-config", "report report.json",
    ],
)  # fmt: skip
def test_commands_that_log_in_nowhere_need_no_secrets(
    run: Run, config: Path, queued: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of passwords may be root's, or there only while the unit runs: a restore needs it stopped."""
    monkeypatch.chdir(config.parent)
    assert run("backup", "copy.db").status == 0
    login = 'security = "none"\nusername = "u"\npassword_file = "/run/credentials/relay.service/sales"'
    config.write_text(config.read_text().replace('security = "none"', login, 1))
    assert "this account alone can't log in until it is there: /run/credentials is there only while" in run("check").out
    said = run(*command.format(id=queued[0], folder=config.parent).split())
    assert said.status == 0, said.err
    assert "credentials" not in said.err
