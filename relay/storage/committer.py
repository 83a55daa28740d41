"""One batch of writes as one transaction, and what became of it where the answer to its COMMIT is lost.

Guarantee: a batch that returns has taken effect, once. Each batch that changes anything leaves its own name in the
database. So, where COMMIT fails or its answer is lost, the next connection finds out whether it took effect: if it did,
all is well; if not, the batch runs again. Only a database that gives no answer at all leaves that open.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Engine

from relay.clock import wall_clock
from relay.emitting import emit
from relay.events.service import CommitInDoubt
from relay.model.ids import first_id, make_id
from relay.storage import meta
from relay.storage.checkpointing import Checkpointer
from relay.storage.engine import WriteConnection
from relay.storage.faults import is_conflict, is_connection_lost, is_fault_of_database, is_surely_undone, storage_error
from relay.storage.lock import database_name
from relay.storage.transaction import Transaction

_TRIES: Final = 3
"""Of a batch that met another node's, or whose COMMIT did not take effect."""
FIND_OUT: Final = 20.0
"""Seconds within which a database must say whether a COMMIT took effect."""
FIND_OUT_FROM_FILE: Final = 1.0
"""The same of a file: a disk that does not take a COMMIT has no more to say later, and clients wait."""
_PAUSES: Final = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Seconds between the questions; the last one repeats."""
_DAY: Final = 86_400_000
"""Milliseconds."""
_FAMILY: Final = "batch"

A = TypeVar("A")
R = TypeVar("R")

Rank = IntEnum(
    "Rank",
    """
    CONFIRM WRITE_CHUNK ACCEPT SETTLE MARK_UNCERTAIN REQUEUE HOLD_ACCOUNTS RECOVER CLAIM RENEW_LEASES PAUSE RESUME
    DISCARD PURGE_HISTORY DROP_DELIVERED_BODIES TELL_DELAY GIVE_UP PULL_BACK COUNT_RECIPIENTS UNCOUNT_RECIPIENTS
    CLAIM_BY_ID RESERVE MARK_SENT MOVE_NOTICE COUNT_PART RECLAIM BRING_FORWARD BEGIN_PROBE FINGERPRINT_KEY
    PURGE_ARRIVALS ACQUIRE_MAILBOX RENEW_MAILBOX BEGIN_MAILBOX RECORD_FETCHED RECORD_LISTING END_POLL RELEASE_MAILBOX
    WATCH BACKUP_BEGUN BACKUP_DONE BACKUP_FAILED NOTHING
    """,
)
"""All kinds of writes, in the order in which one commit applies them.

What adds comes before what takes away, so that a write and the one that undoes it may share a batch.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[A, R]):
    """One kind of write. Those of one object and batch are applied together."""

    rank: int
    """The kinds of a batch are applied in this order (`Rank`)."""
    apply: Callable[[Transaction, Sequence[A]], Sequence[R]]
    """Returns a result for each argument; runs again from the beginning if the batch has to be repeated."""
    synced: bool = True
    """False where it need be durable only together with a later write: a batch of such ones alone is not synced."""
    asks: bool = False
    """Whether it only asks, before anything is written: its callers have their answers before the commit."""


@dataclass(slots=True, eq=False)
class Write:
    """One write, whose caller waits for its future."""

    operation: Operation[Any, Any]
    argument: object
    octets: int
    future: asyncio.Future[Any]
    turn: list[bool]
    """One entry, for whoever comes first: the thread, to begin it, or the caller, to withdraw it."""
    result: object = None
    error: Exception | None = None


class CommitError(Exception):
    """COMMIT failed, or its answer was lost: whether it took effect must be found out."""


class Committer:
    """Commits batches for one writer, in its thread."""

    def __init__(self, engine: Engine, *, answer: Callable[[list[Write]], None] = lambda _: None) -> None:
        """`answer` takes writes of a batch that have their results before it is committed."""
        self._engine = engine
        self._answer = answer
        self._connection: WriteConnection | None = None
        self._key = f"{_FAMILY}/{os.urandom(8).hex()}"
        """Where this writer's batches leave their names; the last one counts."""
        self._number = int.from_bytes(os.urandom(4), "big")
        self._checkpointer = Checkpointer(engine) if engine.dialect.name == "sqlite" else None

    def commit(self, batch: Sequence[Write]) -> None:
        """Run a batch; each write then has its result. Raises what a write raises; CommitError for a failed COMMIT."""
        for n in range(1, _TRIES + 1):
            is_old = self._connection is not None
            self._number += 1
            name = make_id(wall_clock(), self._number.to_bytes(10, "big"))
            try:
                self._commit_once(batch, name)
            except CommitError as error:
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
                # It waits, on a shared database, for the transaction in doubt: that holds the key until it has ended.
                noted = meta.lock(tx, self._key, "")
                self._connection.rollback()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next question may be answered
                self._disconnect()
                if time.monotonic() > ends or not is_fault_of_database(error):
                    return None
            else:
                return noted == name
        return None

    def _commit_once(self, batch: Sequence[Write], name: str) -> None:
        if self._connection is None:
            self._connection = WriteConnection(self._engine)
        tx = self._connection.begin(synced=any(write.operation.synced for write in batch))
        for operation, group in groupby(batch, key=lambda write: write.operation):
            writes = list(group)
            results = operation.apply(tx, [write.argument for write in writes])
            for write, result in zip(writes, results, strict=True):
                write.result = result
            if operation.asks:
                self._answer(writes)
        # What has changed nothing comes to the same when it runs again; and it needs no sync.
        if tx.has_changed:
            meta.write(tx, self._key, name)
        try:
            self._connection.commit()
        except Exception as error:
            if is_conflict(error) or is_surely_undone(error):
                raise
            raise CommitError(storage_error(error, database_name(self._engine.url))) from None
        if self._checkpointer is not None and tx.has_changed:
            self._checkpointer.committed(self._connection, sum(write.octets for write in batch))

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()

    def close(self) -> None:
        """Leave no name behind, at a good end; what a crash leaves is forgotten a day later."""
        with contextlib.suppress(Exception):
            if self._connection is not None:
                tx = self._connection.begin()
                meta.forget(tx, self._key)
                meta.forget_below(tx, _FAMILY, first_id(wall_clock() - _DAY))
                self._connection.commit()
        if self._checkpointer is not None:
            self._checkpointer.close()
        self._disconnect()
