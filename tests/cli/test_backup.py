"""Copies of the database: made beside a running service, taken back by nobody's mistake."""

import asyncio
from pathlib import Path

import pytest

from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.lock import StorageLock
from relay.storage.manifest import find_backups
from relay.supervisor import Service
from tests.cli.conftest import Run, hand_in
from tests.peers.backups import last_backup


@pytest.fixture
def queued(config: Path) -> list[str]:
    """One mail that waits."""
    return asyncio.run(hand_in(config, ["one"]))


def test_a_copy_is_made_while_the_service_runs(run: Run, config: Path, queued: list[str], tmp_path: Path) -> None:
    async def beside() -> None:
        service = Service(load_settings(config))
        await service.start(listen=False)
        try:
            said = await asyncio.to_thread(run, "backup", str(tmp_path / "copy.db"))
            assert said.status == 0
            said = await asyncio.to_thread(run, "restore", "--yes", str(tmp_path / "copy.db"))
            assert said.status == 1
            assert "another relay is running" in said.err
        finally:
            await service.stop()

    asyncio.run(beside())
    assert queued
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.db"]


def test_what_is_taken_back_is_held_and_what_was_there_is_kept(run: Run, config: Path, queued: list[str]) -> None:
    copy = config.parent / "copy.db"
    run("backup", str(copy))
    assert run("queue", "delete", "--yes", *queued).out == "1 mail deleted\n"
    assert run("restore", str(copy)).status == 2  # asks first
    said = run("restore", "--yes", str(copy))
    assert said.status == 0
    assert "relay.db.before-restore-1" in said.out
    assert "1 delivery was waiting, and held now" in said.out
    (row,) = run("queue", "list", "--json").json
    assert (row["queue_id"], row["state"], row["deliveries"][0]["uncertain"]) == (queued[0], "held", 1)
    assert (config.parent / "relay.db.before-restore-1").exists()
    StorageLock(config.parent, load_settings(config).database).acquire()


def test_what_is_no_copy_is_refused_and_nothing_changes(run: Run, config: Path, queued: list[str]) -> None:
    junk = config.parent / "junk.db"
    junk.write_bytes(b"no database at all" * 1000)
    for file in (junk, config):
        said = run("restore", "--yes", str(file))
        assert said.status == 1
        assert len(said.err.splitlines()) == 1
    assert run("restore", "--yes", "nowhere.db").status == 2
    assert [row["queue_id"] for row in run("queue", "list", "--json").json] == queued[::-1]
    assert run("backup", str(config.parent / "relay.db")).status == 1
    assert run("backup", str(config.parent / "no" / "folder.db")).status == 1


def test_the_configuration_is_not_overwritten(run: Run, config: Path, queued: list[str]) -> None:
    before = config.read_text()
    said = run("backup", str(config))
    assert (said.status, len(said.err.splitlines())) == (1, 1)
    assert config.read_text() == before
    assert queued


def test_a_damaged_database_is_replaced(run: Run, config: Path, queued: list[str]) -> None:
    copy = config.parent / "copy.db"
    run("backup", str(copy))
    (config.parent / "relay.db").write_bytes(b"no database at all" * 1000)
    said = run("restore", "--yes", str(copy))
    assert said.status == 0
    assert "can't be read" in said.out
    assert [row["queue_id"] for row in run("queue", "list", "--json").json] == queued[::-1]
    assert run("restore", "--yes", str(config.parent / "relay.db")).status == 1


def test_a_database_that_another_folders_service_uses_is_not_replaced(
    run: Run, config: Path, queued: list[str]
) -> None:
    copy = config.parent / "copy.db"
    run("backup", str(copy))
    (config.parent / "two").mkdir()
    with StorageLock(config.parent / "two", load_settings(config).database):
        said = run("restore", "--yes", str(copy))
    assert said.status == 1
    assert "relay.db: another relay is using this database" in said.err
    assert queued


@pytest.mark.parametrize("command", [("backup",), ("restore", "--yes"), ("restore",)], ids=" ".join)
@pytest.mark.parametrize("target", ["link", "other", "x/copy.db", "nowhere/copy.db", "file/copy.db", "y" * 300])
def test_a_link_that_leads_nowhere_is_named_and_stays(
    run: Run, config: Path, queued: list[str], tmp_path: Path, command: tuple[str, ...], target: str
) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "file").touch()
    (folder / "x").symlink_to("x")
    (folder / "other").symlink_to("link")
    link = folder / "link"
    link.symlink_to(target)
    before = (config.parent / "relay.db").stat().st_ino
    said = run(*command, str(link))
    assert (said.status, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert str(folder) in said.err
    assert link.is_symlink()
    assert (config.parent / "relay.db").stat().st_ino == before
    assert sorted(path.name for path in folder.iterdir()) == ["file", "link", "other", "x"]
    assert queued


def test_a_link_to_a_copy_is_followed(run: Run, config: Path, queued: list[str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("copy.db")
    assert run("backup", str(tmp_path / "link")).status == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "copy.db").is_file()
    assert run("restore", "--yes", str(tmp_path / "link")).status == 0
    assert queued
    assert config.exists()


@pytest.mark.parametrize("command", [("backup", "copy.db"), ("queue", "list")], ids=" ".join)
def test_a_database_that_is_a_link_in_circles_is_named(run: Run, config: Path, command: tuple[str, ...]) -> None:
    database = config.parent / "relay.db"
    database.unlink()
    database.symlink_to("relay.db")
    said = run(*command)
    assert (said.status, said.out) == (1, "")
    assert f"{database}: can't be followed to a file (Too many levels of symbolic links)" in said.err


def with_backup(config: Path, folder: Path, **more: object) -> None:
    lines = "".join(f"{key} = {str(value).lower()}\n" for key, value in more.items())
    config.write_text(f'{config.read_text()}\n[backup]\nfolder = "{folder}"\n{lines}')


def test_without_an_argument_it_goes_where_the_nightly_ones_are_and_counts_as_one(
    run: Run, config: Path, queued: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "nightly"
    with_backup(config, folder, keep=2)
    said = run("backup")
    assert said.status == 1
    assert f"{folder}: there is no such folder: make it by" in said.err
    engine = open_engine(load_settings(config).database, create=False)
    assert "there is no such folder" in last_backup(engine).error
    folder.mkdir()
    made = []
    for _ in range(3):
        said = run("backup")
        assert (said.status, said.err) == (0, "")
        made.append(Path(said.out.partition(": ")[0]))
    assert find_backups(folder) == made[1:]
    assert f"removed {made[0]}: [backup] keep = 2" in said.out
    state = last_backup(engine)
    assert (state.folder, state.error, state.begun) == (made[2], "", None)
    assert queued


def test_into_a_folder_goes_a_whole_backup_which_does_not_count(
    run: Run, config: Path, queued: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    said = run("backup", str(folder))
    (backup,) = find_backups(folder)
    assert said.out.startswith(f"{backup}: ")
    assert "Passwords" not in said.out  # there are none
    assert {path.name for path in backup.iterdir()} == {"relay.db", "relay.toml", "manifest.json"}
    assert last_backup(open_engine(load_settings(config).database, create=False)).at is None
    assert queued


def test_without_a_place_it_asks_for_one(run: Run, config: Path) -> None:
    said = run("backup")
    assert said.status == 2
    assert '[backup] and below it folder = "/backup"' in said.err
    assert config.exists()


def test_a_missing_folder_is_named_with_what_to_do(run: Run, config: Path, tmp_path: Path) -> None:
    said = run("backup", str(tmp_path / "no" / "copy.db"))
    assert said.status == 1
    assert said.err == f"{tmp_path}/no: there is no such folder: make it (mkdir -p), or name another place\n"
    assert config.exists()
