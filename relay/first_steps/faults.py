"""Mistakes of a configuration that is to be filled which are its own, and no answer's: they would stay in it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from relay.editing.sections import Section, cut
from relay.settings import ConfigurationError, load_settings

_PLACE: Final = re.compile(r"([A-Za-z0-9_-]+)(?:\[([^\]]*)\])?((?:\.[A-Za-z0-9_-]+)*): ")
_ANSWERED: Final = frozenset({"language", "server", "storage", "archive", "user", "account", "device"})
"""Tables that answers complete, or that may name what answers add: only with them it is known what is wrong there."""

_SOMEBODY: Final = """
[[user]]
name = "somebody"
address = "somebody@example.com"
password_hash = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg"
"""
"""A user such as answers may add: a listener that wants a login is wrong without one."""


def require_sound(path: Path, before: str) -> None:
    """Raise ConfigurationError with the mistakes of a file that no answer mends, each with its line. It is TOML."""
    certain = [
        one for one in _mistakes(path, before + _SOMEBODY) if (kind := _kind(path, one)) and kind not in _ANSWERED
    ]
    if certain:
        raise _explain(path, before, certain, [])


def explain(path: Path, before: str, error: ConfigurationError) -> ConfigurationError:
    """Return an error that says which of its mistakes stood in the file before, and where."""
    known = frozenset(_mistakes(path, before))
    own = [one for one in error.errors if one in known]
    return _explain(path, before, own, [one for one in error.errors if one not in known]) if own else error


def _explain(path: Path, before: str, own: Sequence[str], others: Sequence[str]) -> ConfigurationError:
    lines = [one if (n := _find_line(path, before, one)) is None else f"{one} (line {n})" for one in own]
    advice = f"{path.name}: this stood in {path} before, and `relay init` keeps it: mend it there, then run it again"
    return ConfigurationError([*others, *lines, advice])


def _mistakes(path: Path, before: str) -> tuple[str, ...]:
    try:
        load_settings(path, secrets=False, written=before.encode())
    except ConfigurationError as error:
        return error.errors
    return ()


def _kind(path: Path, error: str) -> str:
    found = _PLACE.match(error.removeprefix(f"{path.name}: "))
    return found[1] if found else ""


def _find_line(path: Path, before: str, error: str) -> int | None:
    """Return the line of a key, or else of its table's header, counted from 1; None where it has none."""
    found = _PLACE.match(error.removeprefix(f"{path.name}: "))
    if found is None:
        return None
    kind, label, *_ = found.groups()
    keys = found[3].split(".")[1:]
    best = None
    for n, section in _sections_of(before.removeprefix("\ufeff").replace("\r\n", "\n"), kind, label):
        inner = list(section.path[1:])
        if inner != keys[: len(inner)]:
            continue
        best = n
        for key in keys[len(inner) : len(inner) + 1]:
            at = (m for m, line in enumerate(section.lines) if re.match(rf"\s*{re.escape(key)}\s*[.=]", line))
            best = n + next(at, 0)
    return best


def _sections_of(text: str, kind: str, label: str | None) -> Iterator[tuple[int, Section]]:
    """Give the sections of a table, each with the line of its header. `label`: its name, or its number from 1."""
    line, count, is_meant = 1, 0, False
    for section in cut(text):
        if section.path == (kind,):
            count += section.listed
            is_meant = label is None or label in (str(count), section.content.get("name"))
        if section.path[:1] == (kind,) and (is_meant or label is None):
            yield line, section
        line += len(section.lines)
