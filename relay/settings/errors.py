"""Writes errors as `relay.toml: account[sales].smtp.port: 99999: must be 1 to 65535`, without any secret."""

import datetime as dt
import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from relay.model.errors import RelayError

Place: TypeAlias = tuple[str | int, ...]
"""The keys and (from 0) positions that lead to a value of the document."""

SECRET_KEYS = frozenset(
    {"password", "password_hash", "password_command", "client_secret", "client_secret_command", "database"}
)
"""Keys whose values, with everything in them, are never shown; a database's URL may hold a password."""

PLACEHOLDER = "change-me"
"""The password of the example configuration, which is no secret."""

MOST = 1000
"""Lines that are written for one configuration at most."""
_MOST_SHOWN = 200
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MISLEADING = re.compile(r"|\s.*|.*\s|[-+]?[0-9][0-9._]*|true|false", re.DOTALL)
"""Texts that without quotes would be invisible, or look like another type."""
_NOWHERE = object()


class ConfigurationError(RelayError):
    """The configuration can't be used. `errors` has a whole line for each error, without secrets."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, or doubtful, at a place of the document."""

    place: Place
    reason: str
    """Without the value, which is shown in front of it unless it may be a secret."""
    discreet: bool = False
    """True: the value is not shown, since it may be a secret in the wrong place."""
    warning: bool = False
    """True: it is valid, but probably not what was meant."""


def warn(place: Place, reason: str) -> Finding:
    """Return the finding of something that is valid, but probably not what was meant."""
    return Finding(place, reason, warning=True)


def write_findings(name: str, document: Mapping[str, object], findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return a line for each finding, `MOST` at most, in the order of the document. `name`: of the file."""
    index = _Index()
    ordered = sorted(findings, key=lambda finding: _position(document, finding.place, index))
    lines = tuple(dict.fromkeys(_write(name, document, finding, index) for finding in ordered[:MOST]))
    return lines if len(ordered) <= MOST else (*lines, write_line(name, f"and {len(ordered) - MOST} more of the kind"))


class _Index:
    """Caches, for one document that does not change, the positions of keys and how often names occur in lists."""

    def __init__(self) -> None:
        self._keys: dict[int, dict[str, int]] = {}
        self._names: dict[int, Counter[str]] = {}

    def position(self, table: Mapping[str, object], key: str) -> int:
        """Return a key's position in its table; missing keys come last."""
        if (keys := self._keys.get(id(table))) is None:
            keys = self._keys[id(table)] = {name: n for n, name in enumerate(table)}
        return keys.get(key, len(keys))

    def is_unique(self, tables: list[object], name: str) -> bool:
        """Return whether only one table of a list has this name."""
        if (names := self._names.get(id(tables))) is None:
            found = (table.get("name") for table in tables if isinstance(table, dict))
            names = self._names[id(tables)] = Counter(name for name in found if isinstance(name, str))
        return names[name] == 1


def write_line(name: str, *parts: str) -> str:
    """Join the parts of a line; control characters and invisible ones are escaped."""
    text = ": ".join((name, *parts))
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def name_place(document: Mapping[str, object], place: Place, index: "_Index | None" = None) -> str:
    """Return a place as `account[sales].smtp.port`; a table of a list without a unique name is counted from 1."""
    text, index = "", index or _Index()
    for value, key in _walk(document, place):
        if isinstance(key, int):
            text += f"[{_label(value, key, index)}]"
        else:
            bare = key if _BARE_KEY.fullmatch(key) else json.dumps(_cut(key), ensure_ascii=False)
            text += f".{bare}" if text else bare
    return text


def _write(name: str, document: Mapping[str, object], finding: Finding, index: _Index) -> str:
    value = functools.reduce(_enter, finding.place, cast("object", document))
    parts = [part for part in (name_place(document, finding.place, index),) if part]
    reason = finding.reason
    shown = SECRET_KEYS.isdisjoint(finding.place) and not finding.discreet
    if shown and isinstance(value, str | int | float | dt.date | dt.time):
        parts.append(_show(value))
        reason = reason.removeprefix(f"{value!r}: ") if isinstance(value, str) else reason
    return write_line(name, *parts, reason)


def _show(value: str | float | dt.date | dt.time) -> str:
    if isinstance(value, str):
        shown = _cut(value)
        return json.dumps(shown, ensure_ascii=False) if _MISLEADING.fullmatch(shown) else shown
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a very large number"
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def _label(tables: object, number: int, index: _Index) -> str:
    """Return a table's name if it is unique in its list, else its position from 1."""
    table = _enter(tables, number) if isinstance(tables, list) else None
    name = table.get("name") if isinstance(table, dict) else None
    if isinstance(tables, list) and isinstance(name, str) and name and index.is_unique(tables, name):
        return _cut(name)
    return str(number + 1)


def _walk(document: Mapping[str, object], place: Place) -> Iterator[tuple[object, str | int]]:
    """Give each key of a place behind the value that it is looked up in."""
    value: object = document
    for key in place:
        yield value, key
        value = _enter(value, key)


def _enter(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(key, _NOWHERE)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _NOWHERE


def _position(document: Mapping[str, object], place: Place, index: _Index) -> tuple[int, ...]:
    """Return the sort key of a place: its position in the file; missing keys come last."""
    return tuple(
        key if isinstance(key, int) else index.position(value, key) if isinstance(value, Mapping) else 0
        for value, key in _walk(document, place)
    )
