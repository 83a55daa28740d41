"""Whose a folder is, without becoming that user: that is for the processes of tests/admin/test_entering.py."""

import contextlib
import os
import pwd
from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage.owner import Owner, find_owner, require_same_hand, strangers
from tests.peers.machine import require_root

UID = 54321


@pytest.fixture(autouse=True)
def _root() -> None:
    require_root("to give files away")


def test_a_folder_of_roots_and_one_of_another(tmp_path: Path) -> None:
    assert find_owner(tmp_path) is None
    os.chown(tmp_path, UID, 77)
    assert find_owner(tmp_path) == Owner(UID, 77)
    with pytest.raises(StorageError, match="nowhere: No such file"):
        find_owner(tmp_path / "nowhere")


def test_a_link_to_a_folder_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    os.chown(tmp_path / "data", UID, UID)
    assert find_owner(tmp_path / "link") == Owner(UID, UID)


def test_whoever_could_exchange_what_lies_on_the_way_is_told(tmp_path: Path) -> None:
    theirs, data = tmp_path / "theirs", tmp_path / "data" / "deep"
    theirs.mkdir()
    data.mkdir(parents=True)
    (theirs / "link").symlink_to("../data")
    (tmp_path / "absolute").symlink_to(theirs / "link" / "deep")
    assert list(strangers(tmp_path / "absolute")) == []
    os.chown(theirs / "link", UID, UID, follow_symlinks=False)
    os.chown(theirs, UID + 1, UID + 1)
    for way in (theirs / "link" / "deep", tmp_path / "absolute", data / ".." / ".." / "theirs" / "link" / "deep"):
        assert list(strangers(way)) == [(theirs, UID + 1), (theirs / "link", UID)]
        with pytest.raises(StorageError, match=rf"{theirs} on the way to it is not: uid {UID + 1} could put another"):
            find_owner(way)


@pytest.mark.parametrize(("uid", "refused"), [(0, False), (UID, False), (UID + 1, True)])
@pytest.mark.parametrize("part", ["p", "p/data"])
def test_root_becomes_nobody_whom_a_third_chose(tmp_path: Path, part: str, uid: int, refused: bool) -> None:
    """A third user's link, or folder with a link in it, would say whose commands of root's are."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, UID, UID)
    (tmp_path / "p").mkdir()
    way = tmp_path / "p" / "data"
    way.symlink_to(home)
    os.chown(tmp_path / part, uid, uid, follow_symlinks=False)
    if refused:
        message = rf"{tmp_path / part} on the way to it is of uid {uid}, who could .* Give {tmp_path / part} to root or"
        with pytest.raises(StorageError, match=message):
            find_owner(way)
    else:
        assert find_owner(way) == Owner(UID, UID)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        list(strangers(tmp_path / "a"))
    with pytest.raises(StorageError, match="a: Too many levels"):
        find_owner(tmp_path / "a")


def test_an_owner_has_a_name_where_the_system_knows_one() -> None:
    someone = pwd.getpwall()[-1]
    assert str(Owner(someone.pw_uid, 0)) == pwd.getpwuid(someone.pw_uid).pw_name
    assert str(Owner(UID, 0)) == f"uid {UID}"


@pytest.mark.parametrize(
    ("mode", "gid", "refused"),
    [(0o755, UID, False), (0o775, 0, False), (0o770, UID, True), (0o777, 0, True), (0o1777, 0, True)],
)
def test_a_folder_of_roots_that_others_write_to_is_nobodys(tmp_path: Path, mode: int, gid: int, refused: bool) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 0, gid)
    data.chmod(mode)
    if refused:
        with pytest.raises(StorageError, match=rf"others than root may write to {data}: .*chmod go-w {data}"):
            find_owner(data)
    else:
        assert find_owner(data) is None


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False)])
def test_a_folder_of_roots_in_one_where_others_can_exchange_it(tmp_path: Path, mode: int, refused: bool) -> None:
    data = tmp_path / "above" / "data"
    data.mkdir(parents=True)
    data.parent.chmod(mode)
    if refused:
        with pytest.raises(StorageError, match=f"may write to {data.parent}: "):
            find_owner(data)
    else:
        assert find_owner(data) is None


@pytest.mark.parametrize(
    ("hand", "owner", "refused"),
    [(0, None, False), (0, UID, False), (UID, UID, False), (UID, None, True), (UID, UID + 1, True)],
)
def test_whoever_writes_a_configuration_chooses_no_folder_of_others(
    tmp_path: Path, hand: int, owner: int | None, refused: bool
) -> None:
    source = tmp_path / "backup" / "relay.toml"
    source.parent.mkdir()
    source.touch()
    os.chown(source.parent, hand, hand)
    expected = pytest.raises(StorageError, match="who could have written it") if refused else contextlib.nullcontext()
    with expected:
        require_same_hand(source, tmp_path, None if owner is None else Owner(owner, owner))
