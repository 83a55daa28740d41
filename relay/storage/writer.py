"""Group commit: one thread runs all writes that wait in one transaction, so that one fsync serves many sessions.

Guarantee: a write's caller goes on only after the commit that holds it, and that is on the disk then, unless the kind
of the write says that a later one sees to it (`Operation.synced`). A write that the database refuses fails alone:
the others of its batch run again, each by itself. Each batch leaves its own name in the database. So, where COMMIT
fails or its answer is lost, the next connection finds out whether it took effect: if it did, all is well; if not, the
batch runs again. Only a database that gives no answer at all leaves that open; then the whole batch fails.
"""

import asyncio
import contextlib
import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Engine

from relay.emitting import emit
from relay.events.service import CommitInDoubt, WriterDied
from relay.model.errors import RelayError, StorageError
from relay.model.ids import make_id
from relay.storage.engine import WriteConnection, file_of
from relay.storage.faults import is_conflict, is_connection_lost, is_fault_of_database, is_surely_undone, storage_error
from relay.storage.transaction import Transaction

MOST_WRITES: Final = 128
"""Of one batch."""
MOST_OCTETS: Final = 1 << 20
"""Of one batch, the first write not counted: no write waits long behind large mails."""
_TRIES = 3
"""Of a batch that met another node's, or whose COMMIT did not take effect."""
FIND_OUT: Final = 20.0
"""Seconds within which a database must say whether a COMMIT took effect."""
FIND_OUT_FROM_FILE: Final = 1.0
"""The same of a file: a disk that does not take a COMMIT has no more to say later, and clients wait."""
_PAUSES: Final = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Seconds between the questions; the last one repeats."""
_DAY: Final = 86_400_000
"""Milliseconds."""
_PREFIX: Final = "batch/"
_NOTE: Final = "UPDATE meta SET value = ? WHERE key = ?"
_NOTE_FIRST: Final = "INSERT INTO meta (key, value) VALUES (?, ?)"
# It waits, on a shared database, for the transaction in doubt: it holds that key until it has ended.
_WAIT: Final = "INSERT INTO meta (key, value) VALUES (?, '') ON CONFLICT DO NOTHING"
_NOTED: Final = "SELECT d.value FROM meta d WHERE d.key = ? {lock_meta}"
_FORGET: Final = "DELETE FROM meta WHERE key = ?"
_FORGET_OLD: Final = "DELETE FROM meta WHERE key >= 'batch/' AND key < 'batch0' AND value < ?"

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[A, R]):
    """One kind of write. Those of one kind and batch are applied together."""

    rank: int
    """The kinds of a batch are applied in this order."""
    apply: Callable[[Transaction, Sequence[A]], Sequence[R]]
    """Gives a result for each argument; runs again from the beginning if the batch has to be repeated."""
    synced: bool = True
    """False where it need be durable only together with a later write: a batch of such ones alone is not synced."""


@dataclass(slots=True, eq=False)
class _Write:
    operation: Operation[Any, Any]
    argument: object
    octets: int
    future: asyncio.Future[Any]
    turn: list[bool]
    """One entry, for whoever comes first: the thread, to begin it, or the caller, to withdraw it."""
    result: object = None
    error: Exception | None = None


def _nothing(_tx: Transaction, arguments: Sequence[None]) -> list[None]:
    return [None] * len(arguments)


_NOTHING: Final = Operation(99, _nothing, synced=False)


class _CommitError(Exception):
    """COMMIT failed, or its answer was lost: whether it took effect must be found out."""


class Writer:
    """The only place that writes while the service runs. Belongs to the event loop of its first `run`."""

    def __init__(self, engine: Engine) -> None:
        self.dead = asyncio.Event()
        """Set when the thread has died of a fault: no write will ever succeed again."""
        self._engine = engine
        self._connection: WriteConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fresh: list[_Write] = []
        self._inbox: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._closed = False
        self._key = _PREFIX + os.urandom(8).hex()
        """Where this writer's batches leave their names; the last one counts."""
        self._number = int.from_bytes(os.urandom(4), "big")
        self._thread = threading.Thread(target=self._work, name="queue-writer", daemon=True)
        self._thread.start()

    async def run(
        self, operation: Operation[A, R], argument: A, *, octets: int = 0, patience: float | None = None
    ) -> R:
        """Run one write and wait until it is durable; see `submit`.

        After `patience` seconds it raises StorageError: a write that has not begun is withdrawn then, of another one it
        is not known whether it takes effect.
        """
        write = self._submit(operation, argument, octets=octets)
        if patience is None:
            return await write.future  # type: ignore[no-any-return]  # the operation's result
        try:
            async with asyncio.timeout(patience):
                return await write.future  # type: ignore[no-any-return]
        except TimeoutError:
            doubt = "" if _may_begin(write) else "; it may take it later"
            raise StorageError(f"the database does not answer within {patience:g} s{doubt}") from None

    def submit(self, operation: Operation[A, R], argument: A) -> "asyncio.Future[R]":
        """Hand in one write; those of one turn of the loop share a commit. Who stops waiting does not cancel it.

        The future is done when the write is durable. It, or this call, raises StorageError where nothing was written
        (after a failed COMMIT: where it is not known), and whatever RelayError the operation raises.
        """
        return self._submit(operation, argument, octets=0).future

    def _submit(self, operation: Operation[Any, Any], argument: object, *, octets: int) -> _Write:
        if self._closed or self.dead.is_set():
            raise StorageError("the queue is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        write = _Write(operation, argument, octets, self._loop.create_future(), [True])
        self._fresh.append(write)
        if len(self._fresh) == 1:
            # All writes that begin in this turn of the loop wake the thread once.
            self._loop.call_soon(self._hand_over)
        return write

    async def answer(self) -> None:
        """Wait until the thread has run a write that changes nothing; raises StorageError as every write does."""
        await self.run(_NOTHING, None)

    async def close(self) -> None:
        """Run what waits, then end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        if self._fresh:
            self._inbox.put(self._fresh)
            self._fresh = []

    # In the thread

    def _work(self) -> None:
        waiting: deque[_Write] = deque()
        batch: list[_Write] = []
        try:
            while self._take(waiting):
                batch = [write for write in _next_batch(waiting) if _may_begin(write)]
                if batch:
                    self._write(batch)
                    self._tell(batch)
        except BaseException as error:  # whoever waits must learn of it
            emit(WriterDied(error=type(error).__name__))
            self._post(self._bury, [*batch, *waiting])
            raise
        finally:
            self._forget()
            self._disconnect()

    def _forget(self) -> None:
        """Leave no name behind, at a good end; what a crash leaves is forgotten a day later."""
        with contextlib.suppress(Exception):
            if self._connection is not None:
                tx = self._connection.begin()
                tx.change(_FORGET, self._key)
                tx.change(_FORGET_OLD, make_id(time.time_ns() // 1_000_000 - _DAY, bytes(10)))
                self._connection.commit()

    def _take(self, waiting: deque[_Write]) -> bool:
        """Take all that waits, and wait where nothing does; false at the end."""
        with contextlib.suppress(queue.Empty):
            while True:
                fresh = self._inbox.get(block=not waiting)
                if fresh is None:
                    self._inbox.put(None)  # for the next time, when the rest is done
                    return bool(waiting)
                waiting.extend(fresh)
        return True

    def _write(self, batch: list[_Write]) -> None:
        """Run a batch; afterwards each write has its result or its error."""
        try:
            self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next batch may do better
            if len(batch) == 1 or isinstance(error, _CommitError) or is_fault_of_database(error):
                failure = _failure(error, file_of(self._engine))
                for write in batch:
                    write.error = failure
                return
            for write in batch:
                self._write([write])

    def _commit(self, batch: list[_Write]) -> None:
        for n in range(1, _TRIES + 1):
            is_old = self._connection is not None
            self._number += 1
            name = make_id(time.time_ns() // 1_000_000, self._number.to_bytes(10, "big"))
            try:
                self._commit_once(batch, name)
            except _CommitError as error:
                self._disconnect()
                took_effect = self._find_out(name)
                emit(CommitInDoubt(error=str(error), took_effect=took_effect))
                if took_effect:
                    return
                if took_effect is None or n == _TRIES:
                    raise
            except Exception as error:
                self._disconnect()
                # Of a server that was restarted meanwhile, the connection of before says nothing.
                if n == _TRIES or not (is_conflict(error) or (is_old and is_connection_lost(error))):
                    raise
            else:
                return

    def _find_out(self, name: str) -> bool | None:
        """Ask whether the batch of a name took effect; None where the database gives no answer in time."""
        is_file = self._engine.dialect.name == "sqlite"
        ends = time.monotonic() + (FIND_OUT_FROM_FILE if is_file else FIND_OUT)
        for n in itertools.count():
            time.sleep(_PAUSES[min(n, len(_PAUSES) - 1)])
            try:
                self._connection = WriteConnection(self._engine)
                tx = self._connection.begin()
                tx.change(_WAIT, self._key)
                noted = tx.rows(_NOTED, self._key)
                self._connection.rollback()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next question may be answered
                self._disconnect()
                if time.monotonic() > ends or not is_fault_of_database(error):
                    return None
            else:
                return bool(noted[0][0] == name)
        return None

    def _commit_once(self, batch: list[_Write], name: str) -> None:
        if self._connection is None:
            self._connection = WriteConnection(self._engine)
        tx = self._connection.begin(synced=any(write.operation.synced for write in batch))
        for operation, group in groupby(batch, key=lambda write: write.operation):
            writes = list(group)
            results = operation.apply(tx, [write.argument for write in writes])
            for write, result in zip(writes, results, strict=True):
                write.result = result
        # What has changed nothing comes to the same when it runs again; and it needs no sync.
        if tx.has_changed and not tx.change(_NOTE, name, self._key):
            tx.change(_NOTE_FIRST, self._key, name)
        try:
            self._connection.commit()
        except Exception as error:
            if is_conflict(error) or is_surely_undone(error):
                raise
            raise _CommitError(storage_error(error, file_of(self._engine))) from None

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()

    def _tell(self, batch: list[_Write]) -> None:
        self._post(_resolve, batch)

    def _post(self, function: Callable[[list[_Write]], None], writes: list[_Write]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, writes)

    # In the loop again

    def _bury(self, left: list[_Write]) -> None:
        """Fail all that waits: the thread is dead."""
        self.dead.set()
        self._hand_over()
        with contextlib.suppress(queue.Empty):
            while True:
                left += self._inbox.get_nowait() or ()
        for write in left:
            write.error = StorageError("the queue's writer has died")
        _resolve(left)


def _next_batch(waiting: deque[_Write]) -> list[_Write]:
    """Take the oldest writes, as many as one transaction may hold, in the order of their kinds."""
    batch = [waiting.popleft()]
    octets = 0
    while waiting and len(batch) < MOST_WRITES:
        octets += waiting[0].octets
        if octets > MOST_OCTETS:
            break
        batch.append(waiting.popleft())
    batch.sort(key=lambda write: write.operation.rank)
    return batch


def _may_begin(write: _Write) -> bool:
    """Take the turn of a write, unless its caller has withdrawn it."""
    try:
        return write.turn.pop()
    except IndexError:
        return False


def _failure(error: Exception, file: Path | None) -> Exception:
    if isinstance(error, _CommitError):
        kind = type(error.args[0]) if isinstance(error.args[0], StorageError) else StorageError
        return kind(f"COMMIT failed: {error}")
    return error if isinstance(error, RelayError) else storage_error(error, file)


def _resolve(writes: list[_Write]) -> None:
    for write in writes:
        if write.future.done():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
