"""Addresses by the grammar of RFC 5322 (sections 3.4 and 4.4) and RFC 2047, read by code that the product never sees.

It is the oracle's own: a fault of the product's parser can't hide behind the same fault here.
"""

import base64
import binascii
import functools
import quopri
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import idna

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n]+)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    r"|(?P<literal>\[(?:[^\[\]\\]|\\.)*\])"
    r"|(?P<special>[<>\[\]:;@\\,.])"
    r'|(?P<atom>[^\x00-\x20()<>\[\]:;@\\,."\x7f]+)',
    re.DOTALL,
)
_ENCODED = re.compile(r"=\?([^?*]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_HIDDEN = "\ue000"
"""Stands for what must not be taken for the beginning of an encoded word."""
_SPLIT_ENCODED = re.compile(r"(\?=)\s+(?==\?)")


@dataclass(frozen=True)
class Token:
    """A piece of a field's value."""

    kind: str
    """`atom`, `quoted`, `literal`, `special`, `comment`, or `bad` for what stands in no address."""
    text: str
    """What it says, without quotes and backslashes."""


@dataclass(frozen=True)
class Mailbox:
    """One address of a list."""

    local: str
    domain: str
    """Empty: the address has none."""
    names: frozenset[str] = frozenset()
    """What may be said to be its display name: readings differ for comments and for encoded words in quotes."""

    @property
    def key(self) -> str:
        """What is compared: the local part in lower case and NFC, the domain as IDNA A-labels."""
        return make_key(self.local, self.domain)


def make_key(local: str, domain: str) -> str:
    """Give the form in which addresses are compared."""
    return f"{unicodedata.normalize('NFC', unicodedata.normalize('NFC', local).lower())}@{_domain_key(domain)}"


@functools.cache
def _domain_key(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(unicodedata.normalize("NFC", domain), uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return domain.lower()  # it is none


@functools.cache
def key_of(text: str) -> str:
    """Give the key of one address of the envelope (a route is dropped) or of the configuration."""
    (mailbox,) = read_mailboxes(f"<{text}>")
    return mailbox.key


def read_mailboxes(value: str) -> list[Mailbox]:
    """Read a list of addresses, the members of groups among them; what holds no address is left out."""
    return list(_Reader().read(value))


class _Reader:
    def __init__(self) -> None:
        self._words: list[Token] = []
        self._comments: list[Token] = []
        self._angle: list[Token] | None = None

    def read(self, value: str) -> Iterator[Mailbox]:
        inside = False
        for token in _tokenise(value):
            sign = token.text if token.kind == "special" else ""
            if token.kind == "comment":
                self._comments.append(token)
            elif inside:
                inside = sign != ">"
                self._angle = [*(self._angle or []), *([token] if inside else [])]
            elif sign == "<":
                inside, self._angle = True, []
            elif sign == ":":
                self._forget()  # that was a group's name
            elif sign in (",", ";"):
                yield from self._end()
            else:
                self._words.append(token)
        yield from self._end()

    def _end(self) -> Iterator[Mailbox]:
        spec = _read_spec(self._words if self._angle is None else self._angle)
        if spec is not None:
            comments = [token.text for token in self._comments]
            if self._angle is not None and self._words:
                names = {read_phrase(self._words), read_phrase(self._words, quoted_too=True)}
            else:
                names = {"", *map(decode, comments), decode(" ".join(comments))}
            # Control characters, which only encoded words can smuggle in, are either blanks or nothing.
            names |= {"".join(sign for sign in name if sign >= " ") for name in names}
            yield Mailbox(*spec, names=frozenset(" ".join(name.split()) for name in names))
        self._forget()

    def _forget(self) -> None:
        self._words, self._comments, self._angle = [], [], None


def _tokenise(value: str) -> Iterator[Token]:
    position = 0
    while position < len(value):
        if value[position] == "(":
            end = end_of_comment(value, position)
            yield Token("comment", re.sub(r"\\(.)", r"\1", value[position + 1 : end - 1]))
            position = end
            continue
        found = _TOKEN.match(value, position)
        if found is None:
            # A quoted string without end takes all the rest.
            end = len(value) if value[position] == '"' else position + 1
            yield Token("bad", value[position:end])
            position = end
            continue
        position = found.end()
        kind = str(found.lastgroup)
        if kind == "quoted":
            inner = re.sub(r"\r\n(?=[ \t])", "", found[0][1:-1])
            yield Token(kind, re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL))
        elif kind != "blank":
            yield Token(kind, found[0])


def end_of_comment(value: str, start: int) -> int:
    depth, position = 0, start
    while position < len(value):
        sign = value[position]
        if sign == "\\":
            position += 1
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth == 0:
                return position + 1
        position += 1
    return len(value)


def _read_spec(tokens: Sequence[Token]) -> tuple[str, str] | None:
    """Give local part and domain of an addr-spec, a source route dropped; None where it is none."""
    signs = [token.text if token.kind == "special" else "" for token in tokens]
    if signs[:1] == ["@"] and ":" in signs:
        tokens = tokens[signs.index(":") + 1 :]
        signs = signs[signs.index(":") + 1 :]
    if "@" not in signs:
        local = _dotted(tokens, {"atom", "quoted"})
        return None if local is None else (local, "")
    at = signs.index("@")
    local, domain = _dotted(tokens[:at], {"atom", "quoted"}), _dotted(tokens[at + 1 :], {"atom", "literal"})
    return None if local is None or domain is None else (local, domain)


def _dotted(tokens: Sequence[Token], kinds: set[str]) -> str | None:
    words, dots = tokens[::2], tokens[1::2]
    good = len(words) == len(dots) + 1 and all(word.kind in kinds for word in words)
    if not good or any((dot.kind, dot.text) != ("special", ".") for dot in dots):
        return None
    return ".".join(word.text for word in words)


def read_phrase(words: Sequence[Token], *, quoted_too: bool = False) -> str:
    """Give a display name; encoded words count where RFC 2047 allows them, or in quotes as well."""
    text = ""
    for word in words:
        glued = not text or (word.kind == "special" and word.text == ".")
        hidden = word.kind == "quoted" and not quoted_too
        text += ("" if glued else " ") + (word.text.replace("=?", _HIDDEN) if hidden else word.text)
    return decode(text).replace(_HIDDEN, "=?")


def decode(text: str) -> str:
    """Decode encoded words (RFC 2047), those in a row without the blanks between them."""
    return _ENCODED.sub(_decode_word, _SPLIT_ENCODED.sub(r"\1", text))


def _decode_word(found: re.Match[str]) -> str:
    charset, coding, text = found[1], found[2].lower(), found[3]
    try:
        data = base64.b64decode(text) if coding == "b" else quopri.decodestring(text.replace("_", " ").encode())
        return data.decode(charset)
    except (LookupError, ValueError, binascii.Error):
        return found[0]
