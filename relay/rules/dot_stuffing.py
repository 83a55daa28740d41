"""Dot-stuffed data as SMTP and POP3 send it (RFC 5321 section 4.5.2, RFC 1939 section 3), read and written as a stream.

Only CRLF.CRLF ends the data. A bare CR or LF becomes CRLF and never ends it, so that no mail can be smuggled in
behind another (RFC 5321 section 4.1.1.4).
"""

import re
from typing import Final

from relay.rules.folding import BodyFolder, fold_header

LONGEST_LINE: Final = 1_048_576
_CRLF: Final = b"\r\n"
_END: Final = b"\r\n.\r\n"
_BARE_END: Final = re.compile(rb"\n\.\r?\n")
_BARE_BEGINNING: Final = re.compile(rb"(?:\r?\n(?:\.\r?)?|\r)\Z")
_BEGINNINGS: Final = tuple(_END[:n] for n in (1, 2, 3, 4))


class _Reader:
    """Reads data that comes in pieces, and measures its lines, which have CRLF by then."""

    _kept = _CRLF
    """A line end before the data, which never came, or what may be the beginning of the end."""

    def __init__(self) -> None:
        self._virtual = 2
        """Octets of what is kept, once its lines end in CRLF, that never came."""
        self._line = 0
        self.too_long = False
        """Whether a line was longer than LONGEST_LINE."""
        self.ended = False
        self.rest = b""
        """What came behind the end."""

    def _give(self, content: bytes) -> bytes:
        """Make every line end CRLF, take away the octets that never came, and measure the rest."""
        if not content:
            return b""
        content, self._virtual = normalise_lines(content)[self._virtual :], 0
        first = content.find(b"\n")
        head = self._line + (len(content) if first < 0 else first - 1)  # without its CR
        if head > LONGEST_LINE or has_long_line(content):
            self.too_long = True
        self._line = self._line + len(content) if first < 0 else len(content) - content.rfind(b"\n") - 1
        return content


class DotReader(_Reader):
    """Finds the end of the data, unstuffs dots, makes every line end CRLF.

    The line before the data ended, too: a dot alone at the very beginning ends an empty mail.
    """

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection, give what they add to the mail."""
        if self._virtual and self._kept == _CRLF and data and not data.startswith(b"."):
            self._kept, self._virtual = b"", 0
        window = self._kept + data if self._kept else data
        # Nothing but a dot behind a line end has a meaning; a body in base64 has no dot at all.
        dot = window.find(b"\r\n.") if b"." in window else -1
        end = window.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self.ended = True
            content, self._kept, self.rest = window[: end + 2], b"", window[end + 5 :]
        else:
            # What may be the beginning of the end, or half of a line end, waits for more.
            tail = window[-4:]
            kept = next((n for n in (4, 3, 2, 1) if tail.endswith(_END[:n])), 0) if tail.endswith(_BEGINNINGS) else 0
            content, self._kept = (window[:-kept], window[-kept:]) if kept else (window, b"")
        return self._give(content.replace(b"\r\n.", _CRLF) if dot >= 0 else content)


class BareDotReader(_Reader):
    """The same for a device that writes bare line feeds: a dot between any two of LF and CRLF ends the data.

    Only for one that passes on no mail of others: such mail could hide a second one behind a dot of its own.
    """

    _kept = b"\n"

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection, give what they add to the mail."""
        window = self._kept + data
        found = _BARE_END.search(window)
        if found is not None:
            self.ended, self._kept = True, b""
            content, self.rest = window[: found.start() + 1], window[found.end() :]
        else:
            tail = _BARE_BEGINNING.search(window, max(0, len(window) - 4))
            cut = len(window) if tail is None else tail.start()
            content, self._kept = window[:cut], window[cut:]
        return self._give(content.replace(b"\n.", b"\n"))


def normalise_lines(data: bytes) -> bytes:
    """Make every CR, LF and CRLF a CRLF."""
    feeds = data.count(b"\n")
    if feeds == data.count(b"\r") == data.count(_CRLF):
        return data
    # Three passes at memory speed: a chunk of nothing but line ends costs no more than any other.
    return data.replace(_CRLF, b"\n").replace(b"\r", b"\n").replace(b"\n", _CRLF)


def read_lines(message: bytes) -> bytes:
    """Return a whole mail, as a file holds it, with CRLF at the end of every line, the last one included."""
    lines = normalise_lines(message)
    return lines if not lines or lines.endswith(b"\n") else lines + _CRLF


def has_long_line(content: bytes) -> bool:
    """Tell whether a line, without its CRLF, is longer than LONGEST_LINE; looks at few places, whatever it holds."""
    begin = 0
    while len(content) - begin > LONGEST_LINE:
        end = content.rfind(b"\n", begin, begin + LONGEST_LINE + 2)
        if end < 0:
            return True
        begin = end + 1
    return False


class DataEncoder:
    """Writes one mail, whose body comes in chunks that are cut anywhere; long lines are folded where they may be."""

    def __init__(self, *, fold: bool) -> None:
        self._folder = BodyFolder() if fold else None
        self._tail = b""
        self._header_folded = False

    @property
    def folded(self) -> bool:
        """Whether a line was too long and has been folded."""
        return self._header_folded or (self._folder is not None and self._folder.folded)

    def head(self, block: bytes) -> bytes:
        """Return the header block with the blank line behind it."""
        if self._folder is not None:
            folded = fold_header(block)
            self._header_folded = folded is not block
            block = folded
        return self._stuffed(block + b"\r\n")

    def feed(self, chunk: bytes) -> bytes:
        """Return the next bytes of the body to send."""
        return self._stuffed(chunk if self._folder is None else self._folder.feed(chunk))

    def close(self) -> bytes:
        """End the last line, and the data."""
        rest = b"" if self._folder is None else self._stuffed(self._folder.close())
        return rest + (b".\r\n" if self._tail in (b"", b"\r\n") else b"\r\n.\r\n")

    def _stuffed(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        at_start = self._tail in (b"", b"\r\n")
        out = chunk.replace(b"\r\n.", b"\r\n..")
        if at_start and chunk.startswith(b"."):
            out = b"." + out
        elif self._tail == b"\r" and chunk.startswith(b"\n."):
            out = b"\n." + out[1:]
        self._tail = (self._tail + chunk)[-2:] if len(chunk) < 2 else chunk[-2:]
        if not self._tail.endswith(b"\r\n"):
            self._tail = b"\r" if self._tail.endswith(b"\r") else b"x"
        return out
