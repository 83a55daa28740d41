"""DATA: one mail on its way in, from its octets to a mail that is kept, or a reply why not (RFC 5321 section 4.1.1.4).

The mail is read as a stream, in the session's task: a client that leaves before the final dot cancels it there, and
leaves nothing behind. What is handed to the submission comes to its end, one step after the other: a client that leaves
meanwhile cancels neither a step nor, behind the dot, the commit. A mail that is refused on the way is read on, and
thrown away, up to its dot: only there does a client read a reply, and nothing of a mail is taken for a command.
"""

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from relay.emitting import emit
from relay.events.submission import MessageBrokenOff, MessageFailed
from relay.intake.commands import TOO_LARGE, most_refused, refuse_header, refuse_octets
from relay.intake.handler import NO_DISK, NO_MEMORY, NOT_COUNTED, Mail
from relay.intake.replies import GO_AHEAD, INTERNAL_FAULT
from relay.model.errors import StorageFullError
from relay.model.reply import Reply
from relay.rules.dot_stuffing import BareDotReader, DotReader
from relay.rules.message_splitter import CHUNK, MessageSplitter
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_size

if TYPE_CHECKING:
    from relay.intake.session import SmtpSession

NOT_KEPT: Final = refuse(Refused.NOT_KEPT)
FIRST: Final = 1024
"""Octets that a mail is counted with before any of it has come."""
SLOWEST: Final = 8192
"""Octets a second: a client that is slower for longer than `data_idle` makes up for is cut off."""
HANGING = 15.0
"""Seconds that a client has which seems to have ended its mail by bare line feeds, and waits for an answer."""
_PIECE: Final = 65_536
_END: Final = 5
_HANGING: Final = re.compile(rb"[\r\n]\.(?:\n|\r\n?)$")
_BARE_LINE_FEEDS: Final = (
    "; it ended the mail by a dot between bare line feeds, where SMTP wants CR LF:"
    " bare_line_feeds = true for its [[device]] takes such mail"
)


class Receiver:
    """Receives one mail."""

    def __init__(self, session: "SmtpSession", mail: Mail) -> None:
        context = session.context
        self._session = session
        self._context = context
        self._declared = mail.parameters.size
        self._mail = mail
        self._incoming = context.shared.submission.begin(
            mail.to_envelope(), session.client, show_client=context.listener.received_client
        )
        self._dots: DotReader | BareDotReader
        device = context.shared.submission.directory.device_at(session.ip)
        self._dots = BareDotReader() if device is not None and device.bare_line_feeds else DotReader()
        self._splitter = MessageSplitter(header_limit=context.limits.header_size)
        self._header_done = False
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._tail = b""
        """The last octets as they came."""
        assert mail.holding is not None
        # The commit goes on to use the memory when the session has let go of the mail.
        self._holding, mail.holding = mail.holding, None
        self._envelope = max(0, mail.size - NOT_COUNTED)
        """What the holding has for the envelope."""
        # A large mail holds its header, the buffer of the connection, and some chunks of each version in memory.
        self._most = context.limits.header_size + 6 * CHUNK
        self._kept = self._keeping = 0
        """Octets of the body that are out of memory, and those that are being written."""
        self._on_disk = 0
        self._dropped = False
        self._refusal: Reply | None = None
        """Why the mail will not be taken."""
        self._is_too_large = False

    async def receive(self) -> Reply:
        """Take the mail up to its dot, and keep it. Returns the client's reply.

        Raises SessionEnd or CancelledError where the client breaks off; then nothing is kept, unless the dot has come.
        """
        if not self._admit():
            self._drop()
            assert self._refusal is not None
            return self._refusal
        self._session.deadline.set(self._context.limits.data_idle / 1000)
        try:
            await self._session.push(GO_AHEAD)
            await self._read()
        except BaseException as error:
            self._break_off()
            if isinstance(error, Exception) and not isinstance(error, ConnectionError):
                self._session.log_fault(error)
                self._session.end(INTERNAL_FAULT)  # what follows is no command
            raise
        self._session.deadline.clear()
        if self._refusal is not None:
            most = self._context.listener.max_message_size
            # Only now is it known how large a mail is that is too large.
            return refuse_size(self._size, most=most) if self._is_too_large else self._refusal
        return await self._session.complete(self._keep())

    @property
    def hangs(self) -> bool:
        """Whether the client seems to have ended its mail by a dot between line ends that are not CRLF."""
        return _HANGING.search(self._tail) is not None

    def _admit(self) -> bool:
        """Begin to count the mail, unless its client's share of the memory has no room for what was declared.

        Only what comes is taken from the share: to announce much costs the others nothing.
        """
        wanted = self._envelope + min(max(FIRST, self._declared or 0), self._most)
        if self._holding.allows(wanted) and self._hold(FIRST):
            return True
        self._refuse("no_room", NO_MEMORY)
        return False

    def _hold(self, octets: int) -> bool:
        return self._holding.change(self._envelope + min(max(FIRST, octets), self._most))

    # Up to the dot

    async def _read(self) -> None:
        session, dots, reader = self._session, self._dots, self._session._reader  # noqa: SLF001 - as aiosmtpd's verbs do
        while True:
            data = await reader.read(_PIECE)
            if not data:
                session.end(None)
            session.deadline.restore()
            self._tail = data[-_END:] if len(data) >= _END else (self._tail + data)[-_END:]
            content = dots.feed(data)
            self._take(content, too_long=dots.too_long)
            if dots.ended:
                break
            if self._refusal is not None and self._size > most_refused(self._context.listener.max_message_size):
                session.end(self._refusal)  # it was told the limit, and goes on and on
            self.progress(len(data))
            if self._chunks or not (self._header_done or self._splitter.header is None):
                await self._write_ahead()
            await session.yield_turn()
        if dots.rest:
            # The commands behind the mail; asyncio has no way to give back.
            reader._buffer[:0] = dots.rest  # type: ignore[attr-defined]  # noqa: SLF001

    def progress(self, octets: int) -> None:
        """Give the client as much more time as the slowest may need for these octets."""
        deadline = self._session.deadline
        deadline.prolong(octets / SLOWEST, self._context.limits.data_idle / 1000)
        if self.hangs:  # it may be a piece that was cut there; who waits for an answer sends nothing more
            deadline.shorten(HANGING)

    def _take(self, content: bytes, *, too_long: bool) -> None:
        """Take the next octets of the mail, every line end CRLF; `too_long`: a line was beyond all limits."""
        self._size += len(content)
        if self._refusal is not None:
            return
        refusal = refuse_octets(self._size, most=self._context.listener.max_message_size, too_long=too_long)
        if refusal is not None:
            self._refuse(*refusal)
        elif not self._hold(self._size - self._kept):
            self._refuse("no_room", NO_MEMORY)
        else:
            chunks = self._splitter.feed(content)
            self._chunks.extend(chunks)
            refusal = refuse_header(self._splitter, most=self._context.limits.header_size)
            if refusal is not None:
                self._refuse(*refusal)
            elif chunks and not self._take_disk_space(sum(map(len, chunks))):
                self._refuse("no_disk", NO_DISK)

    def _take_disk_space(self, octets: int) -> bool:
        if not self._context.shared.disk_space.take(self._session.ip, octets):
            return False
        self._on_disk += octets
        return True

    async def _write_ahead(self) -> None:
        """Hand over what is there; it goes on to its end if the client leaves meanwhile."""
        try:
            await self._session.complete(self._hand_over())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was accepted
            if self._refusal is None:
                self._refusal = self._fault(error)
                self._drop()

    async def _hand_over(self) -> None:
        """Give the header, once, and all chunks that are there to the submission."""
        if not self._header_done:
            self._header_done = True
            assert self._splitter.header is not None
            await self._incoming.header(self._splitter.header)
        while self._chunks:
            chunk = self._chunks.popleft()
            await self._incoming.body(chunk)
            # It may still be on its way to the disk; the one before is there.
            self._kept, self._keeping = self._kept + self._keeping, len(chunk)
            self._hold(self._size - self._kept)

    # Behind the dot

    async def _keep(self) -> Reply:
        """Make the mail durable, whether or not its client is still there. Returns its reply."""
        try:
            last = self._splitter.close()
            if last:
                self._chunks.append(last)
            await self._hand_over()
            reply = await self._incoming.finish()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was accepted
            reply = self._fault(error)
            self._drop()
        self._give_back()
        return reply

    # A mail that is not kept

    def _refuse(self, reason: str, reply: Reply) -> None:
        """Log why a mail is refused on its way in, and let go of it."""
        self._refusal = self._session.reject(
            reason, reply, queue_id=self._incoming.queue_id, reverse_path=self._mail.shown_sender
        )
        self._is_too_large = reason == TOO_LARGE
        self._drop()

    def _break_off(self) -> None:
        """Log that the client has broken off, and let go of the mail."""
        if self._session.end_reason:
            emit(
                MessageBrokenOff(
                    client=str(self._session.ip),
                    user=self._session.user,
                    reverse_path=self._mail.shown_sender,
                    octets=self._size,
                    reason=self._session.end_reason + (_BARE_LINE_FEEDS if self.hangs else ""),
                )
            )
        self._drop()

    def _drop(self) -> None:
        """Free what the mail holds; what was written ahead goes away in the background."""
        if self._dropped:
            return
        self._dropped = True
        self._chunks.clear()
        self._splitter = MessageSplitter(header_limit=0)
        self._give_back()
        self._context.start(self._abort())

    def _give_back(self) -> None:
        """Give back the client's shares of memory and disk."""
        self._holding.close()
        if self._on_disk:
            self._context.shared.disk_space.give(self._session.ip, self._on_disk)
            self._on_disk = 0

    async def _abort(self) -> None:
        try:
            await self._incoming.abort()
        except Exception as error:  # noqa: BLE001 - what is left behind is swept at the next start
            self._fault(error)

    def _fault(self, error: Exception) -> Reply:
        client, queue_id = str(self._session.ip), self._incoming.queue_id
        emit(MessageFailed(queue_id=queue_id, client=client, error=str(error), exception=error))
        return NO_DISK if isinstance(error, StorageFullError) else NOT_KEPT
