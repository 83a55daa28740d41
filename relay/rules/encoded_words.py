"""Encoded words in header fields, such as `=?utf-8?q?B=C3=BCro?=` (RFC 2047)."""

import base64
import binascii
import re
from typing import Final

from relay.rules.charsets import find_codec

CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Characters that no decoded text keeps."""
ENCODED_WORD: Final = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?\s]*)\?=")
"""Charset, encoding and content; a language (RFC 2231) is passed over."""
_BETWEEN: Final = re.compile(r"(=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)[ \t\r\n]+(?==\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)")
_ENCODED_OCTETS: Final = 45


def decode_words(text: str) -> str:
    """Decode encoded words (RFC 2047) anywhere in a text; the result has no control characters and single spaces."""
    if "=?" in text:
        text = ENCODED_WORD.sub(_decode_word, _BETWEEN.sub(r"\1", text))
    return " ".join(CONTROL.sub(" ", text).split())


def _decode_word(match: re.Match[str]) -> str:
    word = decode_word(match[1], match[2], match[3])
    return match[0] if word is None else word


def decode_word(charset: str, encoding: str, content: str) -> str | None:
    """Decode what stands in an encoded word (`b` or `q`); None where the charset is none of mail, or it is broken."""
    codec = find_codec(charset)
    if codec is None:
        return None
    try:
        if encoding in "bB":
            raw = base64.b64decode(content + "=" * (-len(content) % 4))
        else:
            raw = binascii.a2b_qp(content.replace("_", "=20").encode("latin-1", "replace"))
        return raw.decode(codec, "replace")
    except ValueError:
        return None


def encode_words(text: str, most: int = _ENCODED_OCTETS) -> list[bytes]:
    """Encode a text as encoded words in UTF-8 and base64, each of at most `most` octets before it is encoded.

    By default a word has at most 75 characters (RFC 2047 section 2).
    """
    words, part = [], b""
    for char in text:
        octets = char.encode()
        if len(part) + len(octets) > most:
            words.append(part)
            part = b""
        part += octets
    words.append(part)
    return [b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in words]
