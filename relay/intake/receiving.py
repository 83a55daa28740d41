"""DATA: from the bytes of the connection to a mail that is kept, or a reply that says why not.

After 354 the client is listened to until its final dot, whatever happens: only then does it read a reply. What is of no
use any more is thrown away as it comes.
"""

from collections.abc import Iterable

import structlog

from relay.intake.budget import Share
from relay.intake.connection import ClientConnection, SessionEnd
from relay.intake.hooks import Incoming
from relay.model.errors import StorageFullError
from relay.model.reply import Reply
from relay.rules.dots import DotReader
from relay.rules.sections import CHUNK, Sections

log = structlog.get_logger()

INTERNAL_FAULT = Reply(code=451, enhanced="4.3.0", text="The mail could not be kept, try again later")
NO_DISK = Reply(code=452, enhanced="4.3.1", text="There is no room for the mail now, try again later")
NO_ROOM = Reply(code=452, enhanced="4.3.1", text="Too much at a time, try again later")
PROGRESS = 1024
"""Octets that count as progress: a client that drips gets no more time."""


async def receive(connection: ClientConnection, incoming: Incoming, declared: int | None) -> Reply:
    """Receive one mail. Raises SessionEnd where the client leaves in the middle: then nothing is kept."""
    desk = connection.desk
    # A large mail holds its header, the buffer of the connection, and two chunks of each version in memory.
    share = Share(desk.budget, desk.limits.header_size + 6 * CHUNK)
    receiver = _Receiver(connection, incoming, share)
    try:
        if not share.grow(declared or PROGRESS):
            return receiver.refuse("no_room", NO_ROOM)
        connection.rewind(desk.limits.data_idle)
        await connection.send("354 Go on, end with a dot on a line of its own")
        return await receiver.run()
    except BaseException:
        receiver.forget()
        raise
    finally:
        share.close()


class _Receiver:
    """One mail on its way in."""

    def __init__(self, connection: ClientConnection, incoming: Incoming, share: Share) -> None:
        self._connection = connection
        self._desk = connection.desk
        self._incoming = incoming
        self._share = share
        self._dots = DotReader()
        self._sections = Sections(header_limit=self._desk.limits.header_size)
        self._size = 0
        self._refusal: Reply | None = None
        self._header_done = False
        self._forgotten = False

    async def run(self) -> Reply:
        """Read to the final dot, then make the mail durable."""
        await self._read()
        self._connection.stop_clock()
        if self._refusal is None:
            await self._pass_on([self._sections.close()])
        if self._refusal is not None:
            self.forget()
            return self._refusal
        self._forgotten = True  # from here on it is the submission's, whatever becomes of the client
        reply: Reply = await self._desk.run_to_end(self._finish())
        return reply

    async def _read(self) -> None:
        fresh = 0
        most = self._desk.listener.max_message_size
        while not self._dots.ended:
            data = await self._connection.read_some()
            content = self._dots.feed(data)
            fresh += len(data)
            if fresh >= PROGRESS:
                fresh = 0
                self._connection.rewind(self._desk.limits.data_idle)
            self._size += len(content)
            if self._refusal is None:
                await self._take(content, most)
            elif self._size > 2 * most + CHUNK:
                raise SessionEnd(self._refusal)  # it was told the limit, and goes on and on
        self._connection.unread(self._dots.rest)

    async def _take(self, content: bytes, most: int) -> None:
        if self._size > most:
            text = f"At most {most} octets are taken"
            self._refusal = self.refuse("too_large", Reply(code=552, enhanced="5.3.4", text=text))
        elif not self._share.grow(self._size):
            self._refusal = self.refuse("no_room", NO_ROOM)
        elif self._dots.too_long:
            self._refusal = self.refuse("long_line", Reply(code=554, enhanced="5.6.0", text="A line is too long"))
        else:
            await self._pass_on(self._sections.feed(content))
            if self._sections.too_large:
                text = f"The header has more than {self._desk.limits.header_size} octets"
                self._refusal = self.refuse("large_header", Reply(code=552, enhanced="5.3.4", text=text))
        if self._refusal is not None:
            self._sections = Sections(header_limit=0)  # what it holds is of no use any more

    async def _pass_on(self, chunks: Iterable[bytes]) -> None:
        """Hand header and chunks to the submission; a fault there ends the mail, not the session."""
        try:
            for chunk in chunks:
                await self._begin_body()
                if chunk:
                    await self._incoming.body(chunk)
            if not self._sections.too_large:
                await self._begin_body()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was accepted
            self._refusal = self._fault(error)

    async def _begin_body(self) -> None:
        if self._sections.header is not None and not self._header_done and not self._sections.too_large:
            self._header_done = True
            await self._incoming.header(self._sections.header)

    async def _finish(self) -> Reply:
        try:
            return await self._incoming.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was accepted
            reply = self._fault(error)
            await self._abort()
            return reply

    def forget(self) -> None:
        """Let go of what was written ahead, in the background."""
        if not self._forgotten:
            self._forgotten = True
            task = self._connection.loop.create_task(self._abort())
            self._desk.work.add(task)
            task.add_done_callback(self._desk.work.discard)

    async def _abort(self) -> None:
        try:
            await self._incoming.abort()
        except Exception as error:  # noqa: BLE001 - what is left behind is swept at the next start
            self._fault(error)

    def _fault(self, error: Exception) -> Reply:
        log.error("message_failed", queue_id=self._incoming.queue_id, client=str(self._connection.ip),
                  error=str(error), exc_info=error)  # fmt: skip
        return NO_DISK if isinstance(error, StorageFullError) else INTERNAL_FAULT

    def refuse(self, reason: str, reply: Reply) -> Reply:
        """Log why a mail is refused on its way in."""
        log.warning("message_rejected", queue_id=self._incoming.queue_id, client=str(self._connection.ip),
                    reason=reason, code=reply.code, reply=str(reply))  # fmt: skip
        return reply
