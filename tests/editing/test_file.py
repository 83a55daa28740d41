import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from relay.editing import EditError, file
from relay.editing.file import change_file
from relay.editing.tables import add_table, list_names
from relay.settings import ConfigurationError
from tests.peers.machine import require_root
from tests.peers.relay_process import ROOT


def _nothing(content: bytes) -> bytes:
    return content


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relay.toml"
    path.write_bytes(b'# ours\r\nlanguage = "en"\r\n')
    path.chmod(0o640)
    return path


def _to_english(text: str) -> str:
    return text.replace("de", "en")


def _to_german(text: str) -> str:
    return text.replace("en", "de")


def test_mode_and_line_ends_stay_and_a_link_stays_one(config: Path) -> None:
    link = config.with_name("link.toml")
    link.symlink_to(config.name)
    inode = config.stat().st_ino
    assert change_file(link, _to_german, _nothing) == b'# ours\r\nlanguage = "de"\r\n'
    assert link.is_symlink()
    assert config.read_bytes() == b'# ours\r\nlanguage = "de"\r\n'
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert config.stat().st_ino != inode  # replaced, not written over
    assert sorted(one.name for one in config.parent.iterdir()) == ["link.toml", "relay.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_and_group_stay(config: Path) -> None:
    os.chown(config, 12345, 54321)
    assert change_file(config, _to_german, _nothing)
    assert (config.stat().st_uid, config.stat().st_gid) == (12345, 54321)


def test_extended_attributes_stay(config: Path) -> None:
    try:
        os.setxattr(config, "user.note", b"ours")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    change_file(config, _to_german, _nothing)
    assert os.getxattr(config, "user.note") == b"ours"


def test_what_is_the_same_is_not_written(config: Path) -> None:
    inode = config.stat().st_ino
    assert change_file(config, lambda text: text, _nothing) is None
    assert config.stat().st_ino == inode


def test_what_is_refused_leaves_the_file_and_nothing_beside_it(config: Path) -> None:
    seen = []

    def refuse(content: bytes) -> None:
        seen.append(content)
        raise ConfigurationError(["relay.toml: language: no"])

    before = config.stat()
    with pytest.raises(ConfigurationError, match="language: no"):
        change_file(config, _to_german, refuse)
    assert seen == [b'# ours\r\nlanguage = "de"\r\n']
    assert config.stat().st_ino == before.st_ino
    assert [*config.parent.iterdir()] == [config]


def test_what_is_no_toml_is_said_as_everywhere(config: Path) -> None:
    config.write_text('language = "en\n')
    with pytest.raises(ConfigurationError, match=r"relay\.toml: line 1: a text in quotes has no end"):
        change_file(config, _to_german, _nothing)


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        change_file(tmp_path / "none.toml", _to_german, _nothing)


def test_of_changes_at_a_time_none_is_lost(config: Path) -> None:
    def add(n: int) -> None:
        change_file(config, lambda text: add_table(text, "account", {"name": f"a{n}"}), _nothing)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(list_names(config.read_text(), "account")) == sorted(f"a{n}" for n in range(12))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_command_that_is_killed_leaves_the_old_file_and_the_next_one_clears_up(config: Path, call: str) -> None:
    before = config.read_bytes()
    killed = (
        "import os, pathlib, signal, sys\nfrom relay.editing.file import change_file\n"
        f"os.{call} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "change_file(pathlib.Path(sys.argv[1]), lambda text: text.replace('en', 'de'), lambda _: None)"
    )
    assert subprocess.run([sys.executable, "-c", killed, config], cwd=ROOT, check=False).returncode == -9
    assert config.read_bytes() == before
    assert len([*config.parent.iterdir()]) == 2
    assert change_file(config, _to_german, _nothing)
    assert [*config.parent.iterdir()] == [config]


def test_a_change_does_not_wait_for_ever(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "PATIENCE", 0.0)

    def begin_another(content: bytes) -> bytes:
        with pytest.raises(EditError, match="another command is changing it"):
            change_file(config, _to_english, _nothing)
        return content

    assert change_file(config, _to_german, begin_another)
    with config.open() as other:  # as another process has it
        fcntl.flock(other, fcntl.LOCK_EX)
        begin_another(b"")


@pytest.mark.timeout(20)
def test_a_change_does_not_run_for_ever_after_a_file_that_others_replace(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file that is opened has another one in its place by the time it is locked."""
    monkeypatch.setattr(file, "PATIENCE", 0.1)
    take = fcntl.flock

    def replace_and_take(descriptor: int, how: int) -> None:
        new = config.with_name("new")
        new.write_bytes(config.read_bytes())
        new.replace(config)
        take(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", replace_and_take)
    with pytest.raises(EditError, match="another command is changing it"):
        change_file(config, _to_german, _nothing)


def test_what_is_the_same_is_proved_all_the_same(config: Path) -> None:
    def refuse(_content: bytes) -> None:
        raise ConfigurationError(["relay.toml: language: no"])

    with pytest.raises(ConfigurationError, match="language: no"):
        change_file(config, lambda text: text, refuse)


def test_a_folder_that_its_owner_exchanges_meanwhile_leads_root_nowhere(config: Path) -> None:
    require_root("to give files away")
    theirs, roots = config.parent / "theirs", config.parent / "roots"
    for folder in (theirs, roots):
        folder.mkdir()
        (folder / "relay.toml").write_bytes(config.read_bytes())
    for path in (theirs, theirs / "relay.toml"):
        os.chown(path, 54321, 54321)

    def exchange(content: bytes) -> bytes:
        theirs.rename(theirs.with_name("moved"))
        theirs.symlink_to(roots)
        return content

    before = (roots / "relay.toml").stat()
    assert change_file(theirs / "relay.toml", _to_german, exchange)
    after = (roots / "relay.toml").stat()
    assert (after.st_ino, after.st_uid) == (before.st_ino, 0)
    assert b'"de"' in (config.parent / "moved" / "relay.toml").read_bytes()


def test_a_file_that_was_put_there_meanwhile_stays(config: Path) -> None:
    other = config.with_name("other.toml")
    other.write_text("# another\n")

    def put_there(_content: bytes) -> None:
        other.replace(config)

    with pytest.raises(EditError, match="put another file there meanwhile"):
        change_file(config, _to_german, put_there)
    assert config.read_text() == "# another\n"
    assert [*config.parent.iterdir()] == [config]
