import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from relay.storage.room import DiskRoom, KeptFile

MIB = 1 << 20


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def disks(monkeypatch: pytest.MonkeyPatch, **found: tuple[int, int, int]) -> None:
    """Let folders, by their names, have so many free octets, files in all, and free files."""

    def statvfs(folder: Path) -> SimpleNamespace:
        octets, files, left = found[folder.name]
        return SimpleNamespace(f_bavail=octets, f_frsize=1, f_files=files, f_favail=left)

    monkeypatch.setattr(os, "statvfs", statvfs)


def test_some_room_is_always_left(tmp_path: Path) -> None:
    room = DiskRoom(lambda: [tmp_path], lambda: 1)
    assert room.has(1000)
    assert not room.has(2 * free(tmp_path))
    assert not DiskRoom(lambda: [tmp_path], lambda: 2 * free(tmp_path)).has(0)


def test_the_fullest_disk_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "database", tmp_path / "inboxes"]
    for folder in folders:
        folder.mkdir()
    disks(monkeypatch, database=(9 * MIB, 100, 50), inboxes=(2 * MIB, 100, 50))
    room = DiskRoom(lambda: folders, lambda: MIB)
    assert room.has(MIB)
    assert not room.has(MIB + 1)


@pytest.mark.parametrize(("files", "left", "has"), [(100, 50, True), (100, 15, False), (0, 0, True)])
def test_a_disk_that_can_hold_no_more_files_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, left: int, has: bool
) -> None:
    disks(monkeypatch, **{tmp_path.name: (9 * MIB, files, left)})
    assert DiskRoom(lambda: [tmp_path], lambda: MIB).has(0) is has


def test_a_folder_that_is_not_there_yet_is_one_of_the_disk_above_it(tmp_path: Path) -> None:
    assert not DiskRoom(lambda: [tmp_path / "no" / "inboxes"], lambda: 1).has(2 * free(tmp_path))


def test_a_look_at_the_disk_counts_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    room = DiskRoom(lambda: [tmp_path], lambda: MIB, monotonic=lambda: now[0])
    disks(monkeypatch, **{tmp_path.name: (9 * MIB, 0, 0)})
    assert room.has(1)
    disks(monkeypatch)  # nobody can tell any more
    monkeypatch.setattr(os, "statvfs", lambda _folder: (_ for _ in ()).throw(OSError("gone")))
    assert not room.has(1 << 60)  # what it saw still counts
    now[0] += 1
    assert room.has(1 << 60)


def test_a_file_that_was_deleted_or_exchanged_is_not_there_any_more(tmp_path: Path) -> None:
    path, clock = tmp_path / "relay.db", [0.0]
    path.write_text("a")
    kept = KeptFile(path, monotonic=lambda: clock[0])
    assert kept.is_there()
    path.rename(tmp_path / "away")
    assert kept.is_there()  # looked at a moment ago
    with capture_logs() as lines:
        for clock[0] in (1.0, 2.0):
            assert not kept.is_there()
        path.write_text("b")
        clock[0] = 3.0
        assert not kept.is_there()
    assert [(line["event"], line["file"]) for line in lines] == [("database_gone", str(path))]
    (tmp_path / "away").rename(path)
    clock[0] = 4.0
    assert kept.is_there()
    with pytest.raises(FileNotFoundError):
        KeptFile(tmp_path / "none")
