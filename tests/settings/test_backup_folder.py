"""The folder of the backups: what keeps the service from it, and the next thing to do."""

from dataclasses import asdict
from pathlib import Path

import pytest

from relay.settings import load_settings
from relay.settings.backup_folder import drop_in, is_within, why_unusable
from tests.peers.relay_process import make_account, write_config


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


def test_a_disk_that_is_read_only_names_the_drop_in_of_the_unit(tmp_path: Path) -> None:
    reason = why_unusable(Path("/sys"), tmp_path)
    if reason is None:
        pytest.skip("/sys can be written here")
    assert reason.startswith("can't be written by the service: ")
    assert '"systemctl edit relay"' in reason
    assert "ReadWritePaths=/sys" in reason
    assert why_unusable(tmp_path, tmp_path) is None


def test_the_drop_in_is_right_for_odd_names() -> None:
    assert "\"ReadWritePaths='/ba ckup/100%%'\"" in drop_in(Path("/ba ckup/100%"))


def test_a_link_into_the_storage_folder_is_within(tmp_path: Path) -> None:
    (tmp_path / "storage" / "backup").mkdir(parents=True)
    (tmp_path / "link").symlink_to("storage/backup")
    assert is_within(tmp_path / "link", tmp_path / "storage")
    assert not is_within(tmp_path, tmp_path / "storage")
