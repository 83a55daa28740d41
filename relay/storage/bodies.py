"""The bodies of mails: in rows or, large ones beside a SQLite database, in files of a folder there.

SQLite writes each page twice, first into its log. So what comes in before the end of a mail goes into a file, whose row
says how many octets it has. A database that nodes share has rows alone, and so has a copy, which is whole by itself.

Guarantee: file and name are on the disk before the row is committed. A file goes away only when no row names it, nobody
writes it, and no copy is being made. One that is missing or has another size is a fault that names it.
"""

import asyncio
import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from functools import partial
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Engine, bindparam, select

from relay.model.errors import StorageError
from relay.model.mail import NewMessage
from relay.storage.engine import transaction
from relay.storage.faults import file_error
from relay.storage.statement import LIMIT, Statement, is_in
from relay.storage.syncing import CREATE, FOLDER, open_plain, sync
from relay.storage.tables import content
from relay.storage.transaction import Transaction

T = TypeVar("T")
Read: TypeAlias = Callable[..., Awaitable[Sequence[tuple[bytes, int]]]]

PATIENCE: Final = 30.0
"""Seconds within which the disk must have done a step."""
_PAGE: Final = 2
"""Chunks that are read at a time: a small mail, which is one, costs one query."""
_PIECE: Final = 1 << 18
_SELECT_CHUNKS: Final = Statement(
    select(content.c.data, content.c.octets)
    .where(
        content.c.message_id == bindparam("message"),
        content.c.version == bindparam("of"),
        content.c.seq >= bindparam("first"),
    )
    .order_by(content.c.seq)
    .limit(LIMIT)
)
_SELECT_NAMED: Final = Statement(
    select(content.c.message_id, content.c.version).where(is_in(content.c.message_id, "messages"), content.c.octets > 0)
)
IN_FILES: Final = "SELECT message_id, version, octets FROM content WHERE octets > 0"  # in a copy: what it lacks
_INSERT: Final = "INSERT INTO content (message_id, version, seq, data) VALUES (?, ?, ?, ?)"


def folder_of(database: Path) -> Path:
    """Name the folder of a database's bodies."""
    return database.with_name(f"{database.name}.bodies")


@contextlib.contextmanager
def hold_files(folder: Path, lock: int = LOCK_SH) -> Iterator[None]:
    """Keep all files where they are. Raises OSError."""
    held = os.open(folder, FOLDER | os.O_NOFOLLOW)
    try:
        flock(held, lock)
        yield
    finally:
        os.close(held)


def put_into_rows(copy: sqlite3.Connection, folder: Path, step: Callable[[int], None]) -> None:
    """Put what a copied database names into rows of it, but for what is missing; `step` is told of the octets."""
    if "octets" not in [row[1] for row in copy.execute("PRAGMA table_info(content)")]:
        return  # an older schema
    copy.execute("PRAGMA synchronous = OFF")  # whoever gives the copy its name syncs it
    for message_id, version, octets in copy.execute(IN_FILES).fetchall():
        with contextlib.suppress(OSError), _open(_name(folder, message_id, version), octets) as stream, copy:
            copy.execute("DELETE FROM content WHERE message_id = ? AND version = ?", (message_id, version))
            for seq, piece in enumerate(iter(partial(stream.read, _PIECE), b"")):
                copy.execute(_INSERT, (message_id, version, seq, piece))
                step(len(piece))


def _name(folder: Path, message_id: str, version: int) -> Path:
    return folder / Path(f"{message_id}.{version}").name  # a copy may say anything


def _create(path: Path) -> BufferedWriter:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return os.fdopen(os.open(path, CREATE, 0o600), "wb")


def _open(path: Path, octets: int) -> BufferedReader:
    stream = os.fdopen(open_plain(path), "rb")
    if (size := os.fstat(stream.fileno()).st_size) != octets:
        stream.close()
        raise OSError(errno.EIO, f"is damaged: it has {size} octets in place of {octets}")
    return stream


@dataclass(eq=False)
class _Growing:
    """A file that is being written, one piece after the other: octets that were to be, and that are."""

    path: Path
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stream: BufferedWriter | None = None
    begun: int = 0
    done: int = 0

    def seal(self) -> None:
        """Wait until all is on the disk. Raises OSError."""
        assert self.stream is not None
        self.stream.flush()
        os.fsync(self.stream.fileno())
        sync(self.path.parent)
        sync(self.path.parent.parent)  # the folder may be new


class BodyFiles:
    """The files of one service, the only one that writes there. Belongs to its event loop."""

    def __init__(self, engine: Engine, database: Path, threads: Executor) -> None:
        self._engine, self._threads = engine, threads
        self.folder = folder_of(database)
        self._growing: dict[str, _Growing] = {}
        """By their names: those of which it is not yet known whether a mail has them."""
        self._sweeping = threading.Lock()

    def write(self, message_id: str, version: int, data: bytes) -> "asyncio.Future[None]":
        """Write a piece of a body behind those before it; the future is done with it, and raises StorageError."""
        path = _name(self.folder, message_id, version)
        file = self._growing.get(path.name)
        if file is None:
            file = self._growing[path.name] = _Growing(path)
        file.begun += len(data)
        return asyncio.ensure_future(self._write(file, data))

    async def _write(self, file: _Growing, data: bytes) -> None:
        async with file.turn:
            if file.stream is None:
                file.stream = await self.run(file.path, _create, file.path)
            await self.run(file.path, file.stream.write, data)
            file.done += len(data)

    async def seal(self, new: NewMessage) -> NewMessage:
        """Make the files of a mail durable, and return what is left to be written. Raises StorageError."""
        files = {}
        for version, _, data in new.chunks:
            file = self._growing.get(f"{new.message.id}.{version}")
            if file is not None:
                await self.write(new.message.id, version, data)
                if file.done != file.begun:
                    raise StorageError(f"{file.path}: could not be written as a whole")
                await self.run(file.path, file.seal)
                files[version] = file.done
        chunks = tuple(chunk for chunk in new.chunks if chunk[0] not in files)
        return replace(new, chunks=chunks, files=tuple(files.items())) if files else new

    def let_go(self, message_id: str) -> None:
        """Note that the database knows by now whether a mail was accepted: the next sweep removes what it has not."""
        for name in (f"{message_id}.0", f"{message_id}.1"):
            if (file := self._growing.pop(name, None)) is not None and file.stream is not None:
                with contextlib.suppress(RuntimeError):  # the queue is closed
                    self._threads.submit(file.stream.close)
                    if not self._sweeping.locked():
                        self._threads.submit(self.sweep)  # what was sent meanwhile goes as well

    def sweep(self) -> None:
        """Remove the files that belong to nobody, unless a copy is being made. For a thread; raises OSError, too."""
        self.folder.mkdir(mode=0o700, exist_ok=True)  # it is always there: a copy that begins can hold it
        with self._sweeping, contextlib.suppress(BlockingIOError), hold_files(self.folder, LOCK_EX | LOCK_NB):
            # In this order: what was there and grows no more is accepted by now, and its row there, or it is nobody's.
            there = {path.name: path for path in self.folder.glob("*.[01]")}
            left = set(self._growing)  # one step of the interpreter
            with transaction(self._engine, write=False) as tx:
                rows = tx.rows(_SELECT_NAMED, messages=[path.stem for path in there.values()])
            for name in there.keys() - left - {f"{row[0]}.{row[1]}" for row in rows}:
                with contextlib.suppress(OSError):
                    there[name].unlink()

    async def read(self, message_id: str, version: int, octets: int) -> AsyncIterator[bytes]:
        """Return what a file holds. Raises StorageError where it is not there or not whole."""
        path = _name(self.folder, message_id, version)
        with await self.run(path, _open, path, octets) as stream:
            while piece := await self.run(path, stream.read, _PIECE):
                octets -= len(piece)
                yield piece
        if octets:
            raise StorageError(f"{path}: is damaged: it ended while it was read")

    async def run(self, path: Path, work: Callable[..., T], *arguments: object) -> T:
        """Run in a thread what concerns a file. Raises StorageError, which names it."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except TimeoutError:
            raise StorageError(f"{path}: the disk does not answer within {PATIENCE:g} s") from None
        except OSError as error:
            raise file_error(error, path) from None
        except RuntimeError:
            raise StorageError("the queue is closed") from None


async def read_body(read: Read, files: BodyFiles | None, message_id: str, version: int) -> AsyncIterator[bytes]:
    """Return a body, two chunks in memory at a time; `read` asks the database. Raises StorageError."""
    seq, is_more = 0, True
    while is_more:
        select_page = partial(Transaction.rows, message=message_id, of=version, first=seq, limit=_PAGE)
        page = await read(select_page, _SELECT_CHUNKS)
        for data, octets in page:
            yield data
            if octets and files is not None:
                async for piece in files.read(message_id, version, octets):
                    yield piece
        seq, is_more = seq + len(page), len(page) == _PAGE
