"""A configuration cut at its headers: each section has its lines, and together they are the whole text.

Where a header is, tomllib says: a section is TOML by itself, and what ends within a text or a list is none.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What one header begins: `[[account]]` is of the path `account`, `[account.smtp]` of `account`, `smtp`."""

    path: Path
    """Empty for what stands before the first header."""
    listed: bool
    """Whether it is `[[...]]`: one table more of a list."""
    lines: Sequence[str]
    """Without their line ends. The first one is the header, but not at the top of the file."""

    @property
    def content(self) -> dict[str, Any]:
        """What stands in it, below its header."""
        return _load(self.lines[bool(self.path) :])

    @property
    def core(self) -> int:
        """How many of its lines reach to its last key, or to its header: behind them are blank lines and comments."""
        return len(self.lines) - _count_notes(self.lines, self.lines[0] if self.path else "")

    @property
    def end(self) -> int:
        """How many of its lines are its own: comments directly behind its last key, unless the next header has them."""
        core = self.core
        end = core
        while end < len(self.lines) and is_comment(self.lines[end]):
            end += 1
        return end if end < len(self.lines) else core


def cut(text: str) -> list[Section]:
    """Cut a text that is TOML at its headers. The first section is the top of the file, perhaps without a line.

    Lines end with LF. `join` gives the same text back.
    """
    lines = text.split("\n")
    sections: list[Section] = []
    path: Path = ()
    listed, start = False, 0
    for n, line in enumerate(lines):
        if line.lstrip(" \t").startswith("[") and _is_toml(lines[start:n]):
            sections.append(Section(path, listed, lines[start:n]))
            path, listed = _read_header(line)
            start = n
    sections.append(Section(path, listed, lines[start:]))
    return sections


def join(sections: Iterable[Section]) -> str:
    """Return the text of sections."""
    return "\n".join(line for section in sections for line in section.lines)


def is_comment(line: str) -> bool:
    """Return whether a line has a comment and nothing else."""
    return line.lstrip(" \t").startswith("#")


def is_blank(line: str) -> bool:
    """Return whether a line has nothing on it."""
    return not line.strip(" \t\r")


def _count_notes(lines: Sequence[str], header: str) -> int:
    """Count the blank lines and comments at the end."""
    count = 0
    while count < len(lines) - bool(header) and (is_blank(lines[-1 - count]) or is_comment(lines[-1 - count])):
        count += 1
    # The last lines of a long text may look like notes: without them it has no end.
    while count and not _is_toml(lines[: len(lines) - count]):
        count -= 1
    return count


def _load(lines: Sequence[str]) -> dict[str, Any]:
    return tomllib.loads("\n".join((*lines, "")))


def _is_toml(lines: Sequence[str]) -> bool:
    try:
        _load(lines)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _read_header(line: str) -> tuple[Path, bool]:
    path: list[str] = []
    value: Any = _load([line])
    listed = False
    while value:
        ((key, value),) = value.items()
        path.append(key)
        listed = isinstance(value, list)
        value = value[0] if isinstance(value, list) else value
    return tuple(path), listed
