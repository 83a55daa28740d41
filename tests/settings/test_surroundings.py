"""Files beside the configuration: what is wrong with them is told with their whole paths."""

import os
from pathlib import Path

from relay.settings import load_settings
from tests.peers.machine import require_root
from tests.peers.relay_process import ANNA, make_account, write_config

UID = 54321


def configure(folder: Path, name: str) -> Path:
    """Write a configuration whose one account has its password in a file."""
    account = make_account("sales", 9, smtp={"username": "u", "password_file": name})
    return write_config(folder, accounts=[account], users=[ANNA])


def test_the_advice_against_other_eyes_leaves_the_service_its_own(tmp_path: Path) -> None:
    require_root("to give a folder away")
    secret = tmp_path / "secret"
    secret.write_text("p\n")
    secret.chmod(0o644)
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", UID, UID)
    path = configure(tmp_path, str(secret))
    path.write_text(path.read_text() + '\n[storage]\nfolder = "data"\n')
    path.chmod(0o600)
    (warning,) = load_settings(path).warnings
    place = f"relay.toml: account[sales].smtp.password_file: {secret}"
    assert warning == f"{place}: everybody on this machine can read it: chgrp {UID} {secret} && chmod 0640 {secret}"
    path.write_text(path.read_text().replace(f'password_file = "{secret}"', 'password = "p"'))
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    (warning,) = load_settings(path).warnings
    assert f"chgrp {UID} {path} && chmod 0640 {path}, or use password_file" in warning
