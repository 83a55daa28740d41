"""The recipe as text, and its parts asked of a real Dovecot. tests/install/ runs it, word for word, on both Debians."""

import re
import subprocess
from pathlib import Path

import pytest

from relay.auth import hash_password
from relay.cli import dovecot_config
from tests.cli.conftest import Run
from tests.peers.machine import require_program


@pytest.fixture
def office(config: Path) -> Path:
    """A configuration whose users have passwords, and names in capitals."""
    hashed = hash_password("correct-horse")
    users = (
        f'[[user]]\nname = "Bert"\naddress = "bert@example.com"\npassword_hash = "{hashed}"\n'
        '[[user]]\nname = "carl"\naddress = "carl@example.com"\n'
    )
    text = config.read_text().replace("[[user]]", f"{users}[[user]]", 1)
    config.write_text(text)
    return config


def test_each_version_has_its_recipe_with_folder_and_group(run: Run, config: Path) -> None:
    inboxes = f"{config.parent}/inboxes"
    old = run("dovecot-config", "--version", "2.3")
    assert (old.status, old.err) == (0, "")
    assert f"mail_location = maildir:{inboxes}/%u\n" in old.out
    new = run("dovecot-config", "--version", "2.4").out
    assert f"mail_path = {inboxes}/%{{user}}\nmail_inbox_path = {inboxes}/%{{user}}\n" in new
    for text in (old.out, new):
        assert "-g vmail -m 2770" in text
        assert f"relay dovecot-config -c {config} > /etc/dovecot/local.conf" in text
    config.write_text(f'{config.read_text()}\n[storage]\ngroup = "mail"\n')
    assert "gid=mail" in run("dovecot-config", "--version", "2.3").out
    assert "useradd --system --gid mail" in run("dovecot-config", "--version", "2.4").out


def test_all_but_the_configuration_is_a_comment(run: Run) -> None:
    for version in ("2.3", "2.4"):
        text = run("dovecot-config", "--version", version).out
        comment, _, settings = text.partition("\n\n")
        assert all(line.startswith("#") for line in comment.splitlines())
        assert "#" not in settings


@pytest.mark.parametrize(("said", "version"), [("2.3.19.1 (9b53102964)", "2.3"), ("2.4.1-4 (7d8c0e5759)", "2.4")])
def test_the_installed_dovecot_chooses(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: str
) -> None:
    _install(tmp_path, said, monkeypatch)
    assert run("dovecot-config").out.startswith(f"# Dovecot {version} shows the inboxes of ")


@pytest.mark.parametrize("said", ["2.5.0 (x)", "", "1.2.17", "3.0.0"])
def test_a_dovecot_of_which_nothing_is_known(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    _install(tmp_path, said, monkeypatch)
    answer = run("dovecot-config")
    assert (answer.status, answer.out) == (1, "")
    assert "only 2.3 and 2.4 are known; try --version 2.4" in answer.err


def test_without_a_dovecot_it_says_what_to_install(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot_config, "_PLACES", str(tmp_path))
    answer = run("dovecot-config")
    assert (answer.status, answer.out) == (1, "")
    assert "apt install dovecot-imapd" in answer.err


def test_a_folder_that_dovecots_file_can_not_hold(run: Run, config: Path) -> None:
    config.write_text(f'{config.read_text()}\n[storage]\ninboxes = "in boxes"\n')
    answer = run("dovecot-config", "--version", "2.4")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith(f"relay.toml: storage.inboxes: {config.parent}/in boxes: ")


def test_who_has_a_password_logs_in_by_name_and_addresses(run: Run, office: Path) -> None:
    assert office.exists()
    lines = run("dovecot-config", "--users").out.splitlines()
    logins = {line.partition(":")[0]: line.rpartition(":")[2] for line in lines if not line.startswith("#")}
    assert logins == {"bert": "user=Bert", "bert@example.com": "user=Bert"}
    assert [line for line in lines if line.startswith("#")] == [
        "# carl can't log in: no password_hash (relay user password)",
        "# anna can't log in: no password_hash (relay user password)",
    ]


@pytest.mark.peer
def test_a_real_dovecot_takes_the_hash(run: Run, office: Path) -> None:
    assert office.exists()
    program = require_program("doveadm", package="dovecot-imapd")
    hashed = run("dovecot-config", "--users").out.splitlines()[0].split(":")[1]
    for password, right in (("correct-horse", True), ("wrong-horse", False)):
        done = subprocess.run(
            [program, "pw", "-t", hashed, "-p", password], capture_output=True, check=False, timeout=20
        )
        assert (done.returncode == 0) is right


@pytest.mark.peer
def test_a_real_dovecot_reads_the_file(run: Run, tmp_path: Path) -> None:
    program = require_program("doveconf", package="dovecot-imapd")
    said = run("dovecot-config")
    file = tmp_path / "dovecot.conf"
    version = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" if " 2.4 " in said.out else ""
    file.write_text(version + said.out)
    done = subprocess.run([program, "-n", "-c", str(file)], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert re.search(r"passwd_file_path|passwd-file", done.stdout)


def _install(folder: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a Dovecot where it is looked for, which says only its version."""
    program = folder / "dovecot"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(dovecot_config, "_PLACES", str(folder))
