"""Takes the TIFF attachments out of a mail as it streams by, and leaves a short text part in place of each.

Guarantee: every octet outside the removed parts stays as it was, and what comes out does not depend on how the mail
was cut. Memory is bounded whatever the mail's size. Nothing that a mail can hold raises.

A part is a TIFF by its content type, by one of its names or by its first decoded octets; any of the three suffices.
The first two need no decoding: of a part in an unknown or broken encoding the text tells what was encoded. Messages in
a mail are looked into, unless they are encoded. Left as they are: multiparts and messages themselves whatever they are
called, and what hides a TIFF elsewhere (uuencoded text, TNEF). A mail that holds anything signed or encrypted, or more
than `MimeReader` reads, has no archived version of its own.
"""

import hashlib
import re
from binascii import b2a_qp
from dataclasses import dataclass

from relay.rules.content import Content, Decoder, make_decoder
from relay.rules.mime import MimeReader, PartData, PartEnd, PartStart, Token

MOST_HELD = 4096
"""Encoded octets of a part within which its first four decoded ones are looked for."""
MOST_SHOWN = 200
"""Characters of a file name that the text part shows."""
_MOST_ENCODING = 40
"""Characters of an encoding's name that it shows."""

_TIFF_TYPES = frozenset(
    f"{kind}/{name}" for kind in ("image", "application") for name in ("tiff", "tif", "x-tiff", "x-tif", "tiff-fx")
)
_TIFF_NAME = re.compile(r"\.tiff?\s*\Z", re.IGNORECASE)
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ARMOUR = re.compile(rb"\n-----BEGIN PGP (?:MESSAGE|SIGNED MESSAGE|SIGNATURE)-----")
_LONGEST_ARMOUR = len(b"\n-----BEGIN PGP SIGNED MESSAGE-----")
_REPLACED = re.compile(
    rb"^content-(?:type|transfer-encoding|disposition|md5|length)[ \t]*+:[^\r\n]*+\r\n(?>(?:[ \t][^\r\n]*+\r\n)*)",
    re.IGNORECASE | re.MULTILINE,
)
_TEXTS = {
    "en": "Attachment removed: {name}\r\nSize: {size} bytes{encoded}\r\nSHA-256: {sha256}\r\n",
    "de": "Anhang entfernt: {name}\r\nGröße: {size} Byte{encoded}\r\nPrüfsumme (SHA-256): {sha256}\r\n",
}
_ENCODED = {
    "en": ", encoded ({encoding}: it can't be decoded)",
    "de": ", in einer Form, die sich nicht lesen ließ ({encoding})",
}
_NAMELESS = {"en": "(no file name)", "de": "(ohne Dateinamen)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedTiff:
    """A TIFF that the archived version does not hold."""

    name: str
    """Its file name, decoded, without control characters, perhaps shortened; empty where it had none."""
    size: int
    """Decoded octets; encoded ones where they can't be decoded."""
    sha256: str
    """Of these octets, in hexadecimal."""
    encoding: str = ""
    """The encoding of what can't be decoded, without control characters; else empty."""


class _Undecided:
    """A part whose first octets are still to be seen."""

    def __init__(self, start: PartStart, decoder: Decoder) -> None:
        self.start = start
        self.head: list[bytes] = []
        """What came of it, encoded."""
        self._decoder = decoder
        self._first = b""
        self._held = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take the next encoded octets; gives the first decoded ones once it is clear what they are."""
        self.head.append(data)
        self._first += self._decoder.feed(data[: MOST_HELD - self._held])[:4]
        self._held += len(data)
        return self._first[:4] if len(self._first) >= 4 or self._held >= MOST_HELD else None

    def close(self) -> bytes:
        """Give the first decoded octets of a part that ends here."""
        return (self._first + self._decoder.close())[:4]


class _Removal:
    """A TIFF that is being taken out."""

    def __init__(self, start: PartStart, *, is_declared: bool) -> None:
        self.start = start
        self._is_declared = is_declared
        self._decoder = make_decoder(start.content.encoding)
        self._encoded, self._decoded = _Sum(), _Sum()

    def feed(self, data: bytes) -> None:
        self._encoded.add(data)
        if self._decoder is not None:
            self._decoded.add(self._decoder.feed(data))

    def finish(self) -> RemovedTiff | None:
        """Give what was taken out; None where programs may disagree on whether it was a TIFF at all."""
        content = self.start.content
        whole, encoding = self._encoded, content.encoding
        if self._decoder is not None:
            self._decoded.add(self._decoder.close())
            if not self._decoder.damaged:
                whole, encoding = self._decoded, ""
            elif not self._is_declared:
                return None
        name, encoding = _shown("".join(content.names[:1]), MOST_SHOWN), _shown(encoding, _MOST_ENCODING)
        return RemovedTiff(name=name, size=whole.size, sha256=whole.digest(), encoding=encoding)


class _Sum:
    """Size and SHA-256 of what comes in pieces."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256(usedforsecurity=False)

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._sha256.update(data)

    def digest(self) -> str:
        return self._sha256.hexdigest()


class _ArmourSearch:
    """Looks for PGP within a text (RFC 9580 section 6.2), which signs or encrypts the mail without MIME."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._tail = b"\n"

    def finds_in(self, data: bytes) -> bool:
        text = self._tail + self._decoder.feed(data)
        self._tail = text[-_LONGEST_ARMOUR:]
        return _ARMOUR.search(text) is not None


class TiffStripper:
    """Sans-IO: the mail's body in, the archived version's body out, then `changed`, `header` and `removed`."""

    def __init__(self, header: bytes, *, language: str) -> None:
        """Begin with the mail's header block: CRLF line ends, no blank line. `language` is `en` or `de`."""
        self._reader = MimeReader(header)
        self._header = header
        self._new_header = header
        self._language = language
        self._part: _Undecided | _Removal | _ArmourSearch | None = None
        self._removed: list[RemovedTiff] = []
        self._is_whole = False
        self._is_spoilt = False

    @property
    def changed(self) -> bool:
        """Whether there is an archived version of its own; valid after `close`.

        False means that the mail itself is to be archived, whatever came out here: a signature over the whole mail, or
        what no program can read for sure, may turn up only after a TIFF is gone already.
        """
        return bool(self._removed) and not self._is_whole

    @property
    def header(self) -> bytes:
        """The archived version's header, valid after `close`: another one only if the whole mail is a TIFF."""
        return self._new_header if self.changed else self._header

    @property
    def removed(self) -> tuple[RemovedTiff, ...]:
        """What was taken out, in the order of the mail; nothing where the mail itself is to be archived."""
        return tuple(self._removed) if self.changed else ()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next octets of the mail's body and give the next ones of the archived version."""
        return self._take_all(self._reader.feed(chunk))

    def close(self) -> bytes:
        """Take the end of the mail and give the last octets of the archived version."""
        return self._take_all(self._reader.close())

    def _take_all(self, tokens: list[Token]) -> bytes:
        if self._reader.gave_up:
            self._is_whole = True
        out = b"".join([self._take(token) for token in tokens])
        return b"" if self._is_whole and self._is_spoilt else out

    def _take(self, token: Token) -> bytes:
        match token:
            case PartStart():
                return self._start(token)
            case PartData(data):
                return self._take_data(data)
            case PartEnd():
                return self._end()
        return token.data

    def _start(self, start: PartStart) -> bytes:
        content, self._part = start.content, None
        if self._is_whole:
            return start.raw
        decoder = make_decoder(content.encoding)
        if content.type in _TIFF_TYPES or any(map(_TIFF_NAME.search, content.names)):
            self._remove(start, is_declared=True)
        elif decoder is None:
            return start.raw
        else:
            self._part = _Undecided(start, decoder)
        return b""

    def _take_data(self, data: bytes) -> bytes:
        part = self._part
        if isinstance(part, _Undecided):
            first = part.feed(data)
            return b"" if first is None else self._decide(part, first)
        if isinstance(part, _Removal):
            part.feed(data)
            return b""
        if isinstance(part, _ArmourSearch) and part.finds_in(data):
            self._is_whole = True
        return data

    def _end(self) -> bytes:
        out = b""
        if isinstance(self._part, _Undecided):
            out = self._decide(self._part, self._part.close())
        if isinstance(self._part, _Removal):
            out += self._finish(self._part)
        self._part = None
        return out

    def _decide(self, part: _Undecided, first: bytes) -> bytes:
        content, head = part.start.content, b"".join(part.head)
        if first in _MAGIC and not self._is_whole:
            self._remove(part.start, is_declared=False)
            return self._take_data(head)
        decoder = make_decoder(content.encoding) if content.type.startswith("text/") else None
        self._part = None if decoder is None else _ArmourSearch(decoder)
        return part.start.raw + self._take_data(head)

    def _remove(self, start: PartStart, *, is_declared: bool) -> None:
        self._part = _Removal(start, is_declared=is_declared)
        self._is_spoilt = True

    def _finish(self, removal: _Removal) -> bytes:
        tiff = removal.finish()
        if tiff is None:
            self._is_whole = True
            return b""
        self._removed.append(tiff)
        fields, text = _write_notice(tiff, self._language)
        if removal.start.is_mail:
            self._new_header = _replace_fields(self._header, fields)
            return text
        return _replace_fields(removal.start.raw[:-2], fields) + b"\r\n" + text


def may_hold_tiff(content: Content) -> bool:
    """Tell by the mail's own header whether something can and may be taken out of the mail."""
    if content.is_sealed or content.is_excessive:
        return False
    return bool(content.names) or not content.type.startswith("text/")


def _shown(text: str, most: int) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text[:most])
    return shown if len(text) <= most else shown + "..."


def _write_notice(tiff: RemovedTiff, language: str) -> tuple[bytes, bytes]:
    """Write the fields and the text that stand for a TIFF; seven bits suffice for both."""
    name = tiff.name or _NAMELESS[language]
    encoded = _ENCODED[language].format(encoding=tiff.encoding) if tiff.encoding else ""
    text = _TEXTS[language].format(name=name, size=tiff.size, encoded=encoded, sha256=tiff.sha256).encode()
    encoding = b"7bit" if text.isascii() else b"quoted-printable"
    fields = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding + b"\r\n"
    return fields, text if text.isascii() else b2a_qp(text, istext=True)


def _replace_fields(header: bytes, fields: bytes) -> bytes:
    """Put the fields where the first one stands that told of the TIFF; an entity's other fields stay."""
    first = _REPLACED.search(header)
    at = first.start() if first else len(header)
    return header[:at] + fields + _REPLACED.sub(b"", header[at:])
