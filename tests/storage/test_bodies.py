import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from relay.model.errors import StorageError, StorageFullError
from relay.model.mail import DeliveryState, NewDelivery, NewMessage, Recipient
from relay.storage import bodies
from relay.storage.backup import copy_database, restore_database
from relay.storage.bodies import IN_FILES, folder_of, hold_files, put_into_rows
from relay.storage.engine import WriteConnection, open_engine
from relay.storage.queue import Queue
from relay.storage.upgrade import VERSION
from relay.storage.writer import Writer
from tests.storage.conftest import NOW, SALES, TAKEN, new_id, new_mail, settled

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

BODY = [b"%d" % n * 70_000 for n in range(9)]
WHOLE = b"".join(BODY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "relay.db")


@pytest.fixture
async def other(engine: Engine) -> AsyncGenerator[Queue]:
    """The queue of the next start."""
    queue = Queue(engine, Writer(engine))
    yield queue
    await queue.close()


async def write(queue: Queue, *versions: int) -> NewMessage:
    """Write all but the end of a large mail ahead, some pieces at a time."""
    mail = new_mail(chunks=(), state=DeliveryState.ACTIVE)
    for version in versions or (0,):
        await asyncio.gather(
            *(queue.write_chunk(mail.message.id, version, n, data) for n, data in enumerate(BODY[:-1]))
        )
    return replace(mail, chunks=tuple((version, len(BODY) - 1, BODY[-1]) for version in versions or (0,)))


async def accept(queue: Queue) -> NewMessage:
    mail = await write(queue)
    await queue.accept(mail)
    return mail


async def read(queue: Queue, mail: NewMessage, version: int = 0) -> bytes:
    return b"".join([chunk async for chunk in queue.chunks(mail.message.id, version)])


async def send(queue: Queue, mail: NewMessage) -> None:
    await queue.settle(settled(mail.deliveries[0], {0: TAKEN}, DeliveryState.DONE))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_large_body_is_a_file_as_long_as_somebody_waits_for_it(
    queue: Queue, folder: Path, engine: Engine
) -> None:
    mail = await accept(queue)
    file = folder / f"{mail.message.id}.0"
    assert file.read_bytes() == await read(queue, mail) == WHOLE
    assert [mode(path) for path in (folder, file)] == [0o700, 0o600]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT seq, data, octets FROM content")).all() == [(0, b"", len(WHOLE))]
    await queue.sweep_bodies()
    assert files(folder) == [file.name]
    await send(queue, mail)
    await queue.sweep_bodies()
    assert files(folder) == []


async def test_what_was_sent_goes_when_the_next_large_mail_is_accepted(queue: Queue, folder: Path) -> None:
    await send(queue, await accept(queue))
    mail = await accept(queue)
    await queue.close()  # all threads have ended
    assert files(folder) == [f"{mail.message.id}.0"]


async def test_the_stripped_version_has_a_file_of_its_own_or_none(queue: Queue, folder: Path) -> None:
    mail = await write(queue, 0, 1)
    second = NewDelivery(id=new_id("d"), destination=SALES, recipients=(Recipient(n=5, address="a@x"),), version=1)
    await queue.accept(replace(mail, deliveries=(*mail.deliveries, second)))
    assert await read(queue, mail, 1) == WHOLE
    same = await write(queue, 0, 1)
    await queue.accept(replace(same, chunks=same.chunks[:1], drop_version_1=True))
    await queue.sweep_bodies()
    assert files(folder) == sorted([f"{mail.message.id}.0", f"{mail.message.id}.1", f"{same.message.id}.0"])
    assert (await read(queue, same), await read(queue, same, 1)) == (WHOLE, b"")


async def test_file_and_names_are_on_the_disk_before_the_row(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    mail = await write(queue)
    fsync, commit = os.fsync, WriteConnection.commit

    def sync(file: int) -> None:
        steps.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        fsync(file)

    def note(connection: WriteConnection) -> None:
        steps.append("commit")
        commit(connection)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(WriteConnection, "commit", note)
    await queue.accept(mail)
    assert steps == [str(folder / f"{mail.message.id}.0"), str(folder), str(folder.parent), "commit"]


async def test_a_mail_that_is_aborted_leaves_no_file_and_another_keeps_its_own(queue: Queue, folder: Path) -> None:
    kept, aborted = await accept(queue), await write(queue)
    assert len(files(folder)) == 2
    for mail in (aborted, kept):
        await queue.discard(mail.message.id)
    assert files(folder) == [f"{kept.message.id}.0"]
    assert await read(queue, kept) == WHOLE


async def test_what_a_crash_leaves_is_swept_at_the_start_and_nothing_else(
    queue: Queue, other: Queue, folder: Path
) -> None:
    mail = await accept(queue)
    await queue.close()
    for name in ("0" * 26 + ".0", "notes.txt"):
        (folder / name).write_bytes(b"x")
    (folder / f"{mail.message.id}.1").symlink_to(folder / "notes.txt")
    await other.recover(now=NOW)
    assert files(folder) == sorted([f"{mail.message.id}.0", "notes.txt"])


async def test_what_is_still_written_is_not_swept(queue: Queue, folder: Path) -> None:
    mail = await write(queue)
    await queue.sweep_bodies()
    assert files(folder) == [f"{mail.message.id}.0"]
    await queue.accept(mail)
    assert await read(queue, mail) == WHOLE


# Faults


def _fail(error: int) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return fail


class _Full:
    """A stream whose disk has room for two pieces."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - whatever it wraps
        self._stream, self._left = stream, 2

    def write(self, data: bytes) -> int:
        self._left -= 1
        if self._left == -1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._stream.write(data))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)


async def test_a_disk_that_is_full_says_so_and_nothing_of_the_mail_stays(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch, count: Callable[[str], int]
) -> None:
    create = bodies._create
    monkeypatch.setattr(bodies, "_create", lambda path: _Full(create(path)))
    mail = replace(new_mail(), chunks=((0, 4, b"end"),))
    written = [queue.write_chunk(mail.message.id, 0, n, b"x" * 9000) for n in range(4)]
    said = await asyncio.gather(*written, return_exceptions=True)
    assert [type(one) for one in said] == [type(None), type(None), StorageFullError, type(None)]
    with pytest.raises(StorageError, match="could not be written as a whole"):  # it has a hole
        await queue.accept(mail)
    await queue.discard(mail.message.id)
    assert (files(folder), count("message"), count("content")) == ([], 0, 0)


@pytest.mark.parametrize("at", ["file", "folder"])
async def test_a_disk_that_can_not_sync_says_so_and_nothing_is_accepted(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch, count: Callable[[str], int], at: str
) -> None:
    mail = await write(queue)
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if at == "file" else (bodies, "sync")), _fail(errno.EIO))
        with pytest.raises(StorageError, match=f"{mail.message.id}.0: Input/output error"):
            await queue.accept(mail)
    await queue.discard(mail.message.id)
    assert (files(folder), count("message"), count("content")) == ([], 0, 0)
    assert await read(queue, await accept(queue)) == WHOLE


async def test_a_file_that_can_not_be_made_is_named(queue: Queue, folder: Path) -> None:
    await asyncio.to_thread(folder.write_bytes, b"no folder")
    mail = new_mail()
    with pytest.raises(StorageError, match=rf"{folder}"):
        await queue.write_chunk(mail.message.id, 0, 0, b"x")


async def test_a_client_waits_no_longer_than_the_patience_for_a_disk_that_hangs(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, count: Callable[[str], int]
) -> None:
    mail, go_on = await write(queue), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(bodies, "PATIENCE", 0.05)
        patch.setattr(os, "fsync", lambda _file: go_on.wait(30))
        with pytest.raises(StorageError, match=r"the disk does not answer within 0.05 s\Z"):
            await queue.accept(mail)
        go_on.set()
    await queue.discard(mail.message.id)
    assert count("message") == 0


@pytest.mark.parametrize("took_effect", [True, False])
async def test_where_the_answer_to_a_commit_is_lost_the_file_stays_if_its_row_is_there(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch, *, took_effect: bool
) -> None:
    mail = await write(queue)
    commit = WriteConnection.commit

    def lose(connection: WriteConnection) -> None:
        if took_effect:
            commit(connection)
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(WriteConnection, "commit", lose)
        patch.setattr(queue._writer._committer, "_find_out", lambda _name: None)
        with pytest.raises(StorageError, match="COMMIT failed"):
            await queue.accept(mail)
    await queue.discard(mail.message.id)
    assert files(folder) == [f"{mail.message.id}.0"] * took_effect
    assert await read(queue, mail) == WHOLE * took_effect


@pytest.mark.parametrize("what", ["missing", "short", "a link"])
async def test_a_file_that_is_not_as_it_was_written_is_named_and_not_sent(
    queue: Queue, folder: Path, what: str, tmp_path: Path
) -> None:
    mail = await accept(queue)
    file = folder / f"{mail.message.id}.0"
    (tmp_path / "secret").write_bytes(WHOLE)
    if what == "short":
        os.truncate(file, 1000)
    else:
        file.unlink()
    if what == "a link":
        file.symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match=rf"\A{file}: "):
        await read(queue, mail)


async def test_a_file_that_ends_while_it_is_read_is_named(queue: Queue, folder: Path) -> None:
    mail = await accept(queue)
    body = queue.chunks(mail.message.id, 0)
    await anext(body)
    await anext(body)
    os.truncate(folder / f"{mail.message.id}.0", 1000)
    with pytest.raises(StorageError, match="ended while it was read"):
        [chunk async for chunk in body]


# Copies


async def test_a_copy_is_whole_though_the_mail_is_sent_while_it_is_made(
    queue: Queue, folder: Path, tmp_path: Path, engine: Engine
) -> None:
    mail, loop, sent = await accept(queue), asyncio.get_running_loop(), list[list[str]]()

    def step(_octets: int) -> None:
        if not sent:
            sent.append(files(folder))
            for work in (send(queue, mail), queue.sweep_bodies()):
                asyncio.run_coroutine_threadsafe(work, loop).result()
            sent.append(files(folder))

    await asyncio.to_thread(copy_database, tmp_path / "relay.db", tmp_path / "copy.db", step)
    assert sent == [[f"{mail.message.id}.0"]] * 2  # kept for the copy
    await queue.sweep_bodies()
    assert files(folder) == []
    await queue.close()
    engine.dispose()
    restore_database(tmp_path / "copy.db", tmp_path / "relay.db", newest=VERSION)
    again = open_engine(f"sqlite:///{tmp_path}/relay.db")
    restored = Queue(again, Writer(again))
    assert await read(restored, mail) == WHOLE
    await restored.close()
    again.dispose()


async def test_a_copy_shows_what_it_lacks_and_reads_nothing_elsewhere(
    queue: Queue, folder: Path, tmp_path: Path, engine: Engine
) -> None:
    mails = [await accept(queue) for _ in range(3)]
    (folder / f"{mails[0].message.id}.0").unlink()
    os.truncate(folder / f"{mails[1].message.id}.0", 10)
    (folder.parent / "secret.0").write_bytes(WHOLE)
    with engine.begin() as connection:
        insert = text("INSERT INTO content VALUES ('../secret', 0, 0, x'', :octets)")
        connection.execute(insert, {"octets": len(WHOLE)})
    copy_database(tmp_path / "relay.db", tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        lacking = [row[0] for row in copy.execute(IN_FILES)]
        left = {row[0] for row in copy.execute("SELECT message_id FROM content WHERE octets = 0")}
    copy.close()
    assert lacking == [mails[0].message.id, mails[1].message.id, "../secret"]
    assert left == {mails[2].message.id}


def test_a_copy_of_an_older_schema_has_no_files(engine: Engine, tmp_path: Path) -> None:
    engine.dispose()
    with sqlite3.connect(tmp_path / "relay.db") as old:
        old.execute("ALTER TABLE content DROP COLUMN octets")
        put_into_rows(old, folder_of(tmp_path / "relay.db"), lambda _octets: None)
    old.close()


async def test_two_copies_may_be_made_at_a_time(queue: Queue, folder: Path) -> None:
    await queue.sweep_bodies()
    with hold_files(folder), hold_files(folder):
        pass
