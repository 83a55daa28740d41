"""Group commit: one thread runs all writes that wait in one transaction, so that one fsync serves many sessions.

Guarantee: a write's caller goes on only after the commit that holds it, and that is on the disk then, unless the kind
of the write says that a later one sees to it (`Operation.synced`). A write that the database refuses fails alone:
the others of its batch run again, each by itself. A failed COMMIT, or a database that fails, fails the whole batch;
nothing of it is kept, and the thread goes on with a new connection.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Generic, TypeVar

import structlog
from sqlalchemy import Engine

from relay.model.errors import RelayError, StorageError
from relay.storage.engine import WriteConnection
from relay.storage.faults import is_conflict, is_fault_of_database, storage_error
from relay.storage.sql import Transaction

log = structlog.get_logger()

MOST_WRITES: Final = 128
"""Of one batch."""
MOST_OCTETS: Final = 1 << 20
"""Of one batch, the first write not counted: no write waits long behind large mails."""
_TRIES_OF_A_CONFLICT = 3

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
    result: object = None
    error: Exception | None = None


class _CommitError(Exception):
    """COMMIT failed: whether it took effect is not known."""


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
        self._thread = threading.Thread(target=self._work, name="queue-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation[A, R], argument: A, *, octets: int = 0) -> R:
        """Run one write and wait until it is durable; see `submit`."""
        return await self.submit(operation, argument, octets=octets)

    def submit(self, operation: Operation[A, R], argument: A, *, octets: int = 0) -> "asyncio.Future[R]":
        """Hand in one write; those of one turn of the loop share a commit. Who stops waiting does not cancel it.

        The future is done when the write is durable. It, or this call, raises StorageError where nothing was written
        (after a failed COMMIT: where it is not known), and whatever RelayError the operation raises.
        """
        if self._closed or self.dead.is_set():
            raise StorageError("the queue is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = self._loop.create_future()
        self._fresh.append(_Write(operation, argument, octets, future))
        if len(self._fresh) == 1:
            # All writes that begin in this turn of the loop wake the thread once.
            self._loop.call_soon(self._hand_over)
        return future

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
                batch = _next_batch(waiting)
                self._write(batch)
                self._tell(batch)
        except BaseException as error:  # whoever waits must learn of it
            log.critical("writer_died", error=type(error).__name__)
            self._post(self._bury, [*batch, *waiting])
            raise
        finally:
            self._disconnect()

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
                failure = _failure(error)
                for write in batch:
                    write.error = failure
                return
            for write in batch:
                self._write([write])

    def _commit(self, batch: list[_Write]) -> None:
        for n in range(1, _TRIES_OF_A_CONFLICT + 1):
            try:
                self._commit_once(batch)
            except Exception as error:
                self._disconnect()
                if n == _TRIES_OF_A_CONFLICT or not is_conflict(error):
                    raise
            else:
                return

    def _commit_once(self, batch: list[_Write]) -> None:
        if self._connection is None:
            self._connection = WriteConnection(self._engine)
        tx = self._connection.begin(synced=any(write.operation.synced for write in batch))
        for operation, group in groupby(batch, key=lambda write: write.operation):
            writes = list(group)
            results = operation.apply(tx, [write.argument for write in writes])
            for write, result in zip(writes, results, strict=True):
                write.result = result
        try:
            self._connection.commit()
        except Exception as error:
            if is_conflict(error):
                raise
            raise _CommitError(storage_error(error)) from None

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


def _failure(error: Exception) -> Exception:
    if isinstance(error, _CommitError):
        kind = type(error.args[0]) if isinstance(error.args[0], StorageError) else StorageError
        return kind(f"COMMIT failed: {error}")
    return error if isinstance(error, RelayError) else storage_error(error)


def _resolve(writes: list[_Write]) -> None:
    for write in writes:
        if write.future.done():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
