"""Header and body of a mail that comes in pieces, without I/O: where the one ends, and the other in chunks.

What a header is (RFC 5322 sections 2.2 and 4.5): lines that begin with a name, maybe blanks, and a colon, each with the
lines behind it that begin with a blank. It ends at the first empty line, or before a line that is neither. All of it is
found in one pass, so the work is linear, and the same however the mail was cut into pieces.
"""

import re
from typing import Final

from relay.rules.dot_stuffing import read_lines

CHUNK: Final = 262_144
"""Octets of a piece of the body, at most."""
_MOST_PIECES: Final = 256
_SEPARATOR: Final = re.compile(rb"From [ \t]*+[^:]")
_NAME: Final = rb"[!-9;-~]++[ \t]*+:"
_FIELDS: Final = re.compile(rb"(?>(?:(?:" + _NAME + rb"|[ \t])[^\n]*+\n)*)")
_FIELD_OR_END: Final = re.compile(rb"^(?:(" + _NAME + rb")|\r\n)", re.MULTILINE)
_BEGINNING: Final = re.compile(rb"([!-9;-~]*+)([ \t]*+)")


class MessageSplitter:
    """Parts a mail that comes in pieces, every line end of which is CRLF, into its header and the chunks of its body.

    A mail that begins with no field is all body. A first line that separates mails in a mailbox file (`From anna Mon
    ...`, no colon behind the blanks) is dropped. Where a line that is no field ends the header, the lines behind it are
    looked through as well, up to the first empty one: see `stray_line`.
    """

    def __init__(self, *, header_limit: int) -> None:
        self._limit = header_limit
        self._buffer = bytearray()
        """The mail up to the end of its header."""
        self._dropped = 0
        """Lines that were dropped."""
        self._read = 0
        """How far the buffer holds complete fields."""
        self._searched = 0
        """How far it is known to hold no further line end."""
        self._stray: _StrayLines | None = None
        self._pieces: list[bytes | memoryview] = []
        """The part of the body that is no full chunk yet."""
        self._held = 0
        """Its octets."""
        self.header: bytes | None = None
        """The whole header, every line with CRLF, without the blank line; None until it is complete."""
        self.too_large = False
        """Whether the header is beyond its limit."""
        self.stray_line: int | None = None
        """The number (from 1) of a line that is no field, but has one behind it before the first empty line.

        Programs do not agree on where such a header ends: what stands behind that line, a Bcc, could leave as body.
        """

    def feed(self, content: bytes) -> list[bytes]:
        """Take the next piece of the mail, give the chunks of the body that are full."""
        if self.header is None:
            self._buffer += content
            self._look_for_end()
            if self.header is None:
                return []
            content = bytes(self._buffer)
            self._buffer.clear()
        if self._stray is not None:
            self._look_behind(self._stray, content)
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

    def _look_for_end(self) -> None:
        """Read the fields whose last line is there; end the header at the first line that is none."""
        buffer = self._buffer
        while (end := buffer.find(b"\n", max(self._read, self._searched))) >= 0:
            if self._read == 0 and not self._dropped and _SEPARATOR.match(buffer):
                del buffer[: end + 1]
                self._dropped, self._searched = 1, 0
            elif (fields := self._fields_end()) > self._read:
                self._read = self._searched = fields
            else:
                self._end_header(skip=2 if buffer.startswith(b"\r\n", self._read) else 0)
                return
        self._searched = len(buffer)
        if len(buffer) > self._limit:
            self.too_large = True

    def _fields_end(self) -> int:
        """Tell how far complete fields go; a continuation needs a field before it."""
        if self._read == 0 and self._buffer.startswith((b" ", b"\t")):
            return 0
        found = _FIELDS.match(self._buffer, self._read)
        return self._read if found is None else found.end()

    def _end_header(self, *, skip: int) -> None:
        self.header = bytes(self._buffer[: self._read])
        del self._buffer[: self._read + skip]
        if len(self.header) > self._limit:
            self.too_large = True
        if self.header and not skip:
            self._stray = _StrayLines()

    def _look_behind(self, stray: "_StrayLines", content: bytes) -> None:
        stray.feed(content)
        if stray.field_found:
            assert self.header is not None
            self.stray_line = self._dropped + self.header.count(b"\n") + 1
        if stray.ended:
            self._stray = None


class _StrayLines:
    """Looks for a field among the lines behind one that is none, up to the first empty line."""

    def __init__(self) -> None:
        self._line = b""
        """What the last line has shown so far, shortened: `x` for a name, a blank for blanks, a NUL for no field."""
        self.field_found = False
        self.ended = False
        """Whether the first empty line, or a field, has come."""

    def feed(self, content: bytes) -> None:
        """Take the next piece."""
        window = self._line + content
        found = _FIELD_OR_END.search(window)
        if found is not None:
            self.ended = True
            self.field_found = found[1] is not None
            return
        line = window[window.rfind(b"\n") + 1 :]
        begun = _BEGINNING.fullmatch(line)
        if begun is not None and (begun[1] or not line):
            self._line = b"x"[: len(begun[1])] + b" "[: len(begun[2])]
        else:
            self._line = line if line == b"\r" else b"\0"


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Split a message as a file holds it into the header that a session would find, and the body."""
    lines = read_lines(message)
    splitter = MessageSplitter(header_limit=len(lines))
    chunks = [*splitter.feed(lines), splitter.close()]
    return splitter.header or b"", b"".join(chunks)
