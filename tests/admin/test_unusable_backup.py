"""What the systemd unit lets the service write: by what systemd says of it, a stand-in in the tests."""

import os
from pathlib import Path

import pytest

from relay.admin.unusable import find_backup_trouble, is_open_to
from relay.settings import load_settings
from tests.peers.machine import require_root
from tests.peers.relay_process import make_account, write_config

UID = 54321
STRICT = {"ProtectSystem": "strict", "ProtectHome": "yes", "StateDirectory": "relay"}
STORAGE = Path("/var/lib/relay")


@pytest.mark.parametrize(
    ("unit", "folder", "is_open"),
    [
        (STRICT, "/backup", False),
        (STRICT, "/var/lib/relay/backup", True),
        ({**STRICT, "ReadWritePaths": "/backup"}, "/backup/office", True),
        ({**STRICT, "ReadWritePaths": "-/mnt/nas '/ba ckup'"}, "/ba ckup", True),
        ({**STRICT, "ReadWritePaths": "/backups"}, "/backup", False),
        ({**STRICT, "ReadWritePaths": "/home/b"}, "/home/b", False),
        ({**STRICT, "ReadWritePaths": "'"}, "/backup", False),
        ({"ProtectSystem": "no"}, "/backup", True),
    ],
)
def test_what_a_unit_may_write(unit: dict[str, str], folder: str, *, is_open: bool) -> None:
    assert is_open_to(unit, Path(folder), STORAGE) is is_open


def systemctl(folder: Path, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


LOADED = "echo LoadState=loaded; echo ProtectSystem=strict; echo ProtectHome=yes; echo StateDirectory=relay"


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (LOADED, ['the systemd unit does not let the service write there: run "systemctl edit relay", add the two']),
        (f"{LOADED}; echo ReadWritePaths=HERE", []),
        ("echo LoadState=not-found", []),
        ("exit 1", []),
        ("echo nonsense", []),
    ],
)
def test_root_is_told_of_the_drop_in_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, expected: list[str]
) -> None:
    require_root("to give folders away")
    (tmp_path / "data").mkdir()
    (tmp_path / "backup").mkdir()
    for folder in ("data", "backup"):
        os.chown(tmp_path / folder, UID, UID)
    config = write_config(
        tmp_path,
        accounts=[make_account("sales", 9)],
        storage={"folder": "data"},
        backup={"folder": str(tmp_path / "backup")},
    )
    systemctl(tmp_path, says.replace("HERE", str(tmp_path / "backup")), monkeypatch)
    lines = [line for line in find_backup_trouble(load_settings(config)) if "systemd" in line]
    assert len(lines) == len(expected)
    for line, part in zip(lines, expected, strict=True):
        assert line.startswith(f"relay.toml: backup.folder: {tmp_path}/backup: {part}")


def test_a_folder_that_is_somebody_elses_is_named_with_what_gives_it(tmp_path: Path) -> None:
    require_root("to give folders away")
    (tmp_path / "data").mkdir()
    (tmp_path / "backup").mkdir(0o700)
    os.chown(tmp_path / "data", UID, UID)
    config = write_config(
        tmp_path,
        accounts=[make_account("sales", 9)],
        storage={"folder": "data"},
        backup={"folder": str(tmp_path / "backup")},
    )
    line = find_backup_trouble(load_settings(config))[0]
    assert f"uid {UID}, who runs the service, can't write it: ch" in line


def test_without_a_backup_nothing_is_asked(tmp_path: Path) -> None:
    config = write_config(tmp_path, accounts=[make_account("sales", 9)])
    assert find_backup_trouble(load_settings(config)) == []
