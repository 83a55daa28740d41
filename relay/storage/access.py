"""How the parts of the queue reach the database: writes through the group commit, reads in their own threads."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Engine

from relay.model.errors import StorageError
from relay.storage.accepting import Claimant
from relay.storage.committer import Operation, Rank
from relay.storage.engine import transaction
from relay.storage.transaction import Transaction
from relay.storage.writer import Writer

P = ParamSpec("P")
R = TypeVar("R")


class Access:
    """Reads and writes of one process: `node` among those of a database; its claims hold for `lease` milliseconds."""

    def __init__(self, engine: Engine, writer: Writer, *, node: str = "", lease: int = 60_000) -> None:
        self._engine = engine
        self._writer = writer
        self.node, self.lease = node, lease
        self._by = Claimant(node, lease)
        self._readers = writer.readers

    async def _write(self, rank: Rank, change: Callable[[Transaction], R], *, synced: bool = True) -> R:
        """Write once and wait until it is durable."""

        def apply(tx: Transaction, _once: Sequence[None]) -> list[R]:
            return [change(tx)]

        return await self._writer.run(Operation(rank, apply, synced), None)

    @property
    def is_shared(self) -> bool:
        """Whether other nodes use this database as well."""
        return self._engine.dialect.name == "postgresql"

    async def close(self) -> None:
        """Finish the writes that wait, then end all threads."""
        await self._writer.close()

    async def _read(self, query: Callable[..., R], *arguments: object) -> R:
        def run() -> R:
            with transaction(self._engine, write=False) as tx:
                return query(tx, *arguments)

        try:
            reading = asyncio.get_running_loop().run_in_executor(self._readers, run)
        except RuntimeError:
            raise StorageError("the queue is closed") from None
        return await reading


def asks(query: Callable[Concatenate[Transaction, P], R]) -> Callable[Concatenate[Access, P], Coroutine[Any, Any, R]]:
    """Return the method that asks the database by a function of the storage, which takes the same arguments."""

    @wraps(query)
    async def ask(self: Access, /, *arguments: P.args, **named: P.kwargs) -> R:
        return await self._read(partial(query, **named), *arguments)

    return ask


def writes(
    rank: Rank, change: Callable[Concatenate[Transaction, P], R], *, synced: bool = True
) -> Callable[Concatenate[Access, P], Coroutine[Any, Any, R]]:
    """Return the method that writes by a function of the storage, which takes the same arguments."""

    @wraps(change)
    async def write(self: Access, /, *arguments: P.args, **named: P.kwargs) -> R:
        return await self._write(rank, lambda tx: change(tx, *arguments, **named), synced=synced)

    return write


def writes_as(
    rank: Rank, change: Callable[Concatenate[Transaction, Claimant, P], R], *, synced: bool = True
) -> Callable[Concatenate[Access, P], Coroutine[Any, Any, R]]:
    """Return the method as `writes` does, of what is written in the name of this node."""

    @wraps(change)
    async def write(self: Access, /, *arguments: P.args, **named: P.kwargs) -> R:
        return await self._write(rank, lambda tx: change(tx, self._by, *arguments, **named), synced=synced)

    return write
