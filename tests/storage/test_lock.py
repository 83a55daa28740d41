import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.model.errors import StorageBusyError, StorageError
from relay.storage.lock import StorageLock, database_file, name_node
from tests.peers.machine import require_root


@contextmanager
def held_by_another(folder: Path, database: str) -> Generator["subprocess.Popen[bytes]"]:
    """Let another process hold the locks; the kernel gives them back at the end, when it is killed."""
    hold = f"""
from pathlib import Path
from relay.storage.lock import StorageLock
StorageLock(Path({str(folder)!r}), {database!r}).acquire()
print("held", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other
        other.kill()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return tmp_path / "one", tmp_path / "two"


def test_one_folder_has_one_service_and_the_kernel_frees_the_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/relay.db"
    with (
        held_by_another(tmp_path, url) as other,
        pytest.raises(StorageBusyError, match=rf"{tmp_path}: another relay .* \(process {other.pid}\)"),
    ):
        StorageLock(tmp_path, url).acquire()
    with StorageLock(tmp_path, url) as lock:
        lock.release()
        lock.release()


def test_one_database_has_one_service_though_the_folders_differ(folders: tuple[Path, Path]) -> None:
    one, two = folders
    database = f"sqlite:///{one}/relay.db"
    with (
        held_by_another(one, database) as other,
        pytest.raises(StorageBusyError, match=rf"{one}/relay.db: another relay .* \(process {other.pid}\)"),
    ):
        StorageLock(two, database).acquire()
    StorageLock(two, database).acquire()  # what failed has left no lock


@pytest.mark.parametrize("what", ["the file", "the folder"])
def test_a_link_leads_to_the_same_lock(folders: tuple[Path, Path], what: str) -> None:
    one, two = folders
    if what == "the file":
        (two / "other.db").symlink_to(one / "relay.db")
        link = two / "other.db"
    else:
        (two / "data").symlink_to(one)
        link = two / "data" / "relay.db"
    with (
        StorageLock(one, f"sqlite:///{one}/relay.db"),
        pytest.raises(StorageBusyError, match=f"{one}/relay.db: another relay is using this database"),
    ):
        StorageLock(two, f"sqlite:///{link}").acquire()


def test_a_database_named_as_the_folders_lock_does_not_shut_itself_out(tmp_path: Path) -> None:
    with StorageLock(tmp_path, f"sqlite:///{tmp_path}/relay"):
        assert {path.name for path in tmp_path.iterdir()} == {"relay.lock", "relay-lock"}


def test_on_postgresql_only_the_folder_is_locked(tmp_path: Path) -> None:
    with StorageLock(tmp_path, "postgresql+psycopg://somewhere/relay"):
        assert [path.name for path in tmp_path.iterdir()] == ["relay.lock"]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nowhere/relay.db"
    with pytest.raises(StorageError, match="nowhere: No such file"):
        StorageLock(tmp_path / "nowhere", url).acquire()
    with pytest.raises(StorageError, match="nowhere: No such file"):
        StorageLock(tmp_path, url).acquire()


def test_a_folder_keeps_its_identity_and_no_other_has_it(folders: tuple[Path, Path]) -> None:
    def identity(folder: Path) -> str:
        with StorageLock(folder, "postgresql://somewhere/relay") as lock:
            return lock.identity

    one, two = folders
    first = identity(one)
    assert len(first) == 16
    (one / "relay.lock").write_text(f"123456789\n{first}\n")  # of a process whose number was longer
    assert identity(one) == first != identity(two)
    (one / "relay.lock").write_text("77\n")  # of an older release
    assert identity(one) not in ("", first)


def test_only_sqlite_has_a_file(tmp_path: Path) -> None:
    assert database_file(f"sqlite+pysqlite:///{tmp_path}/a%20b.db") == tmp_path / "a b.db"
    assert database_file("postgresql://somewhere/relay") is None
    assert database_file("nonsense") is None


@pytest.mark.parametrize("kind", ["a link", "a dangling link", "hard links", "a pipe", "a folder"])
def test_a_lock_is_a_file_of_its_own_or_none(tmp_path: Path, kind: str) -> None:
    other, lock = tmp_path / "other", tmp_path / "relay.lock"
    other.write_text("as it was\n")
    match kind:
        case "a link":
            lock.symlink_to(other)
        case "a dangling link":
            lock.symlink_to(tmp_path / "new")
        case "hard links":
            lock.hardlink_to(other)
        case "a pipe":
            os.mkfifo(lock)
        case _:
            lock.mkdir()
    with pytest.raises(StorageError, match=rf"{lock}: .* remove it"):
        StorageLock(tmp_path, f"sqlite:///{tmp_path}/relay.db").acquire()
    assert other.read_text() == "as it was\n"
    assert not (tmp_path / "new").exists()


def test_a_node_keeps_its_name_and_a_copy_of_its_folder_gets_another(tmp_path: Path) -> None:
    for name in ("one", "copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "relay.lock").write_text("77\nabcd\n")
    assert name_node(tmp_path / "one", "abcd") == name_node(tmp_path / "one", "abcd")
    assert name_node(tmp_path / "one", "abcd") != name_node(tmp_path / "copy", "abcd")


def test_a_lock_that_root_has_made_is_named_with_what_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_root("to give files away")
    lock = tmp_path / "relay.lock"
    lock.touch(0o600)
    os.chown(lock, 54321, 54321)
    really = os.open

    def refuse(path: str, *arguments: int, **options: int) -> int:
        if path == lock.name:
            raise PermissionError(13, "Permission denied")
        return really(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)  # root can open all
    monkeypatch.setattr(os, "access", lambda path, _ways, **_options: Path(path) != lock)
    with pytest.raises(StorageError, match=f"{lock}: can't be written: it is of uid 54321.* chown 0 {lock}"):
        StorageLock(tmp_path, f"sqlite:///{tmp_path}/relay.db").acquire()
