import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from relay.storage.room import DiskRoom

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
