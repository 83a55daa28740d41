"""Header fields on their raw bytes: found, read and edited line by line; what is not edited stays as it is."""

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from relay.model.route import Edit, SetField

_FIELD = re.compile(rb"((?:([\x21-\x39\x3b-\x7e]++)[ \t]*+:)?[^\n]*+(?>(?:\n[ \t][^\n]*+)*)\n?)")
"""A field, and its name; where it has none it is a line that is no field."""
MOST_FIELDS: Final = 2_000
"""Fields of a header; a mail with more is none that a program of good will has written."""
_SHORT: Final = 16_384
"""Octets of a header that is remembered."""
_SIGNED = re.compile(
    rb"multipart/(?:signed|encrypted)|application/(?:x-)?pkcs7-(?:mime|signature)|application/pgp-encrypted",
    re.IGNORECASE,
)
_SIGNS = (b"dkim-signature", b"multipart/signed", b"multipart/encrypted", b"pkcs7-", b"pgp-encrypted")
"""A header without any of these needs no closer look."""


class Field(NamedTuple):
    """One header field (RFC 5322 section 2.2). A named tuple: a header has many, and they are made for each mail."""

    name: str
    """As it was written; empty for a line that is no field."""
    raw: bytes
    """The whole field with its line ends."""
    key: str
    """The name in lower case."""

    @property
    def value(self) -> bytes:
        """The unfolded body, without white space around it."""
        body = self.raw.partition(b":")[2] if self.name else self.raw
        return body.replace(b"\r\n", b"").strip(b" \t")


def count_fields(block: bytes) -> int:
    """Count the fields of a header block, at memory speed: the lines that do not go on with the one before."""
    return block.count(b"\r\n") - block.count(b"\r\n ") - block.count(b"\r\n\t")


def split_fields(block: bytes) -> tuple[Field, ...]:
    """Split a header block (each line ends with CRLF, no blank line); the raw parts joined are the block again."""
    return _split_again(block) if len(block) <= _SHORT else _split(block)


def _split(block: bytes) -> tuple[Field, ...]:
    found = _FIELD.findall(block)
    found.pop()  # the nothing at the end, which the pattern matches, too
    return tuple([Field(name := wire.decode("ascii"), raw, name.lower()) for raw, wire in found])


# Many rules look at the same header, one behind the other.
_split_again = functools.lru_cache(maxsize=16)(_split)


def apply_edits(block: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits to a block; positions are those of the original. What no edit names keeps its exact bytes."""
    if not edits:
        return block
    fields = split_fields(block)
    raws: list[bytes | None] = [field.raw for field in fields]
    before: dict[int, bytes] = {}
    added: list[bytes] = []
    for edit in edits:
        if isinstance(edit, SetField):
            line = edit.name.encode("ascii") + b":" + edit.value + b"\r\n"
            if edit.position is not None:
                raws[edit.position] = line
            elif edit.before is not None:
                before[edit.before] = before.get(edit.before, b"") + line
            else:
                added.append(line)
        else:
            key = edit.name.lower()
            for n, one in enumerate(fields):
                if one.key == key and (edit.positions is None or n in edit.positions):
                    raws[n] = None
    for n, lines in before.items():
        raws[n] = lines + (raws[n] or b"")
    kept = b"".join(raw for raw in raws if raw is not None)
    if added and kept and not kept.endswith(b"\r\n"):
        kept += b"\r\n"
    return kept + b"".join(added)


def find_values(block: bytes, name: str) -> list[bytes]:
    """Give the unfolded bodies of all fields of a name."""
    key = name.lower()
    return [field.value for field in split_fields(block) if field.key == key]


def is_signed(block: bytes) -> bool:
    """Tell whether the body is signed or encrypted, so that not one of its bytes may change."""
    text = block.lower()
    if not any(sign in text for sign in _SIGNS):
        return False
    for field in split_fields(block):
        if field.key == "dkim-signature":
            return True
        if field.key == "content-type" and _SIGNED.match(field.value):
            return True
    return False
