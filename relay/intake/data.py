"""Reading DATA at memory speed, without I/O: where it ends, what is header, what is body, and in pieces of which size.

Only CRLF.CRLF ends the data. A bare CR or LF becomes CRLF and never ends it, so that no mail can be smuggled in
behind another (RFC 5321 section 4.1.1.4).
"""

import re
from collections.abc import Iterator
from typing import Final

CHUNK: Final = 262_144
"""Octets of a piece of the body, at most."""
LONGEST_LINE: Final = 1_048_576
_END: Final = b"\r\n.\r\n"
_ANY_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FIELDS: Final = re.compile(rb"(?:(?:[!-9;-~]+[ \t]*:|[ \t])[^\n]*\n)*+")
_LONG_LINE: Final = re.compile(rb"[^\n]{%d}" % LONGEST_LINE)


class DotReader:
    """Finds the end of the data, unstuffs dots (RFC 5321 section 4.5.2), makes every line end CRLF."""

    def __init__(self) -> None:
        # The line before the data ended, too: a dot alone at the very beginning ends an empty mail.
        self._kept = b"\r\n"
        self._first = True
        self._line = 0
        self.ended = False
        self.rest = b""
        """What came behind the end: the next command."""
        self.too_long = False
        """Whether a line was longer than LONGEST_LINE."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection, give what they add to the mail."""
        window = self._kept + data
        end = window.find(_END)
        if end >= 0:
            self.ended = True
            content, self._kept, self.rest = window[: end + 2], b"", window[end + 5 :]
        else:
            # What may be the beginning of the end, or half of a line end, waits for more.
            kept = next((n for n in (4, 3, 2, 1) if window.endswith(_END[:n])), 0)
            content, self._kept = window[: len(window) - kept], window[len(window) - kept :]
        if not content:
            return b""
        content = normalise_lines(content.replace(b"\r\n.", b"\r\n"))
        if self._first:
            content, self._first = content[2:], False
        self._measure(content)
        return content

    def _measure(self, content: bytes) -> None:
        first = content.find(b"\n")
        if self._line + (len(content) if first < 0 else first) > LONGEST_LINE or (
            len(content) > LONGEST_LINE and _LONG_LINE.search(content)
        ):
            self.too_long = True
        self._line = self._line + len(content) if first < 0 else len(content) - content.rfind(b"\n") - 1


def normalise_lines(data: bytes) -> bytes:
    """Make every CR, LF and CRLF a CRLF."""
    pairs = data.count(b"\r\n")
    if data.count(b"\n") == pairs == data.count(b"\r"):
        return data
    return _ANY_LINE_END.sub(b"\r\n", data)


class Sections:
    """Parts a mail that comes in pieces into its header and the chunks of its body.

    The header ends at the first empty line, or before the first line that can be no field. A mailbox's separator line
    (`From anna Mon ...`) at the very beginning is dropped.
    """

    def __init__(self, *, header_limit: int) -> None:
        self._limit = header_limit
        self._buffer = bytearray()
        self._read = 0
        """How far the buffer holds complete fields."""
        self._searched = 0
        """How far it is known to hold no further line end."""
        self.header: bytes | None = None
        """The whole header, every line with CRLF, without the blank line; None until it is complete."""
        self.too_large = False
        """Whether the header is beyond its limit."""

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Take the next piece of the mail, give the chunks of the body that are full."""
        self._buffer += content
        if self.header is None:
            self._look_for_end()
        if self.header is not None:
            # One chunk's worth stays behind, so that a small mail is one chunk and none is tiny.
            while len(self._buffer) > CHUNK:
                yield bytes(memoryview(self._buffer)[:CHUNK])
                del self._buffer[:CHUNK]

    def close(self) -> bytes:
        """End the mail; gives the last chunk of the body, which may be empty. `header` is complete now."""
        if self.header is None:
            self._end_header(skip=0)
        last, self._buffer = bytes(self._buffer), bytearray()
        return last

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
