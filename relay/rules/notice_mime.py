"""The bytes of a notice: header fields, text and parts into which nothing foreign can break (RFC 5322, 2045 to 2047).

Whatever comes from a provider, a client or a mail passes `plain` first: one line, no control characters, bounded.
"""

import binascii
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable

from relay.model.address import Address
from relay.rules.charsets import encode_words
from relay.rules.headers import split_fields

TEXT_FIELDS = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
"""Of a text as `encode_text` writes it."""
_LINE_WIDTH = 76
_WORD_OCTETS = 39
"""Octets in one encoded word: with `Subject: ` before it the line stays within 76 characters (RFC 2047 section 2)."""
_FIELD_OCTETS = 800
"""So much of a foreign text goes into a field: its line stays below the 998 of RFC 5322, whether it folds or not."""
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,255}|\[[A-Za-z0-9.:-]{1,60}\]")
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*+(?:\r\n[ \t]++)?(<[!-;=?A-~]{1,120}@[!-;=?A-~]{1,120}>)[ \t]*+\r?$")


def plain(text: str, octets: int = _FIELD_OCTETS) -> str:
    """Make a foreign text one harmless line of at most so many octets of UTF-8.

    Control characters and line ends become spaces, invisible formatting (such as bidirectional overrides) goes away.
    """
    kept = []
    for character in text[:octets]:
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif category == "Cs":
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif category != "Cf":
            kept.append(character)
    return _clip(" ".join("".join(kept).split()), octets)


def ascii_only(text: str) -> str:
    r"""Write every character outside of ASCII as `\x{FC}`, in the notation of RFC 6533 section 3."""
    return "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in text)


def safe_domain(domain: str) -> str:
    """Return a domain, or address literal, that can stand in any field; `localhost` for one that can not."""
    return domain if _DOMAIN.fullmatch(domain) else "localhost"


def make_field(name: str, value: str) -> bytes:
    """Write a field whose value is tokens and comments, folded at spaces, with its CRLF."""
    lines, line = [], f"{name}:"
    for word in _clip(value, _FIELD_OCTETS).split():
        if len(line) + 1 + len(word) > _LINE_WIDTH and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]).encode() + b"\r\n"


def make_subject(text: str) -> bytes:
    """Write a Subject, with encoded words where it needs them (RFC 2047)."""
    text = plain(text)
    if text.isascii() and "=?" not in text:
        return make_field("Subject", text)
    return b"Subject: " + b"\r\n ".join(encode_words(text, _WORD_OCTETS)) + b"\r\n"


def make_mailbox(name: str, display: str, address: Address) -> bytes:
    """Write a From or To with one mailbox. A non-ASCII local part stays UTF-8 (RFC 6532)."""
    display = plain(display, 200) or "?"
    if not display.isascii() or "=?" in display:
        display = b"\r\n ".join(encode_words(display, _WORD_OCTETS)).decode()
    elif not _ATOMS.fullmatch(display):
        display = '"' + re.sub(r'(["\\])', r"\\\1", display) + '"'
    mailbox = f"<{plain(address.wire)}>"
    gap = "\r\n " if len(f"{name}: {display} {mailbox}") > _LINE_WIDTH else " "
    return f"{name}: {display}{gap}{mailbox}\r\n".encode()


def replace_field(header: bytes, line: bytes) -> bytes:
    """Put a field in place of that of its name in the header of a notice of ours; the rest keeps its bytes."""
    key = line.partition(b":")[0].decode("ascii").lower()
    return b"".join(line if field.key == key else field.raw for field in split_fields(header))


def encode_text(text: str) -> bytes:
    """Encode lines of text as quoted-printable UTF-8, with CRLF and at most 76 characters a line."""
    return binascii.b2a_qp(text.encode(), istext=True).replace(b"\n", b"\r\n")


def find_message_id(header: bytes) -> str | None:
    """Return the Message-ID of a header with its angle brackets, if it is one that may be repeated."""
    match = _MESSAGE_ID.search(header)
    return match[1].decode("ascii") if match else None


def make_boundary(seed: str, contents: Iterable[bytes]) -> str:
    """Derive a boundary from a seed that stands in none of the contents. `=_` never stands in quoted-printable."""
    contents = tuple(contents)
    digests = (hashlib.sha256(f"{seed} {n}".encode("utf-8", "replace")).hexdigest() for n in itertools.count())
    boundaries = (f"=_{digest[:32]}" for digest in digests)
    return next(one for one in boundaries if not any(one.encode() in content for content in contents))


def join_parts(boundary: str, parts: Iterable[bytes]) -> bytes:
    """Put parts, each with its header and blank line, together as the body of a multipart (RFC 2046 section 5.1)."""
    delimiter = f"--{boundary}".encode()
    return b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"


def _clip(text: str, octets: int) -> str:
    return text.encode("utf-8", "replace")[:octets].decode("utf-8", "ignore")
