"""The body of a mail on its way into the queue."""

from dataclasses import dataclass

from relay.storage.queue import Queue


@dataclass(kw_only=True)
class BodyVersion:
    """One version of the body on its way into the queue: the last chunk stays in memory, the others are written."""

    number: int
    queue: Queue
    message_id: str
    size: int = 0
    seq: int = 0
    last: bytes | None = None

    async def add(self, chunk: bytes) -> None:
        """Take the next chunk; the one before it is written."""
        if not chunk:
            return
        if self.last is not None:
            await self.queue.write_chunk(self.message_id, self.number, self.seq, self.last)
            self.seq += 1
        self.last = chunk
        self.size += len(chunk)

    @property
    def written_ahead(self) -> bool:
        """Whether something of it is in the queue already."""
        return self.seq > 0

    @property
    def rest(self) -> tuple[tuple[int, int, bytes], ...]:
        """What is still to be written: version, sequence number, octets."""
        return () if self.last is None else ((self.number, self.seq, self.last),)
