"""What the Content-* fields of a MIME entity say, and how its body is decoded (RFC 2045, 2047, 2183, 2231).

Everything here takes whatever a client sends: nothing raises, and the work is linear in the octets.
"""

import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.rules.charsets import decode_octets

MOST_PARAMETERS = 100
"""Parameters of one field; with more the entity is excessive."""
MOST_BOUNDARY = 256
"""Octets; RFC 2046 allows 70. A multipart with a longer boundary is excessive."""
MOST_NAME = 4096
"""Characters of a name in its encoded form; with a longer one the entity is excessive."""

SEALED_TYPES = frozenset(
    {
        "multipart/signed",
        "multipart/encrypted",
        "application/pgp-encrypted",
        "application/pgp-signature",
        "application/pkcs7-mime",
        "application/pkcs7-signature",
        "application/x-pkcs7-mime",
        "application/x-pkcs7-signature",
    }
)
"""What is signed or encrypted, or is a signature over something else (RFC 1847, 3156, 8551)."""

_FIELDS = re.compile(rb"(?>(?:[!-9;-~]++[ \t]*+:[^\r\n]*+\r\n(?>(?:[ \t][^\r\n]*+\r\n)*))*)")
_CONTENT_FIELD = re.compile(
    rb"^(content-(?:type|disposition|transfer-encoding))[ \t]*+:([^\r\n]*+(?>(?:\r\n[ \t][^\r\n]*+)*))\r\n",
    re.IGNORECASE | re.MULTILINE,
)
_TOKEN = re.compile(r"[^\s;()\"]+")
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+("[^"\\]*+(?>(?:\\.[^"\\]*+)*)(?:"|\Z)|[^;]*+)', re.DOTALL)
_SECTION = re.compile(r"(filename|name|boundary)(?:\*(\d{1,3}))?(\*)?")
_ENCODED_WORDS = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=(?:\s+(?==\?))?")
_SEALED_NAME = re.compile(r"\.(?:p7[cmsz]|asc|sig|sign|pgp|gpg)\Z", re.IGNORECASE)
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What an entity says about its body."""

    type: str
    """The media type in lower case, without parameters; `text/plain` (or the given default) where there is none."""
    encoding: str
    """The Content-Transfer-Encoding in lower case; `7bit` where there is none."""
    names: tuple[str, ...] = ()
    """All names that the body is given, decoded, the file name of Content-Disposition first."""
    boundary: bytes | None = None
    """Only for a multipart; None where there is none that can be used."""
    is_excessive: bool = False
    """Whether its parameters are more, or longer, than any real mail has: what they say was not read to its end."""

    @property
    def is_sealed(self) -> bool:
        """Whether it is signed or encrypted, or a detached signature, by its type or by one of its names."""
        return self.type in SEALED_TYPES or any(map(_SEALED_NAME.search, self.names))

    @property
    def is_leaf(self) -> bool:
        """Whether the body is data, not parts or a message (RFC 2046 sections 3 and 5)."""
        return not self.type.startswith(("multipart/", "message/"))


def read_content(block: bytes, default_type: str = "text/plain") -> Content | None:
    """Read the Content-* fields of a header block with CRLF line ends. The first field of a name counts.

    None where a line is no field and no continuation of one: programs do not agree on where such a header ends.
    """
    if not _FIELDS.fullmatch(block):
        return None
    values: dict[bytes, str] = {}
    for match in _CONTENT_FIELD.finditer(block):
        values.setdefault(match[1].lower(), match[2].replace(b"\r\n", b"").decode("latin-1"))
    type_value = values.get(b"content-type", "")
    media_type = (_first_token(type_value) or default_type).lower()
    disposition = _sections(values.get(b"content-disposition", ""))
    parameters = _sections(type_value)
    names = (*_join(disposition, "filename"), *_join(parameters, "name"))
    boundaries = _join(parameters, "boundary") if media_type.startswith("multipart/") else ()
    lengths = [len(raw) / MOST_NAME for raw, _ in names] + [len(raw.rstrip()) / MOST_BOUNDARY for raw, _ in boundaries]
    return Content(
        type=media_type,
        encoding=(_first_token(values.get(b"content-transfer-encoding", "")) or "7bit").lower(),
        names=tuple(dict.fromkeys(name for raw, charset in names if (name := _decode_name(raw, charset)))),
        boundary=_usable_boundary(boundaries[-1][0]) if boundaries else None,
        is_excessive=max(lengths, default=0) > 1 or disposition is _TOO_MANY or parameters is _TOO_MANY,
    )


def _first_token(value: str) -> str | None:
    match = _TOKEN.match(value.strip())
    return match[0] if match else None


def _usable_boundary(raw: bytes) -> bytes | None:
    boundary = raw.rstrip()
    return boundary if 0 < len(boundary) <= MOST_BOUNDARY and b"\r" not in boundary and b"\n" not in boundary else None


_Sections = dict[tuple[str, int], tuple[str, bool]]
"""By name and number (-1: the parameter is whole): the value, and whether it is in the extended form of RFC 2231."""


_TOO_MANY: Final[_Sections] = {}


def _sections(value: str) -> _Sections:
    """Read the parameters that matter, in their sections; `_TOO_MANY` where there are more than `MOST_PARAMETERS`."""
    sections: _Sections = {}
    for number, match in enumerate(_PARAMETER.finditer(value)):
        if number == MOST_PARAMETERS:
            return _TOO_MANY
        name = _SECTION.fullmatch(match[1].lower())
        if name is None:
            continue
        text = match[2].strip()
        if text.startswith('"'):
            text = _unquote(text[1:].removesuffix('"'))
        section = int(name[2]) if name[2] else 0 if name[3] else -1
        sections.setdefault((name[1], section), (text, bool(name[3])))
    return sections


def _unquote(text: str) -> str:
    """Take the backslashes of quoted pairs out (RFC 5322 section 3.2.1), in steps that go over many pairs at once.

    A header may hold a hundred thousand pairs. One backslash at the end quotes nothing, and stays.
    """
    between = text.split("\\\\")
    rest = "\\" if between[-1].endswith("\\") else ""
    return "\\".join([one.replace("\\", "") for one in between]) + rest


def _join(sections: _Sections, name: str) -> tuple[tuple[bytes, str], ...]:
    """Give the values of a parameter as octets with their charset: the form of RFC 2231 first, then the plain one."""
    found = []
    if (name, 0) in sections:
        charset, pieces = "", []
        for number in range(MOST_PARAMETERS):
            if (name, number) not in sections:
                break
            text, extended = sections[name, number]
            if extended and number == 0 and text.count("'") >= 2:
                charset, _, text = text.split("'", 2)
            raw = text.encode("latin-1")
            pieces.append(unquote_to_bytes(raw) if extended else raw)
        found.append((b"".join(pieces), charset))
    if (name, -1) in sections:
        found.append((sections[name, -1][0].encode("latin-1"), ""))
    return tuple(found)


def _decode_name(raw: bytes, charset: str) -> str:
    name = decode_octets(raw[:MOST_NAME], charset)
    return _ENCODED_WORDS.sub(_decode_word, name).strip()


def _decode_word(match: re.Match[str]) -> str:
    charset, kind, text = match.groups()
    raw = text.encode("utf-8", "replace")
    if kind in "Qq":
        return decode_octets(binascii.a2b_qp(raw, header=True), charset)
    decoder = Base64Decoder()
    return decode_octets(decoder.feed(raw) + decoder.close(), charset)


class Decoder:
    """Decodes a body in pieces; what comes out in all does not depend on how it was cut.

    This one is for 7bit, 8bit and binary (RFC 2045 section 2), which stay as they are.
    """

    def __init__(self) -> None:
        self.damaged = False
        """Whether programs would disagree on what was encoded."""

    def feed(self, data: bytes) -> bytes:
        """Take the next encoded octets and give the decoded ones; a few may be held back."""
        return data

    def close(self) -> bytes:
        """Give what was held back."""
        return b""


class Base64Decoder(Decoder):
    """Base64 (RFC 2045 section 6.8): other characters are skipped, the first padding ends it."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = b""
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """Decode all whole groups of four characters. Characters after the padding make it `damaged`."""
        text = self._rest + data.translate(None, _NOT_BASE64)
        if not self._ended:
            padding = text.find(b"=")
            if padding < 0:
                whole = len(text) & ~3
                self._rest = text[whole:]
                return binascii.a2b_base64(text[:whole])
            self._ended = True
            self._rest, text, encoded = b"", text[padding:], text[:padding]
            self.damaged = bool(text.strip(b"="))
            return _decode_unpadded(encoded)
        self.damaged = self.damaged or bool(text.strip(b"="))
        return b""

    def close(self) -> bytes:
        """Decode a last group that was not padded."""
        return _decode_unpadded(self._rest)


def _decode_unpadded(text: bytes) -> bytes:
    if len(text) % 4 == 1:  # six bits make no octet
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


class QuotedPrintableDecoder(Decoder):
    """Quoted-printable (RFC 2045 section 6.7)."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Decode all but an escape that may go on. `==`, which no encoder writes, makes it `damaged`."""
        text = self._rest + data
        self.damaged = self.damaged or b"==" in text
        cut = text.rfind(b"=", max(0, len(text) - 2))
        if cut < 0:
            cut = len(text)
        self._rest = text[cut:]
        return binascii.a2b_qp(text[:cut])

    def close(self) -> bytes:
        """Decode the escape that did not go on."""
        return binascii.a2b_qp(self._rest)


def make_decoder(encoding: str) -> Decoder | None:
    """Make the decoder of a transfer encoding (lower case); None for one that we do not decode, such as x-uuencode."""
    match encoding:
        case "base64":
            return Base64Decoder()
        case "quoted-printable":
            return QuotedPrintableDecoder()
        case "7bit" | "8bit" | "binary":
            return Decoder()
    return None
