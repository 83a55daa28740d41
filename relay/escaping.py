"""Text of strangers, made fit for a terminal or a log: what would be obeyed or hidden is shown as an escape."""

import re

HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Line ends, other controls, what turns or hides the text around it, and lone surrogates: one character each."""


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Escape control, bidirectional and zero-width characters, and lone surrogates; `keep_lines` spares the LF.

    Without it the text is one line: nothing in it can begin another one, move the cursor or hide itself.
    """
    if text.isascii() and text.isprintable():
        return text
    return HARMFUL.sub(lambda m: "\n" if keep_lines and m[0] == "\n" else _escape(ord(m[0])), text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
