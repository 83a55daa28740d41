"""Tables of a configuration added, changed and removed: text in, text out.

Guarantee: what comes out says exactly what was asked for, and every line that has nothing to do with it is as it was.
Else EditError is raised: the text was written in a way that is not edited here.
"""

import copy
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from relay.editing import EditError
from relay.editing.keys import remove_key, set_key, write_table
from relay.editing.sections import Path, Section, cut, is_blank, is_comment, join

Values: TypeAlias = Mapping[str, object]
"""What a new table holds; a mapping in it is a table below it."""
Changes: TypeAlias = Mapping[Path, object]
"""What becomes of keys, by their path within the table; None removes one, or a whole table below."""

_MARK = "\ufeff"


def list_tables(text: str, kind: str) -> list[dict[str, Any]]:
    """Return what all tables of a kind hold, such as "account", in their order."""
    tables = _load(text).get(kind)
    return [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []


def list_names(text: str, kind: str) -> list[str]:
    """Return the names of all tables of a kind, in their order; without those that have none."""
    return [name for table in list_tables(text, kind) if isinstance(name := table.get("name"), str)]


def read_table(text: str, kind: str, name: str) -> dict[str, Any]:
    """Return what a table holds. Raises EditError where there is none, or more than one."""
    document = _load(text)
    number = _find_number(document, kind, name)
    content: dict[str, Any] = document[kind][number]
    return content


def add_table(text: str, kind: str, values: Values) -> str:
    """Add a table `[[kind]]` behind the last one of its kind. Raises EditError."""
    wanted = copy.deepcopy(_load(text))
    wanted.setdefault(kind, []).append(_plain(values))

    def add(sections: list[Section]) -> list[Section]:
        section, line = _find_place(sections, kind)
        return _insert(sections, section, line, write_table((kind,), values, listed=True), apart=True)

    return _edit(text, add, wanted)


def remove_table(text: str, kind: str, name: str) -> str:
    """Remove a table with all that is in it, and the comment directly above it; above the first one the comment stays.

    Raises EditError where there is no table of this kind and name.
    """
    wanted = copy.deepcopy(_load(text))
    number = _find_number(wanted, kind, name)
    del wanted[kind][number]
    if not wanted[kind]:
        del wanted[kind]

    def remove(sections: list[Section]) -> list[Section]:
        entry = _entry(sections, kind, number)
        for n, index in enumerate(reversed(entry)):
            sections = _cut_out(sections, index, note=number > 0 and n == len(entry) - 1)
        return sections

    return _edit(text, remove, wanted)


def change_table(text: str, kind: str, name: str, changes: Changes) -> str:
    """Change keys of the table of this kind and name; a key that has the value already is left alone.

    Raises EditError where there is no such table, or a key that is to be removed is not there.
    """
    number = _find_number(_load(text), kind, name)
    for path, value in changes.items():
        text = _change(text, kind, number, path, value)
    return text


def _change(text: str, kind: str, number: int, path: Path, value: object) -> str:
    """Change one key of the table that is the `number`th of its kind."""
    wanted = copy.deepcopy(_load(text))
    table = wanted[kind][number]
    *outer, key = path
    for name in outer:
        table = table.get(name) if value is None else table.setdefault(name, {})
        if not isinstance(table, dict):
            raise EditError(f"{'.'.join((kind, *path))}: it is not there")
    if value is None and key not in table:
        raise EditError(f"{'.'.join((kind, *path))}: it is not there")
    if value is not None and type(table.get(key)) is type(value) and table[key] == value:
        return text
    table.pop(key) if value is None else table.update({key: _plain(value)})

    def change(sections: list[Section]) -> list[Section]:
        return _change_sections(sections, _entry(sections, kind, number), (kind, *path), value)

    return _edit(text, change, wanted)


def _change_sections(sections: list[Section], mine: list[int], full: Path, value: object) -> list[Section]:
    """Change a key, by its path from the top; `mine`: the positions of its table's section and of those below."""
    if value is None and (whole := [n for n in mine if sections[n].path[: len(full)] == full]):
        for index in reversed(whole):
            sections = _cut_out(sections, index, note=False)
        return sections
    # The section that has the longest part of the way to the key.
    near = [n for n in mine if sections[n].path == full[: len(sections[n].path)] and len(sections[n].path) < len(full)]
    best = max(near, key=lambda n: len(sections[n].path), default=None)
    if best is not None:
        found = sections[best]
        rest = full[len(found.path) :]
        if len(rest) == 1 or rest[0] in found.content:
            head, core = int(bool(found.path)), found.core
            body = found.lines[head:core]
            edited = remove_key(body, rest) if value is None else set_key(body, rest, value)
            return _with_lines(sections, best, [*found.lines[:head], *edited, *found.lines[core:]])
    lines = write_table(full[:-1], {full[-1]: value}, listed=False)
    return _insert(sections, mine[-1], sections[mine[-1]].end, lines, apart=False)


def _entry(sections: Sequence[Section], kind: str, number: int) -> list[int]:
    """Return the positions of the sections of one table of a list. Raises EditError where it has no header."""
    count = -1
    found = []
    for n, section in enumerate(sections):
        if section.path[:1] != (kind,):
            continue
        count += section.listed and section.path == (kind,)
        if count == number:
            found.append(n)
    if not found:
        raise EditError(f"{kind}: each must have a header [[{kind}]] to be edited by a command: change it in the file")
    return found


def _find_place(sections: Sequence[Section], kind: str) -> tuple[int, int]:
    """Return the section and the line in it before which a new table of a list is to stand."""
    mine = [n for n, section in enumerate(sections) if section.path[:1] == (kind,)]
    if mine:
        return mine[-1], sections[mine[-1]].end
    for n, section in enumerate(sections):
        for end in _paragraph_ends(section):
            start = end - 1
            while start > section.core and is_comment(section.lines[start - 1]):
                start -= 1
            if any(f"[[{kind}]]" in line for line in section.lines[start:end]):
                return n, end
    return len(sections) - 1, _content_end(sections[-1])


def _paragraph_ends(section: Section) -> Iterator[int]:
    """Give where comments behind the last key end, before a blank line."""
    for n in range(max(section.core, 1), len(section.lines)):
        if is_blank(section.lines[n]) and is_comment(section.lines[n - 1]):
            yield n


def _content_end(section: Section) -> int:
    end = len(section.lines)
    while end and is_blank(section.lines[end - 1]):
        end -= 1
    return end


def _insert(sections: list[Section], index: int, line: int, lines: list[str], *, apart: bool) -> list[Section]:
    before = sections[index].lines[:line]
    blank = [""] if apart and (before or index) else []
    return _with_lines(sections, index, [*before, *blank, *lines, *sections[index].lines[line:]])


def _cut_out(sections: list[Section], index: int, *, note: bool) -> list[Section]:
    """Remove a section's own lines and the blank lines above it; `note`: also the comment directly above its header."""
    before, section = sections[index - 1], sections[index]
    above = list(before.lines)
    if note:
        while len(above) > before.core and is_comment(above[-1]):
            above.pop()
    kept = section.lines[section.end :]
    while len(above) > before.core and is_blank(above[-1]):
        above.pop()
    # What is left behind it is no section: its lines follow those of the one before.
    return [*_with_lines(sections, index - 1, [*above, *kept])[:index], *sections[index + 1 :]]


def _with_lines(sections: list[Section], index: int, lines: Sequence[str]) -> list[Section]:
    return [*sections[:index], replace(sections[index], lines=lines), *sections[index + 1 :]]


def _edit(text: str, change: Callable[[list[Section]], list[Section]], wanted: dict[str, Any]) -> str:
    """Edit a text whatever its line ends are, and prove that it says what is wanted."""
    mark = text.startswith(_MARK)
    plain = text.removeprefix(_MARK)
    windows = "\r\n" in plain and plain.count("\r\n") == plain.count("\n")
    edited = join(change(cut(plain.replace("\r\n", "\n") if windows else plain)))
    if windows:
        edited = edited.replace("\n", "\r\n")
    try:
        same = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise EditError("the file is written in a way that no command can edit: change it by hand")
    return _MARK * mark + edited


def _load(text: str) -> dict[str, Any]:
    return tomllib.loads(text.removeprefix(_MARK))


def _plain(value: object) -> Any:  # noqa: ANN401 - a value of TOML
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _find_number(document: Mapping[str, Any], kind: str, name: str) -> int:
    tables = document.get(kind)
    names = [one.get("name") for one in tables if isinstance(one, dict)] if isinstance(tables, list) else []
    if names.count(name) != 1:
        if name in names:
            raise EditError(f"there are {names.count(name)} of the name {name!r}: change it in the file")
        raise EditError(_unknown(kind, name, [one for one in names if isinstance(one, str)]))
    return names.index(name)


def _unknown(kind: str, name: str, names: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 - for a mistake alone

    near = difflib.get_close_matches(name[:80], names, n=1, cutoff=0.6)
    if near:
        return f"there is no {kind} {name[:80]!r}; did you mean {near[0]!r}?"
    return f"there is no {kind} {name[:80]!r}; there are: {', '.join(names[:20]) or 'none'}"
