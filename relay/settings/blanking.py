"""Removes the secrets from a configuration; all other bytes stay, including comments and line ends.

Guarantee: the result is proved to mean the same as the original, except for the secrets, or there is no result.
"""

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from relay.rules.url_secrets import blank_url, blank_urls
from relay.settings.errors import Place, name_place

SECRETS: Final = frozenset(
    {
        *("password", "password_hash", "password_command", "client_secret", "client_secret_command"),
        *("secret", "token", "webhook", "heartbeat_url"),
    }
)
"""Keys whose texts are secrets; so are those that end with an underscore and one of these words."""
_ENDINGS: Final = ("_password", "_secret", "_token")
_TOKEN: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>\"\"\"(?:[^"\\]|\\.|"(?!\"\"))*\"{3,5}|'''(?:[^']|'(?!''))*'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<mark>[=,.\[\]{}\n])
    |(?P<bare>[^\s\#"'=,.\[\]{}]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ITEMS: Final = r"""(?>(?:"(?>(?:[^"\\]|\\.)*)"|'[^']*+'|[^\]"']|["'].*+)*)"""
"""What stands in an array up to its end. It takes what it can and gives nothing back, so that it takes no time."""
_NOTE: Final = re.compile(
    r"""((?:password|password_hash|secret|token|webhook|heartbeat_url)(?:_command)?["']?\s*=\s*)"""
    rf"""(?:\"{{3}}.*?(?:\"{{3}}|(?P<text>$))|'{{3}}.*?(?:'{{3}}|(?P<literal>$))"""
    rf"""|(?P<array>\[){_ITEMS}(?P<end>\])?|"(?:[^"\\]|\\.)*"|'[^']*'|["'].*)""",
    re.IGNORECASE,
)
"""A secret that was commented out."""
_ENDS: Final = {
    "text": re.compile('.*?"{3,5}'),
    "literal": re.compile(".*?'{3,5}"),
    "array": re.compile(_ITEMS + r"\]"),
}
"""How one of several lines ends, by its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blanked:
    """A configuration without secrets."""

    content: bytes
    places: tuple[str, ...]
    """Where the secrets were, such as `account[sales].smtp.password`."""


def blank_secrets(content: bytes) -> Blanked:
    """Empty the secrets of a TOML document. Raises ValueError, without any of its content, if that can't be done."""
    try:
        text = content.decode("utf-8")
        document = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
        blanked = _blank(text)
        expected, places = _expect(document)
        is_right = tomllib.loads(blanked.removeprefix("\ufeff").replace("\r\n", "\n")) == expected
    except (ValueError, RecursionError):
        is_right = False
    if not is_right:
        raise ValueError("is not TOML whose secrets can be told from the rest")
    return Blanked(content=blanked.encode(), places=tuple(name_place(document, place) for place in places))


def drop_blanks(value: Any) -> Any:  # noqa: ANN401 - a TOML value
    """Return a document without its empty secrets, so that the rest can be validated."""
    if isinstance(value, dict):
        return {key: drop_blanks(one) for key, one in value.items() if not (is_secret(key) and is_blank(one))}
    return [drop_blanks(one) for one in value] if isinstance(value, list) else value


def is_blank(value: object) -> bool:
    """Return whether the value of a secret's key is what a backup without secrets leaves of it."""
    return value == "" or (isinstance(value, list) and "" in value)


def is_secret(key: str) -> bool:
    """Return whether a key's texts are secrets."""
    return key in SECRETS or key.endswith(_ENDINGS)


def _expect(document: dict[str, Any]) -> tuple[dict[str, Any], list[Place]]:
    """Return the document without its secrets, and where they were."""
    places: list[Place] = []

    def walk(key: str, value: Any, place: Place) -> Any:  # noqa: ANN401 - a TOML value
        if isinstance(value, dict):
            return {name: walk(name, one, (*place, name)) for name, one in value.items()}
        if isinstance(value, list):
            if is_secret(key) and any(isinstance(one, str) and one for one in value):
                places.append(place)
                return ["" if isinstance(one, str) else one for one in value]
            return [walk(key, one, (*place, n)) for n, one in enumerate(value)]
        if not isinstance(value, str) or (blank := _without(key, value)) == value:
            return value
        places.append(place)
        return blank

    return walk("", document, ()), places


def _without(key: str, value: str) -> str:
    return "" if is_secret(key) else blank_url(value)


def _blank(text: str) -> str:
    state, pieces, end = _State(), [], 0
    for token in _TOKEN.finditer(text):
        pieces += [text[end : token.start()], state.take(str(token.lastgroup), token[0])]
        end = token.end()
    return "".join([*pieces, text[end:]])


class _State:
    """Keeps track of whether the next token of a document belongs to a key or to a value."""

    def __init__(self) -> None:
        self._nesting: list[tuple[str, str]] = []
        """The open brackets of a value, each with the key that it belongs to."""
        self._key = ""
        """The key of the value that is being read, or comes next."""
        self._last = ""
        """The last part of a key so far."""
        self._in_value = False
        self._in_header = False
        self._noted = ""
        """The kind of a secret that was commented out, and goes on in the next line."""
        self._ended = False
        """The line has ended."""

    def take(self, kind: str, word: str) -> str:
        """Read one token; return it, or what replaces it if it is a secret."""
        if kind == "comment":
            return self._take_note(word)
        if word != "\n" or self._ended:
            self._noted = ""
        self._ended = True
        if kind == "string" and self._in_value:
            return _empty(self._key, word)
        if kind == "mark":
            self._pass(word)
        elif not self._in_value:
            self._last = _read(word) if kind == "string" else word
        return word

    def _take_note(self, word: str) -> str:
        line = word[1:].removesuffix("\r")
        after = word[1 + len(line) :]
        self._ended = False
        if self._noted:
            end = _ENDS[self._noted].match(line)
            if end is None:
                return "#" + after
            self._noted, line = "", line[end.end() :]

        def blank(found: re.Match[str]) -> str:
            is_array = found["array"] is not None
            is_open = found["end"] is None if is_array else found.lastgroup in ("text", "literal")
            self._noted = ("array" if is_array else str(found.lastgroup)) if is_open else ""
            return found[1] + ('[""]' if is_array else '""')

        return "#" + blank_urls(_NOTE.sub(blank, line)) + after

    def _pass(self, mark: str) -> None:
        if mark == "\n":
            self._in_value = self._in_value and bool(self._nesting)
            self._in_header = False
        elif mark == "=":
            if not self._in_value and not self._in_header:
                self._key, self._in_value = self._last, True
        elif mark in "[{":
            self._open(mark)
        elif mark in "]}" and self._nesting:
            _, self._key = self._nesting.pop()
            self._in_value = True
        elif mark == "," and self._nesting:
            bracket, self._key = self._nesting[-1]
            self._in_value = bracket == "["

    def _open(self, bracket: str) -> None:
        if self._in_value:
            self._nesting.append((bracket, self._key))
            self._in_value = bracket == "["
        else:
            self._in_header = True


def _empty(key: str, word: str) -> str:
    value = _read(word)
    without = _without(key, value)
    if without == value:
        return word
    if not without:
        return '""'
    # The secrets of a URL: no other character of it needs to be written in another way.
    return "'" + without + "'" if "'" not in without and without.isprintable() else '""'


def _read(word: str) -> str:
    value = tomllib.loads(f"v = {word}".replace("\r\n", "\n"))["v"]
    return value if isinstance(value, str) else ""
