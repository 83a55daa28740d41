"""Files beside the configuration: what is wrong with them is told with their whole paths."""

import os
from pathlib import Path

import pytest

from relay.settings import ConfigurationError, load_settings
from relay.settings.login_sources import LENIENT
from tests.peers.machine import require_root
from tests.peers.relay_process import ANNA, make_account, write_config

UID = 54321
MAKE_IT = "make it, with the password in its first line, or mend the name"


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its first line is empty: the password must stand there"),
        (b"\nhunter2\n", "its first line is empty: the password must stand there"),
        (b" \t\r\nhunter2\n", "its first line is empty: the password must stand there"),
        ("hunter2ä\n".encode("latin-1"), "its first line is not UTF-8: save it as UTF-8"),
        ("hunter2\n".encode("utf-16"), "its first line is not UTF-8: save it as UTF-8"),
        (b"hunter2\0\n", "its first line holds a NUL character: save it as plain text in UTF-8"),
    ],
)
def test_a_password_file_without_a_password_is_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = configure(tmp_path, "secret")
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(ConfigurationError) as error:
        load_settings(path)
    where = f"relay.toml: account[sales].smtp.password_file: secret: {reason} ({tmp_path}/secret)"
    assert error.value.errors == (where,)
    assert load_settings(path, secrets=False).warnings == ()


def test_a_file_that_cant_be_read_is_named_with_its_whole_path(tmp_path: Path) -> None:
    for name, shown in (("secrets/mail", f" ({tmp_path}/secrets/mail)"), (f"{tmp_path}/mail", "")):
        with pytest.raises(ConfigurationError) as error:
            load_settings(configure(tmp_path, name))
        place = f"relay.toml: account[sales].smtp.password_file: {name}"
        assert error.value.errors == (f"{place}: can't be read: No such file or directory{shown}: {MAKE_IT}",)


def test_a_file_of_nearly_the_same_name_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "sales.password").write_text("hunter2\n")
    for name, asked in (("sale.password", 'did you mean "sales.password"? Else make it'), ("mail", ": make it")):
        with pytest.raises(ConfigurationError) as error:
            load_settings(configure(tmp_path, name))
        assert asked in error.value.errors[0]
        assert ("did you mean" in error.value.errors[0]) is ("?" in asked)


def test_one_that_may_be_gone_is_asked_about_as_well(tmp_path: Path) -> None:
    (tmp_path / "sales.password").write_text("hunter2\n")
    (warning,) = load_settings(configure(tmp_path, "sale.password"), lenience=LENIENT).warnings
    assert 'until it is there: did you mean "sales.password"? Else relay account edit sales --password' in warning


def test_a_storage_folder_that_is_not_there_is_one_error_not_one_of_each_file(tmp_path: Path) -> None:
    path = configure(tmp_path, "mail")
    path.write_text('storage.folder = "gone"\n' + path.read_text())
    with pytest.raises(ConfigurationError) as error:
        load_settings(path)
    where = f"relay.toml: storage.folder: gone: there is no such folder: make it ({tmp_path}/gone), or mend its name"
    assert error.value.errors == (where,)


def test_the_folder_of_credentials_is_there_only_while_the_unit_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_settings(configure(tmp_path, "/run/credentials/relay.service/sales"))
    assert "is there only while the unit runs" in error.value.errors[0]
    assert "/etc/relay/secrets/NAME (root:relay, 0640)" in error.value.errors[0]
    assert load_settings(configure(tmp_path, "/run/credentials/relay.service/sales"), secrets=False).warnings == ()


def test_the_rights_that_a_package_gives_are_right(tmp_path: Path) -> None:
    """Configuration and secrets are root's and the service's group reads them (0640): nothing is advised."""
    require_root("to give files away")
    (tmp_path / "data").mkdir(0o711)
    os.chown(tmp_path / "data", UID, UID)
    secret = tmp_path / "sales.password"
    secret.write_text("p\n")
    path = configure(tmp_path, str(secret))
    path.write_text(path.read_text() + '\n[storage]\nfolder = "data"\n')
    for file in (secret, path):
        os.chown(file, 0, UID)
        file.chmod(0o640)
    assert load_settings(path).warnings == ()
