"""Explains what is wrong with a file that is not TOML, for people who have never heard of TOML.

The wrong line is described, and never quoted beyond its key, since it may hold a password.
"""

import re

_WHERE = re.compile(r" \(at line ([0-9]{1,9}), column ([0-9]{1,9})\)$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]{1,60})\s*=")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([A-Za-z0-9_.-]{1,60})\s*\]{0,2}")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_WRONG_QUOTES = "\u201e\u201c\u201d\u201f\u201a\u2018\u2019\u201b\u00ab\u00bb\u2039\u203a\u00b4`"
_WRONG_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000\ufeff"
_EXAMPLE = 'name = "anna"'
LISTED = frozenset({"account", "device", "listener", "user"})
"""The tables of which there may be several."""


def explain_fault(text: str, fault: str) -> str:
    """Explain an error of `tomllib`: the line, the cause, and how to write it."""
    found = _WHERE.search(fault)
    lines = text.split("\n")
    # Without a number it is the first line that seems to begin a quoted text without an end.
    odd = (n for n, line in enumerate(lines, 1) if "'" in (rest := bare_text(line)) or '"' in rest)
    number = int(found[1]) if found else next(odd, len(lines))
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    kind = fault[: found.start()] if found else fault.removesuffix(" (at end of document)")
    column = int(found[2]) if found else 0
    return f"line {number}: {_explain_signs(line) or _explain(kind, line, column, text)}"


def bare_text(line: str) -> str:
    """Return a line without its complete quoted texts and its comment."""
    return _QUOTED.sub("", line).partition("#")[0]


def _explain_signs(line: str) -> str:
    """Name characters that only look like quotes or spaces, as word processors and web pages write them."""
    rest = bare_text(line)
    quotes = "".join(dict.fromkeys(sign for sign in rest if sign in _WRONG_QUOTES))
    if quotes:
        shown = " and ".join(quotes)
        are = "are no quotes" if len(quotes) > 1 else "is no quote"
        return f'{shown} {are} here: write the plain " before and behind the text ({_example(line)})'
    if any(sign in _WRONG_SPACES for sign in rest):
        return "holds a blank of a web page or a word processor that is none here: type the blanks of this line anew"
    return ""


def _explain(kind: str, line: str, column: int, text: str) -> str:
    key = _key(line)
    header = _HEADER.match(line)
    if header is not None and kind.startswith(("Cannot", "Expected ']'", "Expected ']]'")):
        return _explain_header(header[1], header[2], kind, text)
    if kind == "Invalid value":
        return _explain_value(line, column)
    if kind.startswith("Expected newline"):
        return _explain_rest(line, column)
    word = re.match(r"\s*([A-Za-z0-9_-]{1,60})", line)
    endless = f"a text in quotes has no end: the quote behind it is missing ({_example(line)})"
    backslash = f"a \\ within \" \" must be written \\\\, or put the text between ' ' ({key or 'folder'} = 'C:\\mail')"
    known = {
        "Cannot overwrite": f"{key or 'this key'} is there a second time in the same table: keep one of the two",
        "Expected '='": f"between a key and its value must stand = ({word[1] if word else 'name'} = ...)",
        "Illegal character": endless,
        "Unterminated": endless,
        'Expected "': endless,
        "Expected '": endless,
        "Unescaped": backslash,
        "Invalid hex value": backslash,
        "Unclosed array": 'a list that begins here or before has no end: a "]" is missing, or a comma (["...", "..."])',
        "Invalid statement": "begins with a sign that no line can begin with; a comment begins with #, a key looks so: "
        + _EXAMPLE,
    }
    return next((said for sign, said in known.items() if kind.startswith(sign)), f"this is not TOML: {kind}")


def _explain_header(brackets: str, name: str, kind: str, text: str) -> str:
    if kind.startswith("Expected"):
        return f"a header must be closed as it is opened: {brackets}{name}{']' * len(brackets)}"
    listed, single = (
        re.search(rf"(?m)^\s*{opened}\s*{re.escape(name)}\s*\]", text) for opened in (r"\[\[", r"\[(?!\[)")
    )
    if listed and single:
        return f"{name} is written once [{name}] and once [[{name}]]: each of them must be [[{name}]]"
    outer = name.partition(".")[0]
    if outer != name:
        return (
            f"[{name}] is there a second time for the same {outer}: the line [[{outer}]], which begins another one, is"
            " missing before it, or both belong together"
        )
    if name in LISTED:
        return f"[{name}] is there a second time: there may be several of them, and each must be [[{name}]]"
    return f"[{name}] is there a second time: put its lines below the first one"


def _explain_value(line: str, column: int) -> str:
    value = line[column - 1 :].strip()
    key = _key(line) or "key"
    if not value or value.startswith("#"):
        return f'behind {key} = stands no value (a text: {key} = "...", or a number, true or false)'
    if value.partition("#")[0].strip().lower() in ("yes", "no", "on", "off", "true", "false", "ja", "nein"):
        return f"{key} = true or {key} = false, in lower case and without quotes"
    return f'a text must stand in quotes: {key} = "..."'


def _explain_rest(line: str, column: int) -> str:
    rest = line[column - 1 :].strip()
    key = _key(line) or "key"
    if rest[:1] in (",", ";"):
        return f'no "{rest[0]}" stands at the end of a line: take it away'
    value = line[line.find("=") + 1 : column - 1].strip()
    if value[:1] not in ('"', "'", "[", "{"):
        return f'more than a number stands there, and must be in quotes: {key} = "..."'
    return "something stands behind the value: each key begins a line of its own, and a comment begins with #"


def _key(line: str) -> str:
    found = _KEY.match(line)
    return found[1] if found else ""


def _example(line: str) -> str:
    key = _key(line)
    return f'{key} = "..."' if key else _EXAMPLE
