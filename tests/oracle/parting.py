"""Where the header of a mail ends, and what its fields are.

RFC 5322 sections 2.1, 2.2 and 4.5, and the product's rules for mail that does not keep to them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_LINE = re.compile(rb".*?\r\n|.+\Z", re.DOTALL)
_EMPTY = b"\r\n"
"""An empty line, and the end of any."""


@dataclass(frozen=True)
class Field:
    """One field of a header, as it stands there."""

    name: str
    """In lower case, without the blanks before the colon."""
    raw: bytes
    """With all its lines and their ends."""

    @property
    def value(self) -> str:
        """What stands behind the colon; what is no UTF-8 becomes surrogates."""
        return self.raw.partition(b":")[2].decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Parted:
    """A mail in its parts."""

    fields: tuple[Field, ...] = ()
    body: bytes = b""
    refused: bool = False
    """Nobody can tell where the header ends: 554 5.6.0."""


def part(mail: bytes) -> Parted:
    """Part a mail; a bare CR or LF ends a line as CRLF does, and becomes that."""
    lines: list[bytes] = _LINE.findall(re.sub(rb"\r\n|\r|\n", _EMPTY, mail))
    if lines and lines[0].startswith(b"From ") and not _FIELD.match(lines[0]):
        del lines[0]  # the separator of an mbox file
    if not lines or not _FIELD.match(lines[0]):
        return Parted(body=b"".join(lines[1:] if lines[:1] == [_EMPTY] else lines))
    end = next((n for n, line in enumerate(lines) if not (_FIELD.match(line) or line[:1] in (b" ", b"\t"))), len(lines))
    fields = tuple(_gather(lines[:end]))
    if lines[end : end + 1] == [_EMPTY]:
        return Parted(fields, b"".join(lines[end + 1 :]))
    rest = lines[end:]
    before_empty = rest[: rest.index(_EMPTY)] if _EMPTY in rest else rest
    if any(map(_FIELD.match, before_empty)):
        return Parted(refused=True)
    return Parted(fields, b"".join(rest))


def _gather(lines: Sequence[bytes]) -> list[Field]:
    fields: list[Field] = []
    for line in lines:
        found = _FIELD.match(line)
        if found:
            fields.append(Field(found[1].decode("ascii").lower(), line))
        else:
            fields[-1] = Field(fields[-1].name, fields[-1].raw + line)
    return fields
