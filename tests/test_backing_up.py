"""The nightly backup, by a clock that the test turns: real database, real writer, real files."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from relay.backing_up import BackupKeeper, plan_backup
from relay.model.errors import StorageError
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.lock import FileLock
from relay.storage.manifest import find_backups, read_manifest
from relay.storage.queue import Queue
from relay.storage.saving import LOCK
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.peers.backups import last_backup
from tests.peers.relay_process import make_account, write_config

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


class Night:
    """A keeper in the office's night."""

    def __init__(self, folder: Path, **backup: object) -> None:
        self.storage, self.folder = folder / "storage", folder / "backup"
        self.storage.mkdir(exist_ok=True)
        self.folder.mkdir(exist_ok=True)
        account = make_account("sales", 9, smtp={"username": "u", "password": "hunter2"})
        config = write_config(self.storage, accounts=[account], backup={"folder": str(self.folder), **backup})
        self.settings = load_settings(config)
        self.engine = open_engine(self.settings.database)
        prepare_database(self.engine)
        self.queue = Queue(self.engine, Writer(self.engine))
        self.now = moment("2026-11-27 12:00")
        self.rests: list[float] = []
        self.start()

    def start(self) -> None:
        self.keeper = BackupKeeper(
            Runtime(settings=lambda: self.settings, queue=self.queue, now=lambda: self.now), rest=self.rests.append
        )

    async def look(self) -> float:
        return await self.keeper.look()

    async def until(self, text: str) -> list[str]:
        """Let the time pass until then, a minute at a time where it matters; gives the backups' names."""
        while True:
            wait = await self.look()
            self.now += max(1000, round(wait * 1000))
            if self.now >= moment(text):
                return [path.name for path in find_backups(self.folder)]

    async def close(self) -> None:
        await self.queue.close()
        self.engine.dispose()


@pytest.fixture
async def night(tmp_path: Path) -> AsyncGenerator[Night]:
    night = Night(tmp_path, keep=3)
    yield night
    await night.close()


async def test_the_first_soon_after_the_start_then_each_night_and_no_more_than_keep(night: Night) -> None:
    with capture_logs() as logs:
        names = await night.until("2026-12-01 12:00")
    assert names == ["relay-2026-11-29T010000Z", "relay-2026-11-30T010000Z", "relay-2026-12-01T010000Z"]
    finished = [line for line in logs if line["event"] == "backup_finished"]
    assert [Path(line["folder"]).name for line in finished][:2] == [
        "relay-2026-11-27T110500Z",
        "relay-2026-11-28T010000Z",
    ]
    assert [line["removed"] for line in finished] == [0, 0, 0, 1, 1]
    assert all(line["size"] > 0 and line["seconds"] >= 0 for line in finished)
    state = last_backup(night.engine)
    assert state.folder == night.folder / names[-1]
    assert (state.at, state.error, state.begun) == (moment("2026-12-01 02:00"), "", None)


async def test_through_a_change_of_the_clock(night: Night) -> None:
    night.now = moment("2027-03-26 12:00")
    night.start()
    assert await night.until("2027-03-29 12:00") == [
        "relay-2027-03-27T010000Z",
        "relay-2027-03-28T010000Z",  # 02:00 does not exist: it is 03:00 by then
        "relay-2027-03-29T000000Z",
    ]


async def test_the_passwords_in_the_configuration_are_not_in_its_copy(night: Night) -> None:
    await night.until("2026-11-27 13:00")
    (backup,) = find_backups(night.folder)
    assert b"hunter2" not in (backup / "relay.toml").read_bytes()
    assert read_manifest(backup).blanked == ("account[sales].smtp.password",)


async def test_a_crash_loop_makes_no_backups(night: Night) -> None:
    for _ in range(50):
        night.start()
        assert await night.look() > 0
        night.now += 30_000
    assert find_backups(night.folder) == []


async def test_a_failure_is_said_remembered_and_mended_an_hour_later(night: Night) -> None:
    await night.until("2026-11-27 13:00")
    night.folder.rename(night.folder.with_name("away"))
    night.now = moment("2026-11-28 02:00")
    with capture_logs() as logs:
        await night.look()
    (line,) = logs
    assert (line["event"], line["log_level"], line["folder"]) == ("backup_failed", "error", str(night.folder))
    assert "there is no such folder: make it by" in line["reason"]
    state = last_backup(night.engine)
    assert (state.at, state.error_at) == (moment("2026-11-27 12:05"), moment("2026-11-28 02:00"))
    assert str(night.folder) in state.error
    assert await night.look() == 3600
    night.folder.with_name("away").rename(night.folder)
    assert len(await night.until("2026-11-28 03:01")) == 2
    assert last_backup(night.engine).error == ""


async def test_beside_one_that_a_person_makes_it_waits_and_alerts_nobody(night: Night) -> None:
    night.now += 6 * MINUTE
    lock = FileLock(night.storage / LOCK, "")
    lock.acquire()
    with capture_logs() as logs:
        await night.look()
    lock.release()
    assert [(line["event"], line["log_level"]) for line in logs] == [("backup_failed", "warning")]
    assert last_backup(night.engine).error == ""
    assert await night.look() == 3600


async def test_a_service_that_stops_in_the_middle_leaves_nothing_half(night: Night) -> None:
    night.now += 6 * MINUTE
    waiting, go_on = threading.Event(), threading.Event()

    def rest(_seconds: float) -> None:
        waiting.set()
        go_on.wait(10)

    with night.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('x', ?)", ("x" * 3_000_000,))
    night.keeper._rest = rest
    task = asyncio.create_task(night.look())
    await asyncio.to_thread(waiting.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(night.folder.iterdir()) == []
    state = last_backup(night.engine)
    assert (state.error, state.begun) == ("", night.now)
    night.start()
    assert await night.look() == 3600  # not again at once: it may be what the process died of


async def test_without_backup_nothing_is_made(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.settings = load_settings(write_config(night.storage, accounts=[make_account("sales", 9)]))
    night.now += DAY
    assert await night.look() == 60
    assert find_backups(night.folder) == []
    await night.close()


async def test_old_backups_that_can_not_be_removed_are_said_and_the_new_one_counts(night: Night) -> None:
    await night.until("2026-11-30 12:00")
    oldest = find_backups(night.folder)[0]
    blocker = night.folder / f".{oldest.name}.{read_manifest(oldest).installation}.partial"
    night.now = moment("2026-12-01 02:00")

    def block(_seconds: float) -> None:
        blocker.write_text("in the way")

    with night.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('x', ?)", ("x" * 3_000_000,))
    night.keeper._rest = block
    with capture_logs() as logs:
        await night.look()
    assert [line["event"] for line in logs] == ["backup_not_removed", "backup_finished"]
    assert "can't be removed" in logs[0]["reason"]
    assert len(find_backups(night.folder)) == 4
    assert last_backup(night.engine).at == night.now


def test_postgresql_is_refused_with_the_way_to_do_it(tmp_path: Path) -> None:
    config = write_config(
        tmp_path, accounts=[make_account("sales", 9)], storage={"database": "postgresql://relay@db/relay"}
    )
    settings = load_settings(config)
    (tmp_path / "b").mkdir()
    backup = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)], backup={"folder": "b"})).backup
    assert backup is not None
    with pytest.raises(StorageError, match="pg_dump"):
        plan_backup(settings, backup)
