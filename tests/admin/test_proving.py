import os
from pathlib import Path

import pytest

from relay.admin.proving import count_open, prove
from relay.settings import ConfigurationError, load_settings
from tests.peers.relay_process import make_account, write_config


def test_what_is_to_be_written_is_proved_and_the_file_stays(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    content = path.read_bytes()
    assert prove(str(path), path, content.replace(b'"en"', b'"de"')).language == "de"
    with pytest.raises(ConfigurationError, match=r"relay\.toml: language: xx"):
        prove(str(path), path, content.replace(b'"en"', b'"xx"'))
    assert path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="only root finds what another user can't read")
def test_what_the_service_could_not_read_is_a_mistake(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "storage").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    account = make_account("sales", 9, smtp={"username": "sales", "password_file": str(secret)})
    path = write_config(tmp_path, accounts=[account], storage={"folder": "storage"})
    path.chmod(0o644)
    os.chown(tmp_path / "storage", 54321, 54321)
    with pytest.raises(ConfigurationError, match=r"secret: uid 54321, who owns the storage folder .* can't read it"):
        prove(str(path), path, path.read_bytes())


def test_without_a_database_nothing_waits(tmp_path: Path) -> None:
    path = write_config(tmp_path, accounts=[make_account("sales", 9)])
    assert count_open(load_settings(path), "sales") == 0
    (tmp_path / "relay.db").write_bytes(b"this is no database, and that can't be told by its name")
    assert count_open(load_settings(path), "sales") is None
