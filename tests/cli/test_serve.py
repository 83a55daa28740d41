"""What the unit asks before it starts the service, and that the files it brings are right."""

import tomllib
from pathlib import Path

import pytest

from relay.admin.unusable import LOGS_OF_UNIT
from relay.settings import load_settings
from relay.storage.lock import StorageLock
from tests.cli.conftest import Run
from tests.peers.relay_process import ANNA, ROOT, make_account, write_config

CONFIG = ROOT / "config"


def test_without_an_account_the_unit_hears_so_in_one_sentence(run: Run, tmp_path: Path) -> None:
    config = write_config(tmp_path, accounts=[], users=[{**ANNA, "notify": "inbox"}], archive=[])
    said = run("serve", "--condition")
    assert (said.status, said.err) == (1, "")
    assert said.out == (f"The mail service waits for its first account: relay init makes it, in {config}\n")


def test_with_an_account_it_starts_though_its_password_is_not_there_yet(run: Run, tmp_path: Path) -> None:
    """The service itself says that, and fails."""
    write_config(tmp_path, accounts=[make_account("sales", 9, smtp={"username": "x", "password_file": "/nowhere"})])
    said = run("serve", "--condition")
    assert (said.status, said.out, said.err) == (0, "", "")


def test_beside_a_command_that_is_the_service_for_a_moment_it_says_so(run: Run, config: Path) -> None:
    """Beside a service that answers it says that there is nothing to start: docs/mistakes.md, U25."""
    settings = load_settings(config, secrets=False)
    with StorageLock(settings.folder, settings.database):
        said = run("serve")
    assert said.status == 1
    assert f"{settings.folder}: another relay is running here" in said.err
    assert "nothing to start" not in said.err


@pytest.mark.parametrize("text", ["[server\n", "[server]\nhostname = 1\n"])
def test_a_mistake_is_left_to_the_service_to_fail_on(run: Run, config: Path, text: str) -> None:
    config.write_text(text)
    said = run("serve", "--condition")
    assert (said.status, said.out, said.err) == (0, "", "")
    assert run("serve").status == 2


def test_a_missing_configuration_is_a_mistake_too(run: Run, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.toml"
    assert run("serve", "--condition", "-c", str(nowhere), config_file=None).status == 0
    assert run("serve", "-c", str(nowhere), config_file=None).status == 2


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """The file that the package begins with, its storage in a folder of the test."""
    path = tmp_path / "start.toml"
    text = (CONFIG / "relay.start.toml").read_text()
    assert 'folder = "/var/lib/relay"' in text
    path.write_text(text.replace("/var/lib/relay", str(tmp_path)).replace(LOGS_OF_UNIT, str(tmp_path)))
    path.chmod(0o600)
    return path


def test_the_file_to_begin_with_has_no_mistake_and_no_account(start: Path, run: Run) -> None:
    assert run("check", config_file=start).status == 0
    assert run("serve", "--condition", config_file=start).status == 1


def test_the_file_to_begin_with_is_good_once_its_notes_count(start: Path) -> None:
    lines = start.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("[server]"))
    keys = [line.removeprefix("# ") if _is_key(line) else line for line in lines[first:]]
    start.write_text("\n".join(keys))
    assert {"listener", "account", "log"} <= tomllib.loads(start.read_text()).keys()
    settings = load_settings(start, secrets=False)
    assert [account.is_collected for account in settings.directory.accounts] == [True]
    (warning,) = settings.warnings
    assert warning.startswith("start.toml: listener[1].networks: whoever connects from these networks may send")


def _is_key(line: str) -> bool:
    word = line.removeprefix("# ").partition(" ")[0]
    return line.startswith("# ") and (word.startswith("[") or line.removeprefix(f"# {word} ").startswith("= "))


def test_the_files_of_the_system_agree_with_each_other() -> None:
    unit = (CONFIG / "relay.service").read_text().splitlines()
    user = next(line for line in (CONFIG / "relay.sysusers").read_text().splitlines() if line.startswith("u "))
    folders = [line.split() for line in (CONFIG / "relay.tmpfiles").read_text().splitlines() if line.startswith("d ")]
    assert user.split()[1] == "relay"
    assert {"User=relay", "Group=relay", "StateDirectory=relay", "StateDirectoryMode=0711", "UMask=0007"} <= {*unit}
    assert {"Type=notify", "WatchdogSec=120", "RestartPreventExitStatus=2"} <= {*unit}
    assert "ExecReload=/usr/bin/relay reload -c /etc/relay/relay.toml" in unit
    assert {"LogsDirectory=relay", "LogsDirectoryMode=0750"} <= {*unit}
    assert ["d", "/var/lib/relay", "0711", "relay", "relay"] in folders
    assert ["d", LOGS_OF_UNIT, "0750", "relay", "relay"] in folders
    assert ["d", "/etc/relay/secrets", "0750", "root", "relay"] in folders
    assert f"{LOGS_OF_UNIT}/*.log {{" in (CONFIG / "relay.logrotate").read_text().splitlines()
    assert all(line.partition("=")[2].startswith("/usr/bin/relay ") for line in unit if line.startswith("Exec"))
