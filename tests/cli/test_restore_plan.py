"""What a restore puts back where, and what ends it before anything is changed."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.storage.manifest import MANIFEST
from tests.cli.test_restore import Machine, back_up
from tests.peers.relay_process import to_toml


@pytest.fixture
def old(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "old").furnish(tmp_path / "backup")


def test_a_folder_without_a_backup_and_a_place_that_is_not_named(old: Machine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "neither a backup nor a folder with backups" in old.run("restore", "--yes", str(tmp_path / "empty")).err
    old.config.write_text(old.config.read_text().partition("[backup]")[0])
    said = old.run("restore", "--yes")
    assert said.status == 2
    assert "name the backup: there is no [backup] folder" in said.err


def test_in_the_folder_of_a_backup_its_own_configuration_is_not_taken_for_the_services(
    old: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = back_up(old)
    monkeypatch.chdir(backup)
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    before = sorted(backup.rglob("*"))
    result = CliRunner().invoke(main, ["restore", "--yes", "."])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("relay.toml: is the backup's own configuration: name the one of the service")
    assert sorted(backup.rglob("*")) == before


def test_only_the_configuration_says_where_a_file_belongs(old: Machine) -> None:
    backup = back_up(old)
    entries = json.loads((backup / MANIFEST).read_text())
    (backup / "files").mkdir()
    (backup / "files/0001-x").write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    entries["files"] += [{"path": "files/0001-x", "size": 1, "sha256": digest, "origin": "sitecustomize.py"}]
    (backup / MANIFEST).write_text(json.dumps(entries))
    said = old.run("restore", "--yes", str(backup))
    assert (said.status, said.err) == (0, "")
    assert not (old.folder / "sitecustomize.py").exists()


def test_postgresql_is_refused(old: Machine) -> None:
    backup = back_up(old)
    text = old.config.read_text().partition("[backup]")[0]
    old.config.write_text(text + to_toml({"storage": {"database": "postgresql://relay@db/relay"}}))
    said = old.run("restore", "--yes", str(backup))
    assert said.status == 1
    assert "take its copy back with pg_restore (docs/backup.md)" in said.err
