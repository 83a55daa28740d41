"""The body of a mail on its way into the queue."""

import asyncio
import contextlib
from dataclasses import dataclass

from relay.model.errors import RelayError
from relay.storage.queue import Queue


@dataclass(kw_only=True)
class BodyVersion:
    """One version of the body on its way into the queue: the last chunk stays in memory, the others are written.

    One of them is being written while the next one comes in.
    """

    number: int
    queue: Queue
    message_id: str
    size: int = 0
    seq: int = 0
    last: bytes | None = None
    _writing: "asyncio.Future[None] | None" = None

    async def add(self, chunk: bytes) -> None:
        """Take the next chunk, and begin to write the one before it. Raises StorageError for the one before that."""
        if not chunk:
            return
        if self.last is not None:
            await self.written()
            self._writing = self.queue.write_chunk(self.message_id, self.number, self.seq, self.last)
            self.seq += 1
        self.last = chunk
        self.size += len(chunk)

    async def written(self) -> None:
        """Wait for what is being written. Raises StorageError where it could not be."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def forget(self) -> None:
        """Wait for what is being written, whatever becomes of it."""
        with contextlib.suppress(RelayError):
            await self.written()

    @property
    def written_ahead(self) -> bool:
        """Whether something of it is in the queue already."""
        return self.seq > 0

    @property
    def rest(self) -> tuple[tuple[int, int, bytes], ...]:
        """What is still to be written: version, sequence number, octets."""
        return () if self.last is None else ((self.number, self.seq, self.last),)
