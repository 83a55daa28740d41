"""Text of strangers, made fit for a terminal or a log: what would be obeyed or hidden is shown as an escape."""

import re

_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def escape_invisible(text: str, *, keep_lines: bool = False) -> str:
    """Escape control, bidirectional and zero-width characters, and lone surrogates; `keep_lines` spares the LF."""
    if text.isascii() and text.isprintable():
        return text
    return _HARMFUL.sub(lambda m: "\n" if keep_lines and m[0] == "\n" else f"\\u{ord(m[0]):04x}", text)


def printable(text: str) -> str:
    """Give a text as one line for people: nothing in it can begin another line, move the cursor or hide itself."""
    return escape_invisible(text)
