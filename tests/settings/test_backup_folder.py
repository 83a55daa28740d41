"""The folder of the backups: what keeps the service from it, and the next thing to do."""

import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from relay.settings import backup_folder, load_settings
from relay.settings.backup_folder import drop_in, give, is_within, why_unusable
from tests.peers.machine import lack, require_program, require_root
from tests.peers.relay_process import ROOT, make_account, write_config


def configure(storage: Path, **backup: object) -> Path:
    return write_config(storage, accounts=[make_account("sales", 9)], backup=backup)


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "storage").mkdir()
    settings = load_settings(configure(tmp_path / "storage", folder="../elsewhere"))
    assert settings.backup is not None
    assert asdict(settings.backup) == {
        "folder": tmp_path / "storage" / "../elsewhere",
        "at": 2 * 3_600_000,
        "keep": 7,
        "inboxes": False,
        "secrets": False,
    }
    assert settings.warnings == ()
    assert load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)])).backup is None


def test_the_time_and_all_the_rest_can_be_said(tmp_path: Path) -> None:
    settings = load_settings(configure(tmp_path, folder="/b", at="3:05", keep=30, inboxes=True, secrets=True))
    assert settings.backup is not None
    assert settings.backup.at == (3 * 60 + 5) * 60_000
    assert (settings.backup.keep, settings.backup.inboxes, settings.backup.secrets) == (30, True, True)


def test_a_missing_folder_is_named_with_what_makes_it_and_keeps_nothing_from_its_start(tmp_path: Path) -> None:
    (warning,) = load_settings(configure(tmp_path, folder="/nowhere/ba ckup")).warnings
    assert warning.startswith("relay.toml: backup.folder: /nowhere/ba ckup: there is no such folder: make it by ")
    assert f"\"install -d -o {tmp_path.owner()} -m 0700 '/nowhere/ba ckup'\"" in warning


READ_ONLY = """
mount -t tmpfs -o ro tmpfs "$1" || exit 9
exec "$2" -c 'import sys
from pathlib import Path
from relay.settings.backup_folder import why_unusable
print(why_unusable(Path(sys.argv[1]), Path("/")))' "$1"
"""


@pytest.mark.peer
def test_a_disk_that_is_read_only_names_the_drop_in_of_the_unit(tmp_path: Path) -> None:
    require_root("to mount something")
    unshare = require_program("unshare", package="util-linux")
    command = [unshare, "--mount", "sh", "-c", READ_ONLY, "sh", str(tmp_path), sys.executable]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode in (1, 9):
        lack(f"needs the right to mount: {said.stderr}")
    assert said.stdout.startswith('can\'t be written by the service: run "systemctl edit relay", add the two lines')
    assert f"ReadWritePaths=-{tmp_path}" in said.stdout
    assert why_unusable(tmp_path, tmp_path) is None


def test_the_drop_in_is_right_for_odd_names() -> None:
    assert "\"ReadWritePaths='-/ba ckup/100%%'\"" in drop_in(Path("/ba ckup/100%"))


def test_the_drop_in_lets_the_unit_start_while_the_disk_is_not_mounted() -> None:
    assert '"ReadWritePaths=-/mnt/nas/backup"' in drop_in(Path("/mnt/nas/backup"))


def test_a_link_into_the_storage_folder_is_within(tmp_path: Path) -> None:
    (tmp_path / "storage" / "backup").mkdir(parents=True)
    (tmp_path / "link").symlink_to("storage/backup")
    assert is_within(tmp_path / "link", tmp_path / "storage")
    assert not is_within(tmp_path, tmp_path / "storage")


def test_a_share_that_gives_no_answer_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, end = threading.Event(), threading.Event()

    def hang(_target: Path, _storage: Path) -> None:
        asked.set()
        end.wait(20)

    monkeypatch.setattr(backup_folder, "why_unusable", hang)
    monkeypatch.setattr(backup_folder, "_PATIENCE", 0.05)
    config = configure(tmp_path, folder="/")
    try:
        assert load_settings(config, secrets=False).warnings == ()
        assert not asked.is_set()
        (warning,) = load_settings(config).warnings
        assert warning.startswith("relay.toml: backup.folder: /: gives no answer: look at the disk or the share")
    finally:
        end.set()


@pytest.mark.parametrize(
    "folder",
    ["/", "/etc", "/etc/relay", "/root", "/home", "/home/anna", "/srv", "/mnt/", "/var/lib", "/tmp", "/usr/local"],
)
def test_no_advice_takes_a_folder_of_the_systems_from_it(folder: str) -> None:
    advice = give(Path(folder), "relay")
    assert "chown" not in advice
    assert advice.endswith('/relay-backup"')
    assert "install -d -o relay -m 0700 /" in advice


def test_a_folder_for_backups_alone_is_given_to_the_service() -> None:
    for folder in ("/backup", "/srv/backup", "/mnt/nas/relay", "/var/backups/relay"):
        assert give(Path(folder), "relay") == f'"chown relay {folder} && chmod 0700 {folder}"'
    assert '/mnt/relay-backup"' in give(Path("/mnt"), "relay")
