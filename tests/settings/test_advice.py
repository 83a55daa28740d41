"""What is advised about a file must not take it from the service that reads it."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from relay.settings.advice import group_of, let_read, shut_to_others
from tests.peers.machine import require_root

UID = 54321
"""Of nobody on this machine."""


@pytest.fixture(autouse=True)
def _root() -> None:
    require_root("to give files away")


@pytest.mark.parametrize(
    ("owner", "file", "mode", "by_group"),
    [
        ((0, 0), (0, 0), 0o644, False),
        ((UID, UID), (0, 0), 0o644, True),
        ((UID, UID), (UID, UID), 0o644, False),
        ((UID, UID), (0, UID), 0o644, False),
        ((UID, UID), (0, UID), 0o604, True),
        ((UID, 0), (0, 0), 0o644, True),
    ],
)
def test_a_file_is_shut_to_others_but_not_to_who_runs_the_service(
    tmp_path: Path, owner: tuple[int, int], file: tuple[int, int], mode: int, by_group: bool
) -> None:
    folder, secret = tmp_path / "data", tmp_path / "a secret"
    folder.mkdir()
    os.chown(folder, *owner)
    secret.touch()
    os.chown(secret, *file)
    secret.chmod(mode)
    advice = f"chgrp {UID} '{secret}' && chmod 0640 '{secret}'" if by_group else f"chmod o= '{secret}'"
    assert shut_to_others(secret, folder) == advice


def test_without_a_folder_there_is_no_user_to_think_of(tmp_path: Path) -> None:
    assert shut_to_others(tmp_path, tmp_path / "nowhere") == f"chmod o= {tmp_path}"


def test_before_the_first_start_the_service_is_the_packages_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = pwd.getpwall()[-1]
    monkeypatch.setattr("relay.settings.advice.SERVICE_USER", someone.pw_name)
    group = grp.getgrgid(someone.pw_gid).gr_name
    path = tmp_path / "secret"
    path.touch()
    assert shut_to_others(path, tmp_path / "nowhere") == f"chgrp {group} {path} && chmod 0640 {path}"
    os.chown(path, UID, UID)
    assert shut_to_others(path, tmp_path / "nowhere") == f"chmod o= {path}"


def test_a_group_is_named_where_it_has_a_name() -> None:
    someone = pwd.getpwall()[-1]
    name = grp.getgrgid(someone.pw_gid).gr_name
    assert group_of(someone.pw_uid, 0) == someone.pw_gid
    assert let_read(Path("/x"), someone.pw_uid, 0) == f"chgrp {name} /x && chmod 0640 /x"
