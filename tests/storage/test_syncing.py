import errno
import os
from pathlib import Path

import pytest

from relay.storage.syncing import replacing, sync


def test_a_file_and_a_folder_are_synced_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    (tmp_path / "file").write_text("x")
    sync(tmp_path / "file")
    sync(tmp_path)
    assert synced == [str(tmp_path / "file"), str(tmp_path)]
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_a_file_takes_the_place_of_another_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("before")

    def fail() -> None:
        with replacing(target) as (partial, descriptor):
            os.write(descriptor, b"half")
            assert partial.read_text() == "half"
            raise OSError(errno.ENOSPC, "no room")

    with pytest.raises(OSError, match="no room"):
        fail()
    assert target.read_text() == "before"
    with replacing(target) as (_, descriptor):
        os.write(descriptor, b"after")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("after", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_process_that_was_killed_has_left_goes(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)
    for name in (f".file.{process}.partial", f".file.{process}.partial-journal", ".file.1.partial", ".other.9.partial"):
        (tmp_path / name).touch()
    with replacing(tmp_path / "file"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file.1.partial", ".other.9.partial", "file"]
