"""Backups made of a SQLite database that is in use: whole, or not there."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.errors import RelayError, StorageBusyError, StorageError
from relay.storage import saving
from relay.storage.backup import copy_database
from relay.storage.engine import open_engine, transaction
from relay.storage.lock import FileLock
from relay.storage.manifest import MANIFEST, find_backups, read_manifest, verify
from relay.storage.named_files import Gathered, Named
from relay.storage.queue import Queue
from relay.storage.saving import Job, Pace, estimate, make_backup, remove_old
from relay.storage.upgrade import prepare_database
from relay.storage.writer import Writer
from tests.storage.conftest import new_mail

NOON = 1_795_773_600_000
"""2026-11-27 10:00 UTC."""
NOTHING = Gathered(files=(), blanked=(), missing=())
OURS = "0123456789abcdef"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    storage, folder = tmp_path / "storage", tmp_path / "backup"
    storage.mkdir()
    folder.mkdir()
    engine = open_engine(f"sqlite:///{storage}/relay.db")
    prepare_database(engine)
    engine.dispose()
    return Job(
        folder=folder,
        storage=storage,
        database=storage / "relay.db",
        configuration=tmp_path / "relay.toml",
        inboxes=storage / "inboxes",
        secrets=False,
        room=0,
    )


def make(job: Job, *, at: int = NOON, step: Callable[[int], None] = lambda _: None, ours: str = OURS) -> Path:
    return make_backup(job, NOTHING, at=at, installation=ours, step=step).path


def mail(job: Job, place: str, content: bytes = b"hello\n") -> Path:
    assert job.inboxes is not None
    path = job.inboxes / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def test_large_bodies_are_in_the_copy_of_the_database_and_what_it_lacks_is_named(job: Job) -> None:
    engine = open_engine(f"sqlite:///{job.database}")
    queue = Queue(engine, Writer(engine))
    mails, body = [new_mail(chunks=()) for _ in range(2)], b"x" * 300_000
    for one in mails:
        await queue.write_chunk(one.message.id, 0, 0, body)
        await queue.accept(replace(one, chunks=((0, 1, b"end"),)))
    await queue.close()
    engine.dispose()
    assert estimate(job) > job.database.stat().st_size + 2 * len(body)
    (job.storage / "relay.db.bodies" / f"{mails[1].message.id}.0").unlink()
    made = make_backup(job, NOTHING, at=NOON, installation=OURS, step=lambda _: None)
    assert made.missing == (f"the body of mail {mails[1].message.id}: its file is missing or damaged",)
    assert read_manifest(made.path).missing == made.missing
    with sqlite3.connect(made.path / "relay.db") as copy:
        rows = copy.execute("SELECT data FROM content WHERE octets = 0 ORDER BY seq").fetchall()
    copy.close()
    assert b"".join(row[0] for row in rows) == body + b"end"


def test_it_is_a_folder_named_by_its_time_with_all_that_was_asked_for(job: Job) -> None:
    mail(job, "anna/new/1.a.relay", b"new\n")
    mail(job, "anna/cur/2.b.relay:2,S", b"read\n")
    mail(job, "anna/.Customers/cur/3.c.relay:2,", b"filed\n")
    mail(job, "anna/tmp/half", b"half")
    mail(job, "anna/dovecot.index", b"no mail")
    gathered = Gathered(
        files=(Named(path="relay.toml", content=b"x"), Named(path="secrets/0001-p", content=b"p\n", origin="/etc/p")),
        blanked=("account[sales].smtp.password",),
        missing=("/etc/q: can't be read: Permission denied",),
    )
    octets: list[int] = []
    made = make_backup(job, gathered, at=NOON, installation=OURS, step=octets.append)
    assert made.path == job.folder / "relay-2026-11-27T100000Z"
    assert made.missing == gathered.missing
    found = {str(path.relative_to(made.path)) for path in made.path.rglob("*") if path.is_file()}
    mails = {
        "inboxes/anna/new/1.a.relay",
        "inboxes/anna/cur/2.b.relay:2,S",
        "inboxes/anna/.Customers/cur/3.c.relay:2,",
    }
    assert found == {MANIFEST, "relay.db", "relay.toml", "secrets/0001-p", *mails}
    manifest = read_manifest(made.path)
    assert {entry.path for entry in manifest.files} == found - {MANIFEST}
    assert (manifest.at, manifest.installation, manifest.blanked) == (NOON, OURS, gathered.blanked)
    assert made.size == sum((made.path / entry.path).stat().st_size for entry in manifest.files)
    verify(made.path, manifest, lambda _: None)
    for path in (made.path, *made.path.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert estimate(job) >= sum(len(content) for content in (b"new\n", b"read\n", b"filed\n"))
    assert (made.path / "relay.db").read_bytes()[18:20] == b"\x01\x01"


@pytest.mark.parametrize("secrets", [False, True])
async def test_without_secrets_no_password_can_be_guessed_from_the_database(job: Job, secrets: bool) -> None:
    """It keeps fingerprints of logins that were refused: passwords could be tried against them, with their key."""
    engine = open_engine(f"sqlite:///{job.database}")
    queue = Queue(engine, Writer(engine))
    key = (await queue.fingerprint_key()).hex().encode()
    await queue.close()
    engine.dispose()
    made = make(replace(job, secrets=secrets))
    assert (key in (made / "relay.db").read_bytes()) == secrets
    assert sorted(path.name for path in made.iterdir()) == [MANIFEST, "relay.db"]
    verify(made, read_manifest(made), lambda _: None)


def test_two_within_a_second_have_names_of_their_own(job: Job) -> None:
    assert make(job) != make(job)
    assert [path.name for path in find_backups(job.folder)] == ["relay-2026-11-27T100000Z", "relay-2026-11-27T100001Z"]


def test_without_inboxes_none_are_copied(job: Job) -> None:
    mail(job, "anna/new/1")
    assert not (make(replace(job, inboxes=None)) / "inboxes").exists()


def test_links_in_the_inboxes_are_not_followed(job: Job, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    real = mail(job, "anna/new/1")
    (real.parent / "2").symlink_to(tmp_path / "secret")
    (real.parents[1] / ".Folder").symlink_to(tmp_path)
    assert job.inboxes is not None
    (job.inboxes / "bert").symlink_to(tmp_path)
    (job.inboxes / "carl").mkdir()
    (job.inboxes / "carl" / "new").symlink_to(real.parent)
    os.mkfifo(real.parent / "3")
    made = make(job)
    assert [entry.path for entry in read_manifest(made).files] == ["relay.db", "inboxes/anna/new/1"]


def test_a_mail_that_is_read_or_deleted_meanwhile_is_no_mistake(job: Job) -> None:
    for n in range(5):
        mail(job, f"anna/new/{n}")
    mail(job, "anna/cur/9:2,")

    def read(octets: int) -> None:
        new, cur = mail(job, "anna/new/x").parent, mail(job, "anna/cur/9:2,").parent
        if octets == 6:  # a mail was copied
            for n in range(4):
                if (new / f"{n}").exists():
                    (new / f"{n}").rename(cur / f"{n}:2,S")
            (new / "4").unlink(missing_ok=True)

    manifest = read_manifest(make(job, step=read))
    names = sorted(entry.path.rpartition("/")[2].partition(":")[0] for entry in manifest.files[1:])
    assert names[:4] == ["0", "1", "2", "3"]
    assert len(names) == len(set(names))
    assert "9" in names


def test_a_file_that_grows_while_it_is_copied_comes_to_an_end(job: Job) -> None:
    path = mail(job, "anna/new/1", b"x" * (1 << 20))

    def grow(_octets: int) -> None:
        with path.open("ab") as stream:
            stream.write(b"y" * (1 << 20))

    made = make(job, step=grow)
    assert (made / "inboxes/anna/new/1").read_bytes().startswith(b"x" * (1 << 20))


async def test_a_copy_in_steps_is_of_one_moment_and_nobody_waits_for_it(job: Job) -> None:
    engine = open_engine(f"sqlite:///{job.database}")
    queue = Queue(engine, Writer(engine))
    for _ in range(30):
        await queue.accept(new_mail(chunks=(b"x" * 200_000,)))
    count = "SELECT count(*), (SELECT count(*) FROM content) FROM message"
    written: list[float] = []
    busy = sqlite3.connect(job.database, timeout=0, isolation_level=None, check_same_thread=False)

    def write(_octets: int) -> None:
        # Without any patience: a lock that the copy held would be an error at once.
        busy.execute("INSERT INTO meta VALUES (?, 'x')", (f"x/{len(written)}",))
        busy.execute("DELETE FROM content WHERE message_id = (SELECT min(message_id) FROM content)")
        written.append(1)

    copy_database(job.database, job.folder / "copy.db", write)
    busy.close()
    copy = sqlite3.connect(job.folder / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute(count).fetchone() == (30, 30)
    assert copy.execute("SELECT count(*) FROM meta WHERE key LIKE 'x/%'").fetchone() == (0,)
    copy.close()
    assert len(written) > 3
    with transaction(engine, write=False) as tx:
        assert tx.raw("SELECT count(*) FROM meta WHERE key LIKE 'x/%'") == [(len(written),)]
    await queue.close()
    engine.dispose()


async def test_under_load_each_backup_is_consistent(job: Job) -> None:
    engine = open_engine(f"sqlite:///{job.database}")
    queue = Queue(engine, Writer(engine))
    paths: list[Path] = []
    thread = threading.Thread(target=lambda: paths.extend(make(job, at=NOON + n * 1000) for n in range(3)))
    thread.start()
    accepted = 0
    while thread.is_alive():
        await queue.accept(new_mail(chunks=(b"x" * 50_000,)))
        accepted += 1
    thread.join()
    await queue.close()
    engine.dispose()
    assert len(paths) == 3
    for path in paths:
        copy = sqlite3.connect(path / "relay.db")
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        halves = "SELECT count(*) FROM message WHERE id NOT IN (SELECT message_id FROM content)"
        assert copy.execute(halves).fetchone() == (0,)
        copy.close()
    assert accepted


class EndedError(RelayError):
    pass


@pytest.mark.parametrize("error", [EndedError("stop"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("at", range(1, 5))
def test_what_fails_leaves_nothing_behind(job: Job, at: int, error: Exception) -> None:
    mail(job, "anna/new/1")
    count = 0

    def end(_octets: int) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise error

    with pytest.raises(RelayError):
        make(job, step=end)
    assert list(job.folder.iterdir()) == []
    assert make(job).exists()


def test_a_full_disk_is_seen_before_it_is_full(job: Job) -> None:
    with pytest.raises(StorageError, match=r"No space left on device: about 1 MiB are needed, .* \[backup\] keep"):
        make(replace(job, room=1 << 60))
    assert list(job.folder.iterdir()) == []


def test_a_file_that_leaves_no_room_is_named(job: Job) -> None:
    os.truncate(mail(job, "anna/new/giant"), 1 << 43)
    with pytest.raises(
        StorageError, match=r"8388608 MiB of it are one file of .*/inboxes/anna, 'giant': is that a mail"
    ):
        make(job)
    assert list(job.folder.iterdir()) == []


def test_a_missing_folder_is_named_with_what_makes_it(job: Job) -> None:
    job.folder.rmdir()
    with pytest.raises(StorageError, match=r"backup: there is no such folder: make it by .*install -d"):
        make(job)
    assert not job.folder.exists()


def test_two_at_a_time_are_refused(job: Job) -> None:
    lock = FileLock(job.storage / saving.LOCK, "")
    lock.acquire()
    with pytest.raises(StorageBusyError, match="another backup is being made"):
        make(job)
    lock.release()


def test_a_damaged_database_makes_no_backup(job: Job) -> None:
    engine = open_engine(f"sqlite:///{job.database}")
    with transaction(engine, write=True) as tx:
        for n in range(5000):
            tx.raw("INSERT INTO meta VALUES (?, ?)", f"{n:020d}", "x" * 50)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    content = bytearray(job.database.read_bytes())
    content[200_000:210_000] = b"junk" * 2500
    job.database.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        make(job)
    assert list(job.folder.iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from tests.storage.test_saving import Job, make
storage, folder = map(Path, sys.argv[1:3])
def wait(octets):
    if (folder / "wait").exists():
        print("half", flush=True)
        time.sleep(60)
make(Job(folder=folder, storage=storage, database=storage / "relay.db", configuration=storage / "relay.toml",
         inboxes=storage / "inboxes", secrets=False, room=0), step=wait)
"""


def test_killed_in_the_middle_nothing_looks_like_a_backup_and_the_next_one_clears_away(job: Job) -> None:
    mail(job, "anna/new/1")
    (job.folder / "wait").touch()
    (job.folder / ".relay-2026-01-01T000000Z.fedc.partial").mkdir()  # of another installation, at work perhaps
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(job.storage), str(job.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    partial = [path for path in job.folder.iterdir() if OURS in path.name]
    assert len(partial) == 1
    assert find_backups(job.folder) == []
    made = make(job)
    assert find_backups(job.folder) == [made]
    assert sorted(path.name for path in job.folder.iterdir()) == [
        ".relay-2026-01-01T000000Z.fedc.partial",
        made.name,
        "wait",
    ]


def test_the_oldest_of_ours_go_and_nothing_else(job: Job) -> None:
    made = [make(job, at=NOON + n * 1000) for n in range(4)]
    other = make(job, at=NOON - 1000, ours="fedc")
    (made[1] / MANIFEST).write_text("{")  # what can't be read is nothing that we remove
    (job.folder / "notes").mkdir()
    (job.folder / "relay-2020-01-01T000000Z").mkdir()
    assert remove_old(made[3], 2, OURS) == [made[0]]
    assert find_backups(job.folder) == [other, made[1], made[2], made[3]]
    # One whose name is the oldest, since the clock was wrong, is the newest all the same.
    late = make(job, at=NOON - 86_400_000)
    (late / MANIFEST).write_text("{")  # nor does it keep the others from being removed
    assert remove_old(late, 1, OURS) == [made[2], made[3]]
    assert late.exists()
    assert sorted(path.name for path in job.folder.iterdir() if path.name.startswith(".")) == []
    assert (job.folder / "relay-2020-01-01T000000Z").exists()


def test_it_rests_as_long_as_it_works() -> None:
    clock, rests, octets = [0.0], list[float](), list[int]()
    pace = Pace(octets.append, monotonic=lambda: clock[0], sleep=rests.append)
    for _ in range(3):
        clock[0] += 0.1
        pace(1 << 19)
    clock[0] += 9
    pace(1 << 20)
    assert octets == [1 << 19, 1 << 19, 1 << 19, 1 << 20]
    assert rests == [pytest.approx(0.2), 0.5]


def test_the_manifest_can_be_read_by_people(job: Job) -> None:
    content = json.loads((make(job) / MANIFEST).read_text())
    assert content["format"] == 1
    assert content["files"][0]["path"] == "relay.db"
