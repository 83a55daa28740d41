import os
from pathlib import Path

import pytest

from relay.editing import EditError
from relay.editing.place import open_place, require_place
from tests.peers.machine import require_root

UID, ANOTHER = 54321, 54322
"""Of nobody on this machine."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "theirs" / "relay.toml"
    path.parent.mkdir()
    path.touch()
    return path


def test_a_link_is_followed_to_the_file_and_a_file_may_be_missing(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    with open_place(link) as place:
        assert place.path == file
        descriptor = place.open_file()
        assert place.has(descriptor)
        file.unlink()
        file.touch()
        assert not place.has(descriptor)
        os.close(descriptor)
    file.unlink()
    require_place(file)


@pytest.mark.parametrize(
    ("owners", "mode", "refused"),
    [
        ((0, 0), 0o755, ""),
        ((0, UID), 0o755, ""),  # in root's folder nobody else can put anything in its place
        ((UID, UID), 0o755, ""),
        ((UID, 0), 0o755, f"theirs is of uid {UID}, who could lead root"),
        ((UID, ANOTHER), 0o755, f"theirs is of uid {UID}, who could lead root"),
        ((0, 0), 0o777, "others than root may write to .*theirs.*chmod go-w"),
        ((0, UID), 0o777, "others than root may write to"),
        ((0, 0), 0o1777, ""),
        ((0, UID), 0o1777, f"relay.toml is of uid {UID}, who could lead root"),
    ],
)
def test_file_and_folder_are_of_one_hand(file: Path, owners: tuple[int, int], mode: int, refused: str) -> None:
    require_root("to give files away")
    os.chown(file.parent, owners[0], owners[0])
    file.parent.chmod(mode)
    os.chown(file, owners[1], owners[1])
    if not refused:
        require_place(file)
        return
    with pytest.raises(EditError, match=refused):
        require_place(file)


def test_a_link_of_anothers_leads_to_what_is_his_alone(file: Path, tmp_path: Path) -> None:
    require_root("to give files away")
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    os.chown(link, UID, UID, follow_symlinks=False)
    with pytest.raises(EditError, match=r"link.toml is of uid 54321") as raised:
        require_place(link)
    assert str(file) not in str(raised.value)  # he has chosen it
    os.chown(file, UID, UID)
    os.chown(file.parent, UID, UID)
    require_place(link)
    os.chown(file.parent, ANOTHER, ANOTHER)
    with pytest.raises(EditError, match="who could lead root"):
        require_place(link)


def test_what_is_exchanged_after_the_look_is_not_taken(file: Path, tmp_path: Path) -> None:
    require_root("to give files away")
    for path in (file.parent, file):
        os.chown(path, UID, UID)
    with open_place(file) as place:
        file.unlink()
        (tmp_path / "roots").touch()
        file.symlink_to(tmp_path / "roots")
        with pytest.raises(OSError, match="symbolic links"):
            place.open_file()
        file.unlink()
        file.hardlink_to(tmp_path / "roots")
        with pytest.raises(EditError, match="who could lead root"):
            place.open_file()
