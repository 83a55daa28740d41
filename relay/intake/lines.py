"""Command lines out of the bytes of a connection, without I/O.

Guarantee: no more is held than the longest line and what came with it; a line that is too long is skipped to its end,
however it comes, and told once.
"""

from typing import Final

LONGEST_COMMAND: Final = 12_288
"""Octets of a command line: RFC 4954 section 4 wants as many for AUTH."""


class LineTooLongError(Exception):
    """A line beyond LONGEST_COMMAND; it has been skipped."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__("a line is too long")
        self.beginning = beginning
        """Its first octets."""


class LineBuffer:
    """Holds bytes until they are taken, by lines or as they are. A bare LF ends a line, too.

    However the bytes come, each is looked at once, and copied a bounded number of times.
    """

    __slots__ = ("_bytes", "_searched", "_skipped")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0
        """So many of them are known to hold no line end."""
        self._skipped = b""
        """How the line began that is being skipped."""

    def __len__(self) -> int:
        """Tell how many octets are held."""
        return len(self._bytes)

    def add(self, data: bytes) -> None:
        """Hold more bytes."""
        self._bytes += data

    def put_back(self, data: bytes) -> None:
        """Hold bytes that stand before all others."""
        self._bytes[:0] = data
        self._searched = 0

    def clear(self) -> None:
        """Throw away what is held, the beginning of a line that is being skipped too."""
        self._bytes.clear()
        self._searched = 0
        self._skipped = b""

    def take(self, octets: int) -> bytes:
        """Give what is held as it is, but no more than so many octets."""
        data = bytes(self._bytes[:octets])
        del self._bytes[:octets]
        self._searched = 0
        return data

    def take_line(self) -> bytes | None:
        """Give the next line without its end, None where it is not complete. Raises LineTooLongError."""
        held = self._bytes
        end = held.find(b"\n", self._searched)
        self._searched = 0
        if end < 0:
            if len(held) > LONGEST_COMMAND:
                self._skipped = self._skipped or bytes(held[:64])
                held.clear()
            self._searched = len(held)
            return None
        line = bytes(held[:end])
        del held[: end + 1]
        if self._skipped or end > LONGEST_COMMAND:
            beginning, self._skipped = self._skipped or line[:64], b""
            raise LineTooLongError(beginning)
        return line[:-1] if line.endswith(b"\r") else line
