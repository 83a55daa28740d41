"""What the unit does not let the service write in; who can't read what is in test_entering."""

import os
from pathlib import Path

import pytest
import trustme

from relay.admin import unusable
from relay.admin.unusable import find_unusable
from relay.settings import load_settings
from tests.peers.machine import require_root
from tests.peers.relay_process import make_account, to_toml, write_config

UID = 54321


@pytest.fixture(autouse=True)
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed unit, whose own folder is elsewhere; gives the folder of its drop-ins."""
    require_root("to give a folder away")
    made = tmp_path / "relay.service"
    made.touch()
    drop_ins = tmp_path / "relay.service.d"
    drop_ins.mkdir()
    monkeypatch.setattr(unusable, "UNITS", (made,))
    monkeypatch.setattr(unusable, "DROP_INS", drop_ins)
    monkeypatch.setattr(unusable, "FOLDER_OF_UNIT", str(tmp_path / "lib"))
    return drop_ins


def warnings(there: Path, **storage: str) -> list[str]:
    data = there / storage.setdefault("folder", "data")
    data.mkdir(parents=True, exist_ok=True)
    os.chown(data, UID, UID)
    path = write_config(there, accounts=[make_account("sales", 9)], storage=storage)
    return [line for line in find_unusable(load_settings(path))[1] if "the unit relay.service" in line]


def test_a_storage_folder_that_the_unit_shuts_is_named_once_with_the_drop_in(tmp_path: Path, unit: Path) -> None:
    (line,) = warnings(tmp_path)
    data = tmp_path / "data"
    assert line.startswith(f"relay.toml: storage.folder: {data}: the unit relay.service lets the service write in")
    assert f'"ReadWritePaths=-{data}"' in line
    (unit / "override.conf").write_text(f"[Service]\nReadWritePaths=/nowhere '{data}'\nReadWritePaths='x\n")
    assert warnings(tmp_path) == []


def test_the_folder_of_the_unit_needs_none_but_inboxes_elsewhere_do(tmp_path: Path) -> None:
    assert warnings(tmp_path, folder="lib") == []
    (line,) = warnings(tmp_path, folder="lib", inboxes=str(tmp_path / "mail"))
    assert line.startswith(f"relay.toml: storage.inboxes: {tmp_path}/mail: ")
    (line,) = warnings(tmp_path, folder="lib", database=f"sqlite:///{tmp_path}/db/relay.db")
    assert line.startswith(f"relay.toml: storage.database: {tmp_path}/db: ")
    assert warnings(tmp_path, folder="lib", database="postgresql://relay@db/relay") == []


def test_without_a_unit_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unusable, "UNITS", ())
    assert warnings(tmp_path) == []


def test_what_lies_in_a_home_is_to_be_put_elsewhere_and_the_home_stays_shut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, data = tmp_path / "root", tmp_path / "lib"
    for folder in (home, data):
        folder.mkdir()
    os.chown(data, UID, UID)
    home.chmod(0o700)
    (home / "password").write_text("secret\n")
    monkeypatch.setattr(unusable, "HOMES", (str(home),))
    account = make_account("sales", 9, smtp={"username": "u", "password_file": str(home / "password")})
    path = write_config(tmp_path, accounts=[account], storage={"folder": "lib"})
    (line,) = (line for line in find_unusable(load_settings(path))[0] if "password" in line)
    assert line.startswith(f"relay.toml: {home}/password: the unit relay.service shuts the homes of people")
    assert "/etc/relay/secrets" in line
    assert "chmod" not in line
    monkeypatch.setattr(unusable, "UNITS", ())
    (line,) = (line for line in find_unusable(load_settings(path))[0] if "password" in line)
    assert "chmod" in line


def test_a_certificate_that_holds_its_key_is_a_secret(tmp_path: Path) -> None:
    both, key, data = tmp_path / "both.pem", tmp_path / "key.pem", tmp_path / "lib"
    data.mkdir()
    os.chown(data, UID, UID)
    issued = trustme.CA().issue_cert("relay.office.example")
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    issued.private_key_pem.write_to_path(key)
    both.chmod(0o600)
    listener = {"host": "127.0.0.1", "port": 0, "tls": "starttls", "certificate": str(both), "private_key": str(key)}
    path = write_config(tmp_path, accounts=[make_account("sales", 9)], listener=listener, storage={"folder": "lib"})
    with path.open("a") as stream:
        stream.write(f"[[listener]]\n{to_toml({**listener, 'port': 2525, 'private_key': str(both)})}")
    (line,) = (line for line in find_unusable(load_settings(path))[0] if "both.pem" in line)
    assert f"{both} && chmod 0640 {both}" in line
    assert "o+r" not in line
