"""Takes the TIFF attachments out of a mail as it streams by, and leaves a short text part in place of each.

Guarantee: every octet outside the removed parts stays as it was, and what comes out does not depend on how the mail
was cut. Memory is bounded whatever the mail's size. Nothing that a mail can hold raises.

A part is a TIFF by its content type, by one of its names or by its first decoded octets; any of the three suffices.
Messages in a mail are looked into, unless they are encoded. Left as they are: multiparts and messages themselves
whatever they are called, signed or encrypted subtrees, parts in an encoding that we do not decode (x-uuencode), and
what `MimeReader` does not look into.
"""

import hashlib
import re
from binascii import b2a_qp
from dataclasses import dataclass

from relay.rules.content import Content, Decoder, make_decoder
from relay.rules.mime import SEALED_TYPES, MimeReader, PartData, PartEnd, PartStart, Token

MOST_HELD = 4096
"""Encoded octets of a part within which its first four decoded ones are looked for."""
MOST_SHOWN = 200
"""Characters of a file name that the text part shows."""

_TIFF_TYPES = frozenset(
    f"{kind}/{name}" for kind in ("image", "application") for name in ("tiff", "tif", "x-tiff", "x-tif", "tiff-fx")
)
_TIFF_NAME = re.compile(r"\.tiff?\s*\Z", re.IGNORECASE)
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SIGNATURE_TYPES = frozenset(
    {
        "application/pgp-signature",
        "application/pgp-encrypted",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    }
)
_ARMOUR = (b"\n-----BEGIN PGP MESSAGE-----", b"\n-----BEGIN PGP SIGNED MESSAGE-----")
_LONGEST_ARMOUR = max(map(len, _ARMOUR))
_REPLACED = re.compile(
    rb"^content-(?:type|transfer-encoding|disposition|md5|length)[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_TEXTS = {
    "en": "Attachment removed: {name}\r\nSize: {size} bytes\r\nSHA-256: {sha256}\r\n",
    "de": "Anlage entfernt: {name}\r\nGröße: {size} Bytes\r\nSHA-256: {sha256}\r\n",
}
_NAMELESS = {"en": "(no file name)", "de": "(ohne Dateinamen)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedTiff:
    """A TIFF that the archived version does not hold."""

    name: str
    """Its file name, decoded, without control characters, perhaps shortened; empty where it had none."""
    size: int
    """Decoded octets."""
    sha256: str
    """Of the decoded octets, in hexadecimal."""


@dataclass(kw_only=True, slots=True)
class _Undecided:
    """A part whose first octets are still to be seen."""

    start: PartStart
    head: bytes = b""


class _Removal:
    """A TIFF that is being taken out."""

    def __init__(self, start: PartStart) -> None:
        self.start = start
        self.decoder = _decoder_of(start)
        self.size = 0
        self._sha256 = hashlib.sha256(usedforsecurity=False)

    def feed(self, data: bytes) -> None:
        self._count(self.decoder.feed(data))

    def finish(self) -> RemovedTiff:
        self._count(self.decoder.close())
        return RemovedTiff(name=_name_of(self.start.content), size=self.size, sha256=self._sha256.hexdigest())

    def _count(self, decoded: bytes) -> None:
        self.size += len(decoded)
        self._sha256.update(decoded)


class _ArmourSearch:
    """Looks for PGP within a text (RFC 9580 section 6.2), which signs or encrypts the mail without MIME."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._tail = b"\n"

    def finds_in(self, data: bytes) -> bool:
        text = self._tail + self._decoder.feed(data)
        self._tail = text[-_LONGEST_ARMOUR:]
        return any(armour in text for armour in _ARMOUR)


class TiffStripper:
    """Sans-IO: the mail's body in, the archived version's body out, then `changed`, `header` and `removed`."""

    def __init__(self, header: bytes, *, language: str = "en") -> None:
        """Begin with the mail's header block: CRLF line ends, no blank line. `language` is `en` or `de`."""
        self._reader = MimeReader(header)
        self._header = header
        self._new_header = header
        self._language = language if language in _TEXTS else "en"
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
        content = start.content
        self._is_whole = self._is_whole or content.type in _SIGNATURE_TYPES
        self._part = None
        if self._is_whole or make_decoder(content.encoding) is None:
            return start.raw
        if content.type in _TIFF_TYPES or any(map(_TIFF_NAME.search, content.names)):
            self._remove(start)
        else:
            self._part = _Undecided(start=start)
        return b""

    def _take_data(self, data: bytes) -> bytes:
        part = self._part
        if isinstance(part, _Undecided):
            part.head += data
            first = _decoder_of(part.start).feed(part.head[:MOST_HELD])[:4]
            return self._decide(part, first) if len(first) == 4 or len(part.head) >= MOST_HELD else b""
        if isinstance(part, _Removal):
            part.feed(data)
            return b""
        if isinstance(part, _ArmourSearch) and part.finds_in(data):
            self._is_whole = True
        return data

    def _end(self) -> bytes:
        out = b""
        if isinstance(self._part, _Undecided):
            decoder = _decoder_of(self._part.start)
            out = self._decide(self._part, (decoder.feed(self._part.head) + decoder.close())[:4])
        if isinstance(self._part, _Removal):
            out += self._finish(self._part)
        self._part = None
        return out

    def _decide(self, part: _Undecided, first: bytes) -> bytes:
        if first in _MAGIC and not self._is_whole:
            self._remove(part.start)
            return self._take_data(part.head)
        is_text = part.start.content.type == "text/plain"
        self._part = _ArmourSearch(_decoder_of(part.start)) if is_text else None
        return part.start.raw + self._take_data(part.head)

    def _remove(self, start: PartStart) -> None:
        self._part = _Removal(start)
        self._is_spoilt = True

    def _finish(self, removal: _Removal) -> bytes:
        tiff = removal.finish()
        self._is_whole = self._is_whole or removal.decoder.damaged
        self._removed.append(tiff)
        fields, text = _write_notice(tiff, self._language)
        if removal.start.is_mail:
            self._new_header = _replace_fields(self._header, fields)
            return text
        return _replace_fields(removal.start.raw[:-2], fields) + b"\r\n" + text


def may_hold_tiff(content: Content) -> bool:
    """Tell by the mail's own header whether something can and may be taken out of the mail."""
    if content.type in SEALED_TYPES:
        return False
    return bool(content.names) or not content.type.startswith("text/")


def _decoder_of(start: PartStart) -> Decoder:
    decoder = make_decoder(start.content.encoding)
    assert decoder is not None
    return decoder


def _name_of(content: Content) -> str:
    name = content.names[0] if content.names else ""
    shown = "".join(c if c.isprintable() else "?" for c in name[:MOST_SHOWN])
    return shown if len(name) <= MOST_SHOWN else shown + "..."


def _write_notice(tiff: RemovedTiff, language: str) -> tuple[bytes, bytes]:
    """Write the fields and the text that stand for a TIFF; seven bits suffice for both."""
    name = tiff.name or _NAMELESS[language]
    text = _TEXTS[language].format(name=name, size=tiff.size, sha256=tiff.sha256).encode()
    encoding = b"7bit" if text.isascii() else b"quoted-printable"
    fields = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding + b"\r\n"
    return fields, text if text.isascii() else b2a_qp(text, istext=True)


def _replace_fields(header: bytes, fields: bytes) -> bytes:
    """Put the fields where the first one stands that told of the TIFF; an entity's other fields stay."""
    first = _REPLACED.search(header)
    at = first.start() if first else len(header)
    return header[:at] + fields + _REPLACED.sub(b"", header[at:])
