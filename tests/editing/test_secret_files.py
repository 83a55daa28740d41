import os
import stat
from pathlib import Path

import pytest

from relay.editing import EditError
from relay.editing.secret_files import new_secret, replace_secret
from tests.peers.machine import require_root

UID = 54321
"""Of nobody on this machine."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relay.toml"
    path.touch(0o644)
    return path


def _rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def test_a_secret_is_its_owners_alone(config: Path) -> None:
    with new_secret(config, "sales", "geheim ß") as path:
        assert path == config.parent / "secrets" / "sales"
    assert path.read_bytes() == "geheim ß\n".encode()
    assert _rights(path) == (os.geteuid(), os.getegid(), 0o600)
    assert _rights(path.parent)[2] == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(
    ("owner", "mode", "wanted"),
    [
        ((0, 54321), 0o640, ((0, 54321, 0o640), (0, 54321, 0o750))),
        ((0, 54321), 0o600, ((0, 54321, 0o600), (0, 54321, 0o700))),
        ((12345, 54321), 0o640, ((12345, 54321, 0o600), (12345, 54321, 0o700))),
    ],
)
def test_who_reads_the_configuration_reads_it(
    config: Path, owner: tuple[int, int], mode: int, wanted: tuple[tuple[int, int, int], tuple[int, int, int]]
) -> None:
    os.chown(config, *owner)
    config.chmod(mode)
    with new_secret(config, "sales", "x") as path:
        assert (_rights(path), _rights(path.parent)) == wanted


def test_nothing_that_is_there_is_overwritten_and_a_name_is_no_path(config: Path) -> None:
    with new_secret(config, "../a b", "one") as first, new_secret(config, "../a b", "two") as second:
        assert (first.name, second.name) == ("_a_b", "_a_b-2")
    assert first.read_text() == "one\n"


def test_where_the_rest_fails_it_is_removed(config: Path) -> None:
    def fail() -> None:
        with new_secret(config, "sales", "x"):
            raise EditError("no")

    with pytest.raises(EditError, match="no"):
        fail()
    assert not (config.parent / "secrets").exists()


@pytest.mark.parametrize("secret", ["", "a\nb", "a\0", "\udcff", "a\x85b"])
def test_what_is_no_line_is_refused_and_not_shown(config: Path, secret: str) -> None:
    with pytest.raises(EditError) as raised, new_secret(config, "sales", secret):
        pass
    assert not secret or secret not in str(raised.value)
    assert not (config.parent / "secrets").exists()


def test_another_secret_takes_its_place_and_its_rights(config: Path) -> None:
    with new_secret(config, "sales", "old") as path:
        path.chmod(0o640)
    replace_secret(path, "new")
    assert path.read_text() == "new\n"
    assert _rights(path)[2] == 0o640


@pytest.fixture
def theirs(config: Path) -> Path:
    """The configuration of another user, in a folder of his; beside it a folder of root's."""
    require_root("to give files away")
    path = config.parent / "theirs" / "relay.toml"
    path.parent.mkdir()
    path.touch(0o600)
    (config.parent / "roots").mkdir()
    for one in (path.parent, path):
        os.chown(one, UID, UID)
    return path


def test_a_folder_that_is_a_link_is_not_followed(theirs: Path) -> None:
    roots = theirs.parent.parent / "roots"
    (theirs.parent / "secrets").symlink_to(roots)
    with pytest.raises(EditError, match="secrets: is a link"), new_secret(theirs, "sales", "x"):
        pass
    assert [*roots.iterdir()] == []


@pytest.mark.parametrize("uid", [0, 54322])
def test_a_folder_of_a_third_users_is_not_used(theirs: Path, uid: int) -> None:
    secrets = theirs.parent / "secrets"
    secrets.mkdir()
    os.chown(secrets, uid, uid)
    with pytest.raises(EditError, match="give it to him"), new_secret(theirs, "sales", "x"):
        pass
    assert [*secrets.iterdir()] == []
    os.chown(secrets, UID, UID)
    with new_secret(theirs, "sales", "x") as path:
        assert _rights(path) == (UID, UID, 0o600)


def test_what_fails_is_removed_from_where_it_was_made(theirs: Path) -> None:
    """Though the folder has another name by then, and its name leads elsewhere."""
    roots, moved = theirs.parent.parent / "roots", theirs.parent.parent / "moved"
    (roots / "secrets").mkdir()
    (roots / "secrets" / "sales").write_text("root's")

    def fail() -> None:
        with new_secret(theirs, "sales", "x"):
            theirs.parent.rename(moved)
            theirs.parent.symlink_to(roots)
            raise EditError("no")

    with pytest.raises(EditError, match="no"):
        fail()
    assert (roots / "secrets" / "sales").read_text() == "root's"
    assert [*moved.iterdir()] == [moved / "relay.toml"]


def test_another_secret_is_put_into_no_file_of_roots(theirs: Path) -> None:
    victim = theirs.parent.parent / "roots" / "victim"
    victim.write_text("root's")
    secret = theirs.parent / "anna"
    for is_link in (True, False):
        if is_link:
            secret.symlink_to(victim)
            os.chown(secret, UID, UID, follow_symlinks=False)
        else:
            secret.hardlink_to(victim)
        with pytest.raises(EditError, match="who could lead root to another file"):
            replace_secret(secret, "new")
        secret.unlink()
    assert (victim.read_text(), victim.stat().st_uid) == ("root's", 0)
    secret.write_text("old")
    os.chown(secret, UID, UID)
    replace_secret(secret, "new")
    assert (secret.read_text(), secret.stat().st_uid) == ("new\n", UID)
