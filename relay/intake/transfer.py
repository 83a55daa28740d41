"""How the bytes of a mail come: behind DATA up to a dot (RFC 5321 section 4.1.1.4), or in BDAT chunks (RFC 3030).

Guarantee: what belongs to a mail, or to a chunk that is refused, is never taken for a command.
"""

import re
from typing import Final, Protocol

from relay.intake.feed import SessionEnd
from relay.intake.receiving import Receiver
from relay.model.reply import Reply
from relay.rules.dot_stuffing import BareDotReader, DotReader, LineEnds

_PIECE: Final = 65_536
_END: Final = 5
_HANGING: Final = re.compile(rb"[\r\n]\.(?:\n|\r\n?)$")
HANGING: Final = 15.0
"""Seconds that a client gets which seems to have ended its mail by bare line feeds, and waits for an answer."""
_CHUNK: Final = re.compile(r"([0-9]{1,18})(?: +(.*))?")


class Taker(Protocol):
    """The session that a mail comes by."""

    def progress(self, octets: int) -> None:
        """Note that the client has sent so much."""

    def hurry(self, seconds: float) -> None:
        """Give the client so many seconds at most, until `calm`."""

    def calm(self) -> None:
        """Give it back the time that it had."""

    def stop_clock(self) -> None:
        """Give the client all the time: the mail is whole, it is our turn."""

    def reply(self, reply: Reply) -> None:
        """Answer."""


def parse_chunk(argument: str) -> tuple[int, bool | None] | None:
    """Parse the argument of BDAT: octets, and whether it is the last; that is None where it can't be told.

    Gives None where not even the octets can be told: what follows may be anything.
    """
    found = _CHUNK.fullmatch(argument)
    if found is None:
        return None
    word = (found[2] or "").strip(" ").upper()
    return int(found[1]), {"": False, "LAST": True}.get(word)


class DataFeed:
    """One DATA."""

    def __init__(self, session: Taker, mail: Receiver, *, bare_line_feeds: bool) -> None:
        self._session = session
        self._mail = mail
        self._dots = BareDotReader() if bare_line_feeds else DotReader()
        self._tail = b""
        """The last octets as they came."""
        self._hurried = False

    @property
    def wants(self) -> int:
        """How many octets it can use at most: nobody knows, so a piece at a time."""
        return _PIECE

    @property
    def hangs(self) -> bool:
        """Whether the client seems to have ended its mail by a dot between line ends that are not CRLF."""
        return _HANGING.search(self._tail) is not None

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes; gives what stands behind the final dot, None before it. Raises SessionEnd."""
        dots, mail = self._dots, self._mail
        if self._hurried:
            self._session.calm()
            self._hurried = False
        self._tail = data[-_END:] if len(data) >= _END else (self._tail + data)[-_END:]
        content = dots.feed(data)
        mail.take(content, too_long=dots.too_long)
        if dots.ended:
            self._session.stop_clock()
            mail.finish()
            return dots.rest
        if mail.spent:
            raise SessionEnd(mail.refusal)  # it was told the limit, and goes on and on
        self._session.progress(len(data))
        if self.hangs:  # it may be a piece that was cut there; who waits for an answer sends nothing more
            self._session.hurry(HANGING)
            self._hurried = True
        return None


class ChunkFeed:
    """One BDAT of a mail."""

    def __init__(self, session: Taker, mail: Receiver, lines: LineEnds, octets: int, *, last: bool) -> None:
        self._session = session
        self._mail = mail
        self._lines = lines
        self._octets = self._left = octets
        self._last = last

    @property
    def wants(self) -> int:
        """How many octets it can use at most."""
        return self._left

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes; gives what stands behind the chunk, None before its end. Raises SessionEnd."""
        own = data[: self._left]
        self._left -= len(own)
        mail = self._mail
        if own:
            mail.take(self._lines.feed(own), too_long=self._lines.too_long)
            self._session.progress(len(own))
        if self._left:
            if mail.spent:
                raise SessionEnd(mail.refusal)
            return None
        if self._last:
            mail.take(self._lines.close())
            self._session.stop_clock()
            mail.finish()
        else:
            taken = Reply(code=250, enhanced="2.0.0", text=f"{self._octets} octets taken")
            self._session.reply(mail.refusal or taken)
        return data[len(own) :]


class RefusedChunk:
    """One BDAT that can't be taken: its octets are read, and thrown away."""

    def __init__(self, session: Taker, refusal: Reply, octets: int, *, most: int) -> None:
        self._session = session
        self._refusal = refusal
        self._left = octets
        self._most = most
        """Octets that are read before the client is cut off."""

    @property
    def wants(self) -> int:
        """How many octets it can use at most."""
        return self._left

    def take(self, data: bytes) -> bytes | None:
        """Take the next bytes; gives what stands behind the chunk, None before its end. Raises SessionEnd."""
        own = min(len(data), self._left)
        self._left -= own
        self._most -= own
        if self._left:
            if self._most < 0:
                raise SessionEnd(self._refusal)
            self._session.progress(own)
            return None
        self._session.reply(self._refusal)
        return data[own:]
