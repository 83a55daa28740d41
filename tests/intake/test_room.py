import os
from pathlib import Path

from relay.intake.room import DiskRoom


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_some_room_is_always_left(tmp_path: Path) -> None:
    room = DiskRoom(tmp_path, lambda: 1)
    assert room.has(1000)
    assert not room.has(2 * free(tmp_path))
    assert not DiskRoom(tmp_path, lambda: 2 * free(tmp_path)).has(0)


def test_a_look_at_the_disk_counts_for_a_moment(tmp_path: Path) -> None:
    now = [0.0]
    folder = tmp_path / "inside"
    folder.mkdir()
    room = DiskRoom(folder, lambda: 1, monotonic=lambda: now[0])
    assert room.has(1)
    folder.rmdir()
    assert not room.has(1 << 60)  # what it saw still counts
    now[0] += 1
    assert room.has(1 << 60)  # nobody can tell
