import os
import stat
from pathlib import Path

import pytest

from relay.editing import EditError
from relay.editing.secret_files import new_secret, replace_secret


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
