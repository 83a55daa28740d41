"""One mail on its way in: from its bytes, as DATA or BDAT give them, to a mail that is kept or a reply why not.

The bytes are taken as they come, and what is to be written is written meanwhile, in a task of the mail's own: a client
that leaves after the end does not cancel the commit, one that leaves before it leaves nothing behind. Whatever happens,
the client is listened to until the end of the mail: only then does it read a reply. What is of no use any more is
thrown away as it comes.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from relay.intake.budget import Holding, Ip
from relay.intake.desk import Desk
from relay.intake.hooks import Incoming
from relay.intake.judging import TOO_LARGE, judge_header, judge_octets, most_refused
from relay.model.errors import StorageFullError
from relay.model.reply import Reply
from relay.rules.message_splitter import CHUNK, MessageSplitter
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_size

log = structlog.get_logger()

INTERNAL_FAULT: Final = refuse(Refused.NOT_KEPT)
NO_DISK: Final = refuse(Refused.NO_DISK)
NO_ROOM: Final = refuse(Refused.NO_ROOM)
FIRST: Final = 1024
"""Octets that a mail is counted with before any of it has come."""
_WAITING: Final = 2
"""Chunks that may wait to be written before the client is no longer read."""


class Owner(Protocol):
    """Who receives the mail."""

    ip: Ip

    def mail_done(self, reply: Reply) -> None:
        """Take the reply to the whole mail."""

    def proceed(self) -> None:
        """Go on reading: fewer chunks wait."""


class Receiver:
    """One mail; `take` its bytes, then `finish`, or `forget` it at any point."""

    def __init__(
        self,
        owner: Owner,
        desk: Desk,
        incoming: Incoming,
        *,
        holding: Holding,
        envelope: int,
        about: Mapping[str, object],
    ) -> None:
        self._owner = owner
        self._desk = desk
        self._incoming = incoming
        self._about = about
        """What the log says of each refusal: who hands in what."""
        self._holding = holding
        self._envelope = envelope
        """What the holding has for the envelope."""
        # A large mail holds its header, the buffer of the connection, and some chunks of each version in memory.
        self._most = desk.limits.header_size + 6 * CHUNK
        self._kept = self._keeping = 0
        """Octets of the body that are out of memory, and those that are being written."""
        self._on_disk = 0
        self._splitter = MessageSplitter(header_limit=desk.limits.header_size)
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._header_done = False
        self._running = False
        self._waiter: asyncio.Future[None] | None = None
        self._forgotten = False
        self.ended = False
        """Whether all bytes are there."""
        self.refusal: Reply | None = None
        """Why the mail will not be taken."""
        self._is_too_large = False

    @property
    def full(self) -> bool:
        """Whether no more bytes should be read now."""
        return len(self._chunks) > _WAITING

    @property
    def spent(self) -> bool:
        """Whether so much was sent behind the limit that the client must be cut off."""
        return self.refusal is not None and self._size > most_refused(self._desk.listener.max_message_size)

    @property
    def size(self) -> int:
        """Octets that have come."""
        return self._size

    def admit(self, declared: int | None) -> None:
        """Let the mail begin; `refusal` says where its client's share of the memory has no room for what was declared.

        Only what comes is taken from the share: to announce much costs the others nothing.
        """
        wanted = self._envelope + min(max(FIRST, declared or 0), self._most)
        if not (self._holding.allows(wanted) and self._hold(FIRST)):
            self._refuse("no_room", NO_ROOM)

    def _hold(self, octets: int) -> bool:
        return self._holding.change(self._envelope + min(max(FIRST, octets), self._most))

    def take(self, content: bytes, *, too_long: bool = False) -> None:
        """Take the next bytes of the mail, every line end CRLF; `too_long` tells of a line beyond all limits."""
        self._size += len(content)
        if self.refusal is not None:
            return
        judgement = judge_octets(self._size, most=self._desk.listener.max_message_size, too_long=too_long)
        if judgement is not None:
            self._refuse(*judgement)
        elif not self._hold(self._size - self._kept):
            self._refuse("no_room", NO_ROOM)
        else:
            chunks = self._splitter.feed(content)
            self._chunks.extend(chunks)
            judgement = judge_header(self._splitter, most=self._desk.limits.header_size)
            if judgement is not None:
                self._refuse(*judgement)
            elif chunks and not self._take_room(sum(map(len, chunks))):
                self._refuse("no_disk", NO_DISK)
            elif self._chunks:
                self._go_on()

    def _take_room(self, octets: int) -> bool:
        room = self._desk.room
        if room is None:
            return True
        if not room.take(self._owner.ip, octets):
            return False
        self._on_disk += octets
        return True

    def _give_back(self) -> None:
        """Give back the client's shares of memory and disk."""
        self._holding.close()
        if self._desk.room is not None and self._on_disk:
            self._desk.room.give(self._owner.ip, self._on_disk)
            self._on_disk = 0

    def finish(self) -> None:
        """Make the mail durable: all bytes are there. The owner gets the reply."""
        self.ended = True
        if self.refusal is not None:
            if self._is_too_large:  # only now is it known how large it is
                self.refusal = refuse_size(self._size, most=self._desk.listener.max_message_size)
            self.forget()
            self._owner.mail_done(self.refusal)
            return
        last = self._splitter.close()
        if last:
            self._chunks.append(last)
        self._go_on()

    def forget(self) -> None:
        """Let go of a mail that is not whole, or is refused; what was written ahead goes away in the background."""
        if self._forgotten or (self.ended and self.refusal is None):
            return
        self._drop()
        if self._running:
            self._wake()
        else:
            self._desk.start(self._abort())

    def _drop(self) -> None:
        """Free what the mail holds: it is of no use any more."""
        self._forgotten = True
        self._chunks.clear()
        self._splitter = MessageSplitter(header_limit=0)
        self._give_back()

    # In the background

    def _go_on(self) -> None:
        if not self._running:
            self._running = True
            self._desk.start(self._run())
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _run(self) -> None:
        """Hand the mail to the submission as it comes, and give its reply."""
        try:
            reply = await self._hand_over()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was accepted
            reply = None
            self._fail(self._fault(error))
        if reply is None:
            await self._abort()
        else:
            self._give_back()
            self._owner.mail_done(reply)

    def _fail(self, reply: Reply) -> None:
        if self._forgotten:
            return
        self.refusal = reply
        self._drop()
        if self.ended:
            self._owner.mail_done(reply)
        else:
            self._owner.proceed()

    async def _hand_over(self) -> Reply | None:
        while not self._forgotten:
            if not self._header_done:
                self._header_done = True
                assert self._splitter.header is not None
                await self._incoming.header(self._splitter.header)
            elif self._chunks:
                was_full = self.full
                chunk = self._chunks.popleft()
                await self._incoming.body(chunk)
                # It may still be on its way to the disk; the one before is there.
                self._kept, self._keeping = self._kept + self._keeping, len(chunk)
                if not self._forgotten:
                    self._hold(self._size - self._kept)
                if was_full:
                    self._owner.proceed()
            elif self.ended:
                return await self._incoming.finish()
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        return None

    async def _abort(self) -> None:
        try:
            await self._incoming.abort()
        except Exception as error:  # noqa: BLE001 - what is left behind is swept at the next start
            self._fault(error)

    # Refusals

    def _fault(self, error: Exception) -> Reply:
        log.error("message_failed", queue_id=self._incoming.queue_id, client=str(self._owner.ip),
                  error=str(error), exc_info=error)  # fmt: skip
        return NO_DISK if isinstance(error, StorageFullError) else INTERNAL_FAULT

    def _refuse(self, reason: str, reply: Reply) -> None:
        """Log why a mail is refused on its way in, and let go of it."""
        log.warning("message_rejected", queue_id=self._incoming.queue_id, **self._about,
                    reason=reason, code=reply.code, reply=str(reply))  # fmt: skip
        self.refusal = reply
        self._is_too_large = reason == TOO_LARGE
        self.forget()
