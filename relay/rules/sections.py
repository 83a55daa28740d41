"""Header and body of a mail that comes in pieces, without I/O: where the one ends, and the other in chunks."""

import re
from typing import Final

from relay.rules.dots import normalise_lines

CHUNK: Final = 262_144
"""Octets of a piece of the body, at most."""
_MOST_PIECES: Final = 256
_NO_FIELD: Final = (b"From ", b" ", b"\t")
"""How a first line begins that is no field, whatever stands behind it."""
_FIELDS: Final = re.compile(rb"(?:(?:[!-9;-~]+[ \t]*:|[ \t])[^\n]*\n)*+")


class Sections:
    """Parts a mail that comes in pieces into its header and the chunks of its body.

    The header ends at the first empty line, or before the first line that can be no field. A mailbox's separator line
    (`From anna Mon ...`) at the very beginning is dropped.
    """

    def __init__(self, *, header_limit: int) -> None:
        self._limit = header_limit
        self._buffer = bytearray()
        """The mail up to the end of its header."""
        self._read = 0
        """How far the buffer holds complete fields."""
        self._searched = 0
        """How far it is known to hold no further line end."""
        self._pieces: list[bytes | memoryview] = []
        """The part of the body that is no full chunk yet."""
        self._held = 0
        """Its octets."""
        self.header: bytes | None = None
        """The whole header, every line with CRLF, without the blank line; None until it is complete."""
        self.too_large = False
        """Whether the header is beyond its limit."""

    def feed(self, content: bytes) -> list[bytes]:
        """Take the next piece of the mail, give the chunks of the body that are full."""
        if self.header is None:
            if not self._buffer and self._take_whole_header(content):
                content = content[self._read :]
            else:
                self._buffer += content
                self._look_for_end()
                if self.header is None:
                    return []
                content = bytes(self._buffer)
                self._buffer.clear()
        return self._cut(content)

    def close(self) -> bytes:
        """End the mail; gives the last chunk of the body, which may be empty. `header` is complete now."""
        if self.header is None:
            self._end_header(skip=0)
            self._pieces = [bytes(self._buffer)]
        last = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._buffer, self._pieces, self._held = bytearray(), [], 0
        return last if isinstance(last, bytes) else bytes(last)

    def _cut(self, content: bytes) -> list[bytes]:
        """Add to the body; each octet is copied once, into its chunk."""
        # One chunk's worth stays behind, so that a small mail is one chunk and none is tiny.
        chunks: list[bytes] = []
        rest: bytes | memoryview = content
        while self._held + len(rest) > CHUNK:
            missing = CHUNK - self._held
            rest = memoryview(rest)
            chunks.append(b"".join((*self._pieces, rest[:missing])))
            self._pieces, self._held, rest = [], 0, rest[missing:]
        if rest:
            self._pieces.append(rest)
            self._held += len(rest)
            if len(self._pieces) > _MOST_PIECES:  # small ones weigh more than they hold
                self._pieces = [b"".join(self._pieces)]
        return chunks

    def _take_whole_header(self, content: bytes) -> bool:
        """Take the header from the first piece where it is there as a whole, and is nothing but fields."""
        found = None if content.startswith(_NO_FIELD) else _FIELDS.match(content)
        if found is None or not found.end() or content.find(b"\n", found.end()) < 0:
            return False
        end = found.end()
        self.header = content[:end]
        self.too_large = end > self._limit
        self._read = end + 2 if content.startswith(b"\r\n", end) else end
        return True

    def _look_for_end(self) -> None:
        buffer = self._buffer
        while (end := buffer.find(b"\n", max(self._read, self._searched))) >= 0:
            if self._read == 0 and buffer.startswith(b"From "):
                del buffer[: end + 1]
                self._searched = 0
                continue
            if self._read > 0 or not buffer.startswith((b" ", b"\t")):
                found = _FIELDS.match(buffer, self._read)
                if found is not None and found.end() > self._read:
                    self._read = self._searched = found.end()
                    continue
            self._end_header(skip=2 if buffer.startswith(b"\r\n", self._read) else 0)
            return
        self._searched = len(buffer)
        if len(buffer) > self._limit:
            self.too_large = True

    def _end_header(self, *, skip: int) -> None:
        self.header = bytes(self._buffer[: self._read])
        del self._buffer[: self._read + skip]
        if len(self.header) > self._limit:
            self.too_large = True


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Split a message as a file holds it into the header that a session would find, and the body."""
    lines = normalise_lines(message)
    sections = Sections(header_limit=len(lines) + 2)
    chunks = [*sections.feed(lines if lines.endswith(b"\n") else lines + b"\r\n"), sections.close()]
    return sections.header or b"", b"".join(chunks)
