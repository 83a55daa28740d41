"""The keys of one table, edited by tomlkit: blanks, quotes, and the comment behind a value stay."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relay.editing import EditError
from relay.editing.sections import Path

if TYPE_CHECKING:
    from tomlkit.items import Item


def set_key(lines: Sequence[str], path: Path, value: object) -> list[str]:
    """Set a key in the lines of a table (without its header); a new one comes last. `path`: through inline tables.

    Raises EditError where what leads there is no table.
    """
    return _edit(lines, path, value)


def remove_key(lines: Sequence[str], path: Path) -> list[str]:
    """Remove a key, with the comment behind its value. Raises EditError where it is not there."""
    return _edit(lines, path, None)


def write_table(header: Path, values: Mapping[str, object], *, listed: bool) -> list[str]:
    """Write a new table: its header, its keys, and the tables in it, each below a header of its own."""
    import tomlkit  # noqa: PLC0415 - few commands edit anything

    name = ".".join(tomlkit.key(part).as_string() for part in header)
    lines = [f"[[{name}]]" if listed else f"[{name}]"]
    for key, value in values.items():
        if not isinstance(value, Mapping):
            lines += set_key([], (key,), value)
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += write_table((*header, key), value, listed=False)
    return lines


def _edit(lines: Sequence[str], path: Path, value: object) -> list[str]:
    import tomlkit  # noqa: PLC0415 - see above
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - see above

    try:
        document = tomlkit.parse("\n".join((*lines, "")))
        *outer, key = path
        table: Any = document
        for name in outer:
            table = table[name]
        if value is None:
            del table[key]
        elif key in table:
            table[key] = _write_alike(table[key], value)
        else:
            item = tomlkit.item(value)
            item.trivia.indent = _indent(lines)
            table[key] = item
        return tomlkit.dumps(document).split("\n")[:-1]
    except (TOMLKitError, KeyError, TypeError, AttributeError):
        reason = "can't be edited by a command as it is written here: change it in the file"
    raise EditError(f"{'.'.join(path)}: {reason}")


def _write_alike(old: object, value: object) -> "Item":
    """Write a value as the old one was written: with the same quotes."""
    import tomlkit  # noqa: PLC0415 - see above

    before = old.as_string() if isinstance(value, str) and isinstance(old, str) else ""  # type: ignore[attr-defined]
    if isinstance(value, str) and before.startswith("'") and "'" not in value and value.isprintable():
        return tomlkit.string(value, literal=True)
    return tomlkit.item(value)


def _indent(lines: Sequence[str]) -> str:
    last = lines[-1] if lines else ""
    return last[: len(last) - len(last.lstrip(" \t"))] if "=" in last else ""
