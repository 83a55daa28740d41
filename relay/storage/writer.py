"""Group commit: one thread runs all writes that wait in one transaction, so that one fsync serves many sessions.

Guarantee: a write's caller goes on only after the commit that holds it, and that is on the disk then, unless the kind
of the write says that a later one sees to it (`Operation.synced`). A write that the database refuses fails alone:
the others of its batch run again, each by itself. What became of a batch is found out (`Committer`); where the
database gives no answer at all, the whole batch fails.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from relay.emitting import emit
from relay.events.service import WriterDied
from relay.model.errors import RelayError, StorageError
from relay.storage.committer import A, CommitError, Committer, Operation, R, Rank, Write
from relay.storage.faults import is_fault_of_database, storage_error
from relay.storage.lock import database_name

_READERS: Final = 4
MOST_WRITES: Final = 128
"""Of one batch."""
MOST_OCTETS: Final = 1 << 20
"""Of one batch, the first write not counted: no write waits long behind large mails."""
_NOTHING: Final[Operation[None, None]] = Operation(Rank.NOTHING, lambda _tx, arguments: arguments, synced=False)


class Writer:
    """The only place that writes while the service runs. Belongs to the event loop of its first `run`."""

    def __init__(self, engine: Engine) -> None:
        self.dead = asyncio.Event()
        """Set when the thread has died of a fault: no write will ever succeed again."""
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="queue-read")
        """Read for all that share this writer, write bodies that are files, and end with it."""
        self._engine = engine
        self._committer = Committer(engine, answer=partial(self._post, _resolve))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fresh: list[Write] = []
        self._inbox: queue.SimpleQueue[list[Write] | None] = queue.SimpleQueue()
        self._closed = False
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

    def _submit(self, operation: Operation[Any, Any], argument: object, *, octets: int) -> Write:
        if self._closed or self.dead.is_set():
            raise StorageError("the queue is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        write = Write(operation, argument, octets, self._loop.create_future(), [True])
        self._fresh.append(write)
        if len(self._fresh) == 1:
            # All writes that begin in this turn of the loop wake the thread once.
            self._loop.call_soon(self._hand_over)
        return write

    async def answer(self) -> None:
        """Wait until the thread has run a write that changes nothing; raises StorageError as every write does."""
        await self.run(_NOTHING, None)

    async def close(self) -> None:
        """Run what waits, then end all threads."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self.readers.shutdown)

    def _hand_over(self) -> None:
        if self._fresh:
            self._inbox.put(self._fresh)
            self._fresh = []

    # In the thread

    def _work(self) -> None:
        waiting: deque[Write] = deque()
        batch: list[Write] = []
        try:
            while self._take(waiting):
                batch = [write for write in _next_batch(waiting) if _may_begin(write)]
                if batch:
                    self._write(batch)
                    self._post(_resolve, batch)
        except BaseException as error:  # whoever waits must learn of it
            emit(WriterDied(error=type(error).__name__))
            self._post(self._bury, [*batch, *waiting])
            raise
        finally:
            self._committer.close()

    def _take(self, waiting: deque[Write]) -> bool:
        """Take all that waits, and wait where nothing does; false at the end."""
        with contextlib.suppress(queue.Empty):
            while True:
                fresh = self._inbox.get(block=not waiting)
                if fresh is None:
                    self._inbox.put(None)  # for the next time, when the rest is done
                    return bool(waiting)
                waiting.extend(fresh)
        return True

    def _write(self, batch: list[Write]) -> None:
        """Run a batch; afterwards each write has its result or its error."""
        try:
            self._committer.commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next batch may do better
            if len(batch) == 1 or isinstance(error, CommitError) or is_fault_of_database(error):
                failure = _failure(error, database_name(self._engine.url))
                for write in batch:
                    write.error = failure
                return
            for write in batch:
                self._write([write])

    def _post(self, function: Callable[[list[Write]], None], writes: list[Write]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, writes)

    # In the loop again

    def _bury(self, left: list[Write]) -> None:
        """Fail all that waits: the thread is dead."""
        self.dead.set()
        self._hand_over()
        with contextlib.suppress(queue.Empty):
            while True:
                left += self._inbox.get_nowait() or ()
        for write in left:
            write.error = StorageError("the queue's writer has died")
        _resolve(left)


def _next_batch(waiting: deque[Write]) -> list[Write]:
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


def _may_begin(write: Write) -> bool:
    """Take the turn of a write, unless its caller has withdrawn it."""
    try:
        return write.turn.pop()
    except IndexError:
        return False


def _failure(error: Exception, file: Path | None) -> Exception:
    if isinstance(error, CommitError):
        kind = type(error.args[0]) if isinstance(error.args[0], StorageError) else StorageError
        return kind(f"COMMIT failed: {error}")
    return error if isinstance(error, RelayError) else storage_error(error, file)


def _resolve(writes: list[Write]) -> None:
    for write in writes:
        if write.future.done():
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
