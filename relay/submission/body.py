"""The body of a mail on its way into the queue."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from relay.model.errors import RelayError
from relay.storage.queue import Queue

_AT_ONCE: Final = 3
"""Chunks of one body that are being written at a time."""


@dataclass(kw_only=True)
class BodyVersion:
    """One version of the body on its way into the queue: the last chunk stays in memory, the others are written.

    Some are being written while the next ones come in, so that a commit takes several and nobody waits for each.
    """

    number: int
    queue: Queue
    message_id: str
    size: int = 0
    seq: int = 0
    last: bytes | None = None
    _writing: "deque[asyncio.Future[None]]" = field(default_factory=deque)

    async def add(self, chunk: bytes) -> None:
        """Take the next chunk, and begin to write the one before it. Raises StorageError for one before that."""
        if not chunk:
            return
        if self.last is not None:
            await self.wait(_AT_ONCE - 1)
            self._writing.append(self.queue.write_chunk(self.message_id, self.number, self.seq, self.last))
            self.seq += 1
        self.last = chunk
        self.size += len(chunk)

    async def forget(self) -> None:
        """Wait for what is being written, whatever becomes of it."""
        while self._writing:
            with contextlib.suppress(RelayError):
                await self.wait(len(self._writing) - 1)

    async def wait(self, left: int = 0) -> None:
        """Wait until no more than `left` chunks are being written. Raises StorageError where one could not be."""
        while len(self._writing) > left:
            await self._writing.popleft()

    @property
    def written_ahead(self) -> bool:
        """Whether something of it is in the queue already."""
        return self.seq > 0

    @property
    def rest(self) -> tuple[tuple[int, int, bytes], ...]:
        """What is still to be written: version, sequence number, octets."""
        return () if self.last is None else ((self.number, self.seq, self.last),)
