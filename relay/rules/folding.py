"""Lines longer than SMTP allows (RFC 5321 section 4.5.3.1.6: 998 octets), folded where that changes nothing.

A header field is folded at white space that is there, or behind a comma of an address list (RFC 5322 sections 2.2.3
and 3.2.2): whoever unfolds it reads the same. An address list that is longer than any real one is folded at white
space alone. A body has no such places: its long lines are cut, between two characters. Signed mail must not come here.
"""

import re
from typing import Final

from relay.rules.address import LONGEST_FIELD
from relay.rules.headers import Field, split_fields

LONGEST_LINE: Final = 998
"""Octets without the CRLF."""

_ADDRESS_FIELDS: Final = re.compile(r"(?:resent-)?(?:from|sender|reply-to|to|cc|bcc)")
_ADDRESS_TOKEN: Final = re.compile(
    rb'(?>(?:"(?>(?:[^"\\]++|\\.)*)(?:"|\\?\Z)|\\.|\([^()"\\]*+\))+)|(\(++)|(\)++)|([<>]++)', re.DOTALL
)
"""First what changes nothing for what stands behind it: quoted strings, quoted pairs, comments with none in them."""
_OPENINGS, _CLOSINGS, _ANGLES = 1, 2, 3
"""The groups of the others."""
_SPACE: Final = re.compile(rb"(?<![ \t\\])[ \t]++")
_MARKERS: Final = (b"multipart/signed", b"multipart/encrypted", b"pkcs7-", b"-----begin pgp signed message-----")
_LONGEST_MARKER: Final = max(map(len, _MARKERS))
_LAST_SAFE: Final = LONGEST_LINE - 3
"""A character of UTF-8 that begins before this column ends within the line."""


def fold_header(block: bytes) -> bytes:
    """Fold the long lines of a header block; the same object where there are none that could be folded."""
    if len(block) <= LONGEST_LINE or max(map(len, block.split(b"\r\n"))) <= LONGEST_LINE:
        return block
    folded = b"".join(map(_fold_field, split_fields(block)))
    return block if folded == block else folded


def _fold_field(field: Field) -> bytes:
    lines = field.raw.split(b"\r\n")
    if not field.name or max(map(len, lines)) <= LONGEST_LINE:
        return field.raw
    is_list = len(field.raw) <= LONGEST_FIELD and _ADDRESS_FIELDS.fullmatch(field.key)
    commas = _show_list_commas(field.raw) if is_list else b""
    begin, parts = 0, []
    for line in lines:
        if len(line) > LONGEST_LINE:
            # Not behind the colon: that makes a line without a value, which programs stumble over.
            start = len(line) - len(line[line.index(b":") + 1 :].lstrip(b" \t")) if not begin else 0
            parts.append(_fold_line(line, start, commas[begin : begin + len(line)]))
        else:
            parts.append(line)
        begin += len(line) + 2
    return b"\r\n".join(parts)


def _fold_line(line: bytes, start: int, commas: bytes) -> bytes:
    """Fold one line at the last place that fits, else at the next one behind it.

    A place is the begin of a run of white space between two texts, or behind a comma of `commas`, which has the line's
    length or none. They are looked for where one is needed: a hostile line has very many.
    """
    first = len(line) - len(line[start:].lstrip(b" \t"))
    last = len(line.rstrip(b" \t"))
    parts, begin, blank = [], 0, b""
    while len(blank) + len(line) - begin > LONGEST_LINE:
        high = begin + LONGEST_LINE - len(blank)
        fits = max(0, min(high, last - 1))
        at = max(_last_blank(line, max(begin, first) + 1, fits), commas.rfind(b",", begin, fits) + 1)
        if at <= 0:
            comma = commas.find(b",", high, max(0, last - 1))
            space = _SPACE.search(line, max(high, first) + 1, last if comma < 0 else comma + 1)
            if space is None and comma < 0:
                break
            at = comma + 1 if space is None else space.start()
        parts.append(blank + line[begin:at])
        begin = at
        blank = b"" if line[begin] in b" \t" else b" "
    parts.append(blank + line[begin:])
    return b"\r\n".join(parts)


def _last_blank(line: bytes, low: int, high: int) -> int:
    """Find where the last run of blanks begins that begins between two places, these included; -1 where none does."""
    while high >= low:
        at = max(line.rfind(b" ", low, high + 1), line.rfind(b"\t", low, high + 1))
        if at < 0:
            return -1
        at = low - 1 + len(line[low - 1 : at].rstrip(b" \t"))
        if at >= low and line[at - 1 : at] != b"\\":
            return at
        high = at - 1
    return -1


def _show_list_commas(raw: bytes) -> bytes:
    """Give as many octets, of which those are commas that stand between addresses.

    That is outside of quoted strings, comments and angle brackets.
    """
    shown, hidden, comments, angle = bytearray(raw), -1, 0, False
    for match in _ADDRESS_TOKEN.finditer(raw):
        begin, end = match.span()
        kind = match.lastindex
        if kind == _OPENINGS:
            comments += end - begin
        elif kind == _CLOSINGS:
            comments = max(0, comments - (end - begin))
        elif kind == _ANGLES:
            angle = angle if comments else raw[end - 1 : end] == b"<"
        elif hidden < 0:
            shown[begin:end] = b"." * (end - begin)
        if comments or angle:
            hidden = begin if hidden < 0 else hidden
        elif hidden >= 0:
            shown[hidden:end] = b"." * (end - hidden)
            hidden = -1
    if hidden >= 0:
        shown[hidden:] = b"." * (len(raw) - hidden)
    return bytes(shown)


class BodyFolder:
    """Cuts long lines of a body that comes in chunks; the result does not depend on how it was cut into them.

    A line is cut at 998 octets, or up to three before it where that would cut a character of UTF-8. Behind the first
    sign of something signed deeper in the mail (`multipart/signed`, `multipart/encrypted`, S/MIME's `pkcs7-` types,
    PGP's clear-signed text) nothing is cut any more. The limits of that: the sign must stand before what is signed, in
    plain sight (not within a base64 part), so that a file whose detached signature is a later attachment is cut; and a
    text that only speaks of these signs is left with its long lines.
    """

    def __init__(self) -> None:
        self.folded = False
        """Whether a line was cut."""
        self._ended = False
        self._column = 0
        self._held = b""
        self._last = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next octets, give what may be sent; a few may be held back."""
        if self._ended:
            return chunk
        end = self._signed_from(chunk)
        if end is None:
            return self._fold(self._held + chunk)
        self._ended = True
        before = self._fold(self._held + chunk[:end])
        return before + self.close() + chunk[end:]

    def close(self) -> bytes:
        """Give what was held back."""
        held, self._held = self._held, b""
        return held

    def _signed_from(self, chunk: bytes) -> int | None:
        """Find the end of the first marker; one may have begun in the chunk before."""
        window = self._last + chunk.lower()
        ends = [at + len(marker) for marker in _MARKERS if (at := window.find(marker)) >= 0]
        found = min(ends) - len(self._last) if ends else None
        self._last = window[1 - _LONGEST_MARKER :]
        return found

    def _fold(self, data: bytes) -> bytes:
        self._held = b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        lines = data.split(b"\r\n")
        lines[0] = b"." * self._column + lines[0]
        if max(map(len, lines)) > LONGEST_LINE:
            lines = [part for line in lines for part in _cut(line)]
            self.folded = True
            data = b"\r\n".join(lines)[self._column :]
        length = len(lines[-1])
        if length > _LAST_SAFE:
            # Whether the line must be cut here shows only when it goes on.
            self._held = data[_LAST_SAFE - length :] + self._held
            data = data[: _LAST_SAFE - length]
            length = _LAST_SAFE
        self._column = length
        return data


def _cut(line: bytes) -> list[bytes]:
    parts, begin = [], 0
    while len(line) - begin > LONGEST_LINE:
        end = begin + LONGEST_LINE
        back = next((n for n in range(4) if line[end - n] & 0xC0 != 0x80), 0)
        end -= back if line[end - back] >= 0xC0 else 0
        parts.append(line[begin:end])
        begin = end
    parts.append(line[begin:])
    return parts
