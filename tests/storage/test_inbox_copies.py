"""Mails as they go into a backup; see also test_saving."""

import hashlib
import os
from pathlib import Path

from relay.storage.inbox_copies import NewFile, find_maildirs


def test_a_file_knows_what_was_written_and_keeps_its_time(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    os.utime(tmp_path / "old", (1_700_000_000, 1_700_000_000))
    source = os.open(tmp_path / "old", os.O_RDONLY)
    with NewFile(tmp_path / "new") as file:
        file.write(b"hel")
        file.write(b"lo")
        file.date_as(source)
        entry = file.enter("x/new", "origin")
    os.close(source)
    assert (entry.path, entry.size, entry.origin) == ("x/new", 5, "origin")
    assert entry.sha256 == hashlib.sha256(b"hello").hexdigest()
    found = (tmp_path / "new").stat()
    assert (found.st_mode & 0o777, found.st_mtime) == (0o600, 1_700_000_000)


def test_inboxes_their_folders_and_the_quarantine_are_found(tmp_path: Path) -> None:
    for name in ("inboxes/anna/cur", "inboxes/anna/.Sent/cur", "inboxes/anna/tmp", "inboxes/bert", "quarantine/new"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "inboxes/file").touch()
    paths = [inbox.path for inbox in find_maildirs(tmp_path, tmp_path / "inboxes")]
    assert paths == ["quarantine", "inboxes/anna", "inboxes/anna/.Sent", "inboxes/bert"]
    assert list(find_maildirs(tmp_path, None)) == []
    assert [inbox.path for inbox in find_maildirs(tmp_path, tmp_path / "nowhere")] == ["quarantine"]


def test_sizes_are_those_of_mails(tmp_path: Path) -> None:
    folder = tmp_path / "inboxes/anna/new"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"12345")
    (folder / "2").symlink_to("1")
    (folder / "3").mkdir()
    (inbox,) = [inbox for inbox in find_maildirs(tmp_path, tmp_path / "inboxes") if inbox.path != "quarantine"]
    assert list(inbox.sizes()) == [("1", 5)]


def test_whatever_else_stands_among_the_mails_ends_no_backup(tmp_path: Path) -> None:
    folder = tmp_path / "inboxes/anna/new"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"12345")
    (folder / "2").symlink_to("1")
    (folder / "3").mkdir()
    os.mkfifo(folder / "4")
    (inbox,) = [inbox for inbox in find_maildirs(tmp_path, tmp_path / "inboxes") if inbox.path != "quarantine"]
    (tmp_path / "backup").mkdir()
    opened = len(list(Path("/proc/self/fd").iterdir()))
    assert [entry.path for entry in inbox.copy(tmp_path / "backup", lambda _: None)] == ["inboxes/anna/new/1"]
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
