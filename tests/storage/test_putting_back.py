"""Files and mails put back in their places; whole restores are in tests/cli/test_restore.py."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage.manifest import Entry
from relay.storage.putting_back import (
    keep_old,
    look_at_present,
    put_back_files,
    put_back_mails,
    write_file,
)
from tests.storage.test_manifest import PLAIN, SHA


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def entry(backup: Path, path: str, origin: str = "") -> Entry:
    (backup / path).parent.mkdir(parents=True, exist_ok=True)
    (backup / path).write_bytes(b"hello")
    return Entry(path=path, size=5, sha256=SHA, origin=origin)


def put(backup: Path, *entries: Entry, shared: bool = False) -> tuple[int, int]:
    storage = backup.parent / "storage"
    storage.mkdir(exist_ok=True)
    return put_back_mails(
        backup,
        replace(PLAIN, files=entries),
        inboxes=storage / "inboxes",
        storage=storage,
        shared=shared,
        step=lambda _: None,
    )


def test_more_mails_than_one_batch_each_once_and_nothing_in_tmp(backup: Path) -> None:
    entries = [entry(backup, f"inboxes/anna/{'new' if n % 2 else 'cur'}/{n}:2,") for n in range(130)]
    assert put(backup, *entries) == (130, 0)
    assert put(backup, *entries) == (0, 130)
    inbox = backup.parent / "storage/inboxes/anna"
    assert len(list((inbox / "new").iterdir())) == len(list((inbox / "cur").iterdir())) == 65
    assert list((inbox / "tmp").iterdir()) == []
    assert {path.stat().st_mode & 0o777 for path in (inbox / "new").iterdir()} == {0o600}


def test_shared_inboxes_stay_so(backup: Path) -> None:
    before = os.umask(0o007)
    put(backup, entry(backup, "inboxes/anna/new/1"), entry(backup, "quarantine/new/2"), shared=True)
    os.umask(before)
    storage = backup.parent / "storage"
    assert (storage / "inboxes/anna").stat().st_mode & 0o777 == 0o770
    assert (storage / "inboxes/anna/new/1").stat().st_mode & 0o777 == 0o660
    assert (storage / "quarantine/new/2").stat().st_mode & 0o777 == 0o600


def test_no_link_below_the_inboxes_is_followed(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "storage/inboxes").mkdir(parents=True)
    (tmp_path / "away").mkdir()
    (tmp_path / "storage/inboxes/anna").symlink_to(tmp_path / "away")
    with pytest.raises(StorageError, match="inboxes/anna: Not a directory"):
        put(backup, entry(backup, "inboxes/anna/new/1"), entry(backup, "inboxes/bert/new/2"))
    assert list((tmp_path / "away").iterdir()) == []
    assert (tmp_path / "storage/inboxes/bert/new/2").read_bytes() == b"hello"  # one spoils no other's


def test_what_fails_leaves_nothing_in_tmp(backup: Path) -> None:
    whole, gone = entry(backup, "inboxes/anna/new/1"), entry(backup, "inboxes/anna/new/2")
    (backup / gone.path).unlink()
    with pytest.raises(StorageError, match=f"{gone.path}: No such file or directory: take another backup"):
        put(backup, whole, gone)
    assert [path for path in (backup.parent / "storage/inboxes").rglob("*") if path.is_file()] == []


def test_a_backup_that_can_not_be_read_is_not_said_to_be_an_inbox(
    backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = entry(backup, "inboxes/anna/new/1")
    # It opens, and can't be read at its beginning.
    monkeypatch.setattr("relay.storage.manifest._open_below", lambda *_: os.open("/proc/self/mem", os.O_RDONLY))
    with pytest.raises(StorageError, match=f"{mail.path}: Input/output error: take another backup"):
        put(backup, mail)


def test_an_inbox_where_another_removes_what_is_put_there_keeps_no_other_from_its_mails(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def spoil(source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        for path in (tmp_path / "storage/inboxes/anna/tmp").iterdir():
            path.unlink()
        link(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "link", spoil)
    with pytest.raises(StorageError, match=r"inboxes/anna: No such file or directory .*mend that, and restore again"):
        put(backup, entry(backup, "inboxes/anna/new/1"), entry(backup, "inboxes/bert/new/2"))
    assert (tmp_path / "storage/inboxes/bert/new/2").read_bytes() == b"hello"


def test_files_are_put_where_they_may_be_and_else_named(backup: Path, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    (tmp_path / "there").write_bytes(b"hello")
    (storage / "other").write_bytes(b"another")
    (storage / "link").symlink_to(tmp_path)
    missing, same, other, outside, linked = (
        entry(backup, f"secrets/{n}", origin)
        for n, origin in enumerate(("a/b", "../there", "other", "/nowhere/x", "link/x"))
    )
    lines = put_back_files(
        backup, [missing, same, other, outside, linked], storage=storage, allowed=storage, group=None
    )
    assert (storage / "a/b").read_bytes() == b"hello"
    assert lines == [
        f"{storage}/other is there and stays; another one is {backup}/secrets/2",
        f"put back by hand: {backup}/secrets/3 belongs to /nowhere/x",
        f"put back by hand: {backup}/secrets/4 belongs to {storage}/link/x",
    ]
    assert not (tmp_path / "x").exists()


def test_a_file_for_a_group_can_be_read_by_it_alone(tmp_path: Path) -> None:
    write_file(tmp_path / "x", b"hello", group=os.getegid())
    write_file(tmp_path / "x", b"again", group=os.getegid())
    assert (tmp_path / "x").read_bytes() == b"again"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    assert [keep_old(tmp_path / "x").name, keep_old(tmp_path / "x").name] == [
        "x.before-restore-1",
        "x.before-restore-2",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.before-restore-1", "x.before-restore-2"]


def test_a_database_that_is_not_there_or_no_database_holds_nothing(tmp_path: Path) -> None:
    nothing = (False, 0)
    assert look_at_present(tmp_path / "nowhere", PLAIN) == nothing
    (tmp_path / "junk").write_bytes(b"junk" * 5000)
    assert look_at_present(tmp_path / "junk", PLAIN) == nothing
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("CREATE TABLE meta (key, value)")
        base.execute("CREATE TABLE delivery (state, since)")
        base.execute("INSERT INTO meta VALUES ('installation', 'other')")
        base.execute("INSERT INTO delivery VALUES ('held', ?), ('done', ?), ('queued', 1)", (PLAIN.at + 1,) * 2)
    base.close()
    assert look_at_present(tmp_path / "base", PLAIN) == (True, 1)


def test_what_a_backup_names_may_be_a_pipe_or_have_no_end(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    os.mkfifo(storage / "pipe")
    monkeypatch.setattr("relay.storage.putting_back.open_plain", None)  # neither is opened
    entries = [entry(backup, f"secrets/{n}", origin) for n, origin in enumerate(("pipe", "/dev/zero"))]
    lines = put_back_files(backup, entries, storage=storage, allowed=storage, group=None)
    assert lines == [
        f"{storage}/pipe is there and stays; another one is {backup}/secrets/0",
        f"/dev/zero is there and stays; another one is {backup}/secrets/1",
    ]
