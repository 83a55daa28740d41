"""Copies that root writes and reads elsewhere, as long as it stays root; the rest: tests/admin/test_entering.py."""

import errno
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from relay.model.errors import StorageError
from relay.storage.backup import copy_database
from relay.storage.child import as_another
from relay.storage.elsewhere import beside, fill, is_for_root, opened_copy, opened_target
from relay.storage.engine import open_engine
from relay.storage.owner import Owner
from relay.storage.upgrade import prepare_database
from tests.peers.machine import require_root


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "relay.db"
    engine: Engine = open_engine(f"sqlite:///{file}")
    prepare_database(engine)
    engine.dispose()
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_has_its_name_once_it_is_whole(base: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with opened_target(tmp_path / "copy.db", base) as target:
            as_another(partial(fill, target, tmp_path / "copy.db", base))
        assert (tmp_path / "copy.db").stat().st_size == base.stat().st_size
        assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
        assert names(tmp_path) == ["copy.db", "data"]
    assert names(base.parent) == ["relay.db"]


def test_what_was_there_stays_where_no_copy_is_made(base: Path, tmp_path: Path) -> None:
    copy_database(base, tmp_path / "copy.db")
    before = (tmp_path / "copy.db").stat()
    with pytest.raises(StorageError, match=r"nothing\.db"), opened_target(tmp_path / "copy.db", base) as target:
        as_another(partial(fill, target, tmp_path / "copy.db", tmp_path / "nothing.db"))
    after = (tmp_path / "copy.db").stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert names(tmp_path) == ["copy.db", "data"]


def test_where_no_second_process_can_be_started_nothing_is_left_behind(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    open_before = len(names(Path("/proc/self/fd")))
    said = pytest.raises(StorageError, match=r"copy.db: a second process can't be started: Resource temporarily unav")
    with said, opened_target(tmp_path / "copy.db", base) as target:
        as_another(partial(fill, target, tmp_path / "copy.db", base))
    assert names(tmp_path) == ["data"]
    assert len(names(Path("/proc/self/fd"))) == open_before


def test_nothing_else_than_a_copy_is_replaced(base: Path, tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text("[server]")
    for file in (tmp_path / "relay.toml", base, tmp_path / "no" / "folder.db"):
        with pytest.raises(StorageError, match=r"not replaced|itself|there is no such folder"):
            opened_target(file, base).__enter__()
    assert names(tmp_path) == ["data", "relay.toml"]


def test_a_copy_stands_beside_the_database_for_a_while_with_its_log(base: Path, tmp_path: Path) -> None:
    copy_database(base, tmp_path / "copy.db")
    (tmp_path / "copy.db-wal").write_bytes(b"log")
    with opened_copy(tmp_path / "copy.db") as copy, beside(base, copy, tmp_path / "copy.db") as file:
        assert file.parent == base.parent
        assert file.read_bytes() == (tmp_path / "copy.db").read_bytes()
        assert file.with_name(f"{file.name}-wal").read_bytes() == b"log"
    assert names(base.parent) == ["relay.db"]


def test_what_a_killed_process_has_left_goes_with_the_next_copy(base: Path, tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = [base.with_name(f".{base.name}.{pid}.copy{end}") for pid in (ended.pid, 1) for end in ("", "-wal")]
    for one in left:
        one.touch()
    copy_database(base, tmp_path / "copy.db")
    with opened_copy(tmp_path / "copy.db") as copy, beside(base, copy, tmp_path / "copy.db"):
        assert [one.exists() for one in left] == [False, False, True, True]


def test_what_is_no_copy_is_not_read(base: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    os.mkfifo(tmp_path / "pipe")
    for name in ("secret", "pipe", "nothing"):
        with pytest.raises(StorageError, match=f"{name}: "):
            opened_copy(tmp_path / name).__enter__()
    itself = pytest.raises(StorageError, match="the database itself")
    with opened_copy(base) as copy, itself, beside(base, copy, base):
        pass
    assert names(base.parent) == ["relay.db"]


def test_root_opens_what_the_owner_could_not_have_exchanged(tmp_path: Path) -> None:
    require_root("to give files away")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 54321, 54321)
    owner = Owner(54321, 54321)
    assert is_for_root(tmp_path / "copy.db", owner)
    assert not is_for_root(tmp_path / "theirs" / "copy.db", owner)
    assert is_for_root(tmp_path / "theirs" / "copy.db", Owner(54322, 54322))
    assert is_for_root(tmp_path / "theirs" / "copy.db", None)
    (tmp_path / "copy.db").symlink_to("theirs/copy.db")
    assert not is_for_root(tmp_path / "copy.db", owner)  # by what it leads to
    (tmp_path / "copy.db").unlink()
    (tmp_path / "copy.db").symlink_to("missing.db")
    assert is_for_root(tmp_path / "copy.db", owner)
    os.chown(tmp_path / "copy.db", 54321, 54321, follow_symlinks=False)
    assert not is_for_root(tmp_path / "copy.db", owner)


def test_root_follows_no_link_of_strangers_to_where_a_copy_goes(tmp_path: Path) -> None:
    require_root("to give files away")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "copy.db").symlink_to(tmp_path / "secret")
    (tmp_path / "mine").symlink_to(theirs / "new.db")
    os.chown(theirs, 23456, 23456)
    assert is_for_root(theirs / "copy.db", None)
    os.chown(theirs / "copy.db", 23456, 23456, follow_symlinks=False)
    for owner in (None, Owner(54321, 54321)):
        with pytest.raises(StorageError, match="is a link of uid 23456, which root does not follow"):
            is_for_root(theirs / "copy.db", owner)
        assert is_for_root(tmp_path / "mine", owner)
    assert not is_for_root(theirs / "copy.db", Owner(23456, 23456))
