"""Reads the structure of a MIME body as it streams by (RFC 2046), without changing or keeping it.

Guarantee: the octets of all tokens, in their order, are the octets that were fed in, and the tokens do not depend on
how these were cut. What is held back is bounded by `MOST_HEADER`. Whatever is too odd to be read, and whatever comes
after something signed or encrypted (see `gave_up`), comes out as literal octets. Work is linear in the octets, for
hostile mails too, and however small the pieces are.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

from relay.rules.content import Content, read_content

MOST_HEADER = 65_536
"""Octets of a part's header, its blank line not counted; with a longer one the reader gives up."""
MOST_DEPTH = 32
"""Multiparts and messages in each other; with more the reader gives up."""
MOST_DELIMITERS = 1000
"""Delimiter lines of one mail; with more the reader gives up."""
MOST_LOOK_ALIKES = 2000
"""Lines that only begin like a boundary; with more the reader gives up."""
MOST_PADDING = 256
"""White space after a boundary; with more the reader gives up, since programs do not agree on such a line."""

_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(\r\n)?")


@dataclass(frozen=True, slots=True)
class Literal:
    """Octets that belong to no leaf part: delimiters, preambles, headers of multiparts, whatever is not looked into."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartStart:
    """A leaf part begins."""

    content: Content
    raw: bytes
    """Its header with the blank line; empty for the mail itself, whose header is not part of the body."""
    is_mail: bool
    """Whether the whole mail is this one part."""


@dataclass(frozen=True, slots=True)
class PartData:
    """The next octets of the leaf part's body, encoded as they are in the mail."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The leaf part is over; the line end before a delimiter belongs to the delimiter."""


Token = Literal | PartStart | PartData | PartEnd


class _Mode(Enum):
    HEADER = auto()
    LEAF = auto()
    LITERAL = auto()


@dataclass(kw_only=True, slots=True)
class _Level:
    """An open multipart. Positions are octets of the body from 0."""

    needle: bytes
    """CRLF, two hyphens and the boundary."""
    depth: int
    default_type: str
    hit: int | None = None
    """Where the needle was found."""
    clear: int = -2
    """No needle that is not known yet begins before this."""


class MimeReader:
    """Sans-IO reader of one mail's body: octets in, tokens out."""

    def __init__(self, header: bytes) -> None:
        """Begin with the mail's header block: CRLF line ends, no blank line."""
        # The line end of the blank line before the body: a delimiter may use it as its own.
        self._data = bytearray(b"\r\n")
        self._base = -2
        self._at = 0
        self._scanned = 0
        self._levels: list[_Level] = []
        self._depth = 0
        self._default_type = "text/plain"
        self._mode = _Mode.LITERAL
        self._delimiters = 0
        self._look_alikes = 0
        self._tokens: list[Token] = []
        self.gave_up = False
        """Whether the rest was not read any more.

        Something in the mail is signed or encrypted, or the mail has more or longer structure than any real one.
        """
        self._enter(header, b"")

    def feed(self, chunk: bytes) -> list[Token]:
        """Take the next octets of the body."""
        self._data += chunk
        self._run(final=False)
        kept = max(0, self._at - 2 - self._base)
        del self._data[:kept]
        self._base += kept
        return self._drain()

    def close(self) -> list[Token]:
        """Take the end of the body: whatever was held back comes out."""
        self._run(final=True)
        self._end_leaf()
        return self._drain()

    def _drain(self) -> list[Token]:
        tokens, self._tokens = self._tokens, []
        return tokens

    @property
    def _end(self) -> int:
        return self._base + len(self._data)

    @property
    def _clear(self) -> int:
        """No needle that is not known yet begins before this."""
        return min((level.clear for level in self._levels), default=self._end)

    def _run(self, *, final: bool) -> None:
        more = True
        while more and not self.gave_up:
            level = self._find_boundary()
            if self._mode is _Mode.HEADER:
                more = self._take_header(level, final=final)
            elif level is not None and level.hit is not None:
                self._emit(level.hit)
                more = self._take_delimiter(level, level.hit, final=final)
            else:
                self._emit(self._end if final else self._clear)
                more = False
        if self.gave_up:
            self._end_leaf()
            self._emit(self._end)

    def _find_boundary(self) -> _Level | None:
        """Find the level whose needle comes next; the outer one where two begin at the same place.

        Each level remembers what it has searched, and none searches beyond a hit of an outer one, so that each octet
        is searched at most once for each open level.
        """
        nearest: _Level | None = None
        floor, limit = self._at - 2, self._end
        for level in self._levels:
            if level.hit is not None and level.hit < floor:
                level.hit = None
            if level.hit is None:
                start = max(level.clear, floor)
                stop = self._end if nearest is None else limit + len(level.needle) - 1
                found = self._data.find(level.needle, start - self._base, stop - self._base)
                if found >= 0:
                    level.hit = level.clear = found + self._base
                else:
                    level.clear = max(start, min(limit, self._end - len(level.needle) + 1))
            if level.hit is not None and level.hit < limit:
                nearest, limit = level, level.hit
        return nearest

    def _take_header(self, level: _Level | None, *, final: bool) -> bool:
        """Take a part's header. False: it is not there yet."""
        longest = self._at + MOST_HEADER + 2
        end = self._end if level is None or level.hit is None else level.hit + 2
        blank = self._data.find(b"\r\n\r\n", self._scanned - self._base, min(longest, end) - self._base)
        if blank >= 0:
            raw = bytes(self._data[self._at - self._base : blank + 4])
            self._enter(raw[:-2], raw)
        elif end > longest and (final or self._clear > longest - 2):
            self.gave_up = True
        elif end <= longest and (level is not None or final):
            self._mode = _Mode.LITERAL
        else:
            self._scanned = max(self._scanned, min(longest, end) - 3)
            return False
        return True

    def _enter(self, block: bytes, raw: bytes) -> None:
        """Begin the body of an entity whose header was read."""
        content = read_content(block, self._default_type)
        self._at += len(raw)
        self._mode = _Mode.LITERAL
        if content is not None:
            self.gave_up = content.is_sealed or content.is_excessive
            if content.is_leaf and not self.gave_up:
                self._mode = _Mode.LEAF
                self._tokens.append(PartStart(content, raw, is_mail=not raw))
                return
            self._open(content)
        if raw:
            self._tokens.append(Literal(raw))

    def _open(self, content: Content) -> None:
        """Look into a multipart or a message from here on, if that can be done."""
        is_message = content.type in _MESSAGE_TYPES and content.encoding in _PLAIN_ENCODINGS
        if self._depth >= MOST_DEPTH:
            self.gave_up = self.gave_up or is_message or content.boundary is not None
        elif content.boundary is not None:
            default_type = "message/rfc822" if content.type == "multipart/digest" else "text/plain"
            needle = b"\r\n--" + content.boundary
            self._levels.append(_Level(needle=needle, depth=self._depth, default_type=default_type))
        elif is_message:
            self._begin_header(self._depth + 1, "text/plain")

    def _begin_header(self, depth: int, default_type: str) -> None:
        self._mode = _Mode.HEADER
        self._depth = depth
        self._default_type = default_type
        self._scanned = self._at - 2

    def _take_delimiter(self, level: _Level, hit: int, *, final: bool) -> bool:
        """Take the line that begins with a boundary. False: its end is not there yet."""
        after = hit + len(level.needle) - self._base
        line = bytes(self._data[after : after + MOST_PADDING + 4])
        match = _AFTER_BOUNDARY.match(line)
        assert match is not None
        rest = line[match.end() :]
        is_cut = match[2] is None and (rest in {b"", b"\r"} or line == b"-")
        if is_cut and len(line) == MOST_PADDING + 4:
            self.gave_up = True
        elif is_cut and not final:
            return False
        elif match[2] is None and rest:
            level.hit = None
            level.clear = hit + 1
            self._look_alikes += 1
            self.gave_up = self._look_alikes > MOST_LOOK_ALIKES
        else:
            self._end_leaf()
            self._emit(self._base + after + match.end())
            is_close = match[1] is not None
            del self._levels[self._levels.index(level) + (0 if is_close else 1) :]
            self._delimiters += 1
            self.gave_up = self._delimiters > MOST_DELIMITERS
            if not is_close:
                self._begin_header(level.depth + 1, level.default_type)
        return True

    def _end_leaf(self) -> None:
        if self._mode is _Mode.LEAF:
            self._tokens.append(PartEnd())
        self._mode = _Mode.LITERAL

    def _emit(self, stop: int) -> None:
        if stop > self._at:
            data = bytes(self._data[self._at - self._base : stop - self._base])
            self._tokens.append(PartData(data) if self._mode is _Mode.LEAF else Literal(data))
            self._at = stop
