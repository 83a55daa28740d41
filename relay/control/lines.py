"""What goes over the control socket: JSON objects, one a line, each way.

A request is `{"do": NAME, ...}`. The service answers with one or several lines `{"ok": true, ...}`; a last line
`{"ok": false, "error": TEXT}` says that it could not do it. While it works on a long answer it sends `{"alive": true}`
every few seconds. What is longer than a line may be is sent as several `{"part": TEXT}`, followed by the rest.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NAME: Final = "relay.sock"
LONGEST_LINE: Final = 1 << 18
"""Octets of one line, with its end."""
LONGEST_REQUEST: Final = 1 << 21
"""Octets of one request, whole."""
LONGEST_ANSWER: Final = 1 << 25
"""Octets of one answer, whole."""
_PIECE: Final = 1 << 16
"""Characters of a part, which JSON may make six times as long."""

Answer = dict[str, Any]


class Joiner:
    """Reads lines and joins the parts of what was too long for one."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[str] = []
        self._size = 0

    def read(self, line: bytes) -> Answer | None:
        """Return the object that a line completes; None where it is a part. Raises ValueError for anything else."""
        found = self._object(line)
        if isinstance(part := found.get("part"), str):
            self._size += max(len(part), 64)  # an empty one takes memory, too
            if self._size > self._longest:
                raise ValueError("too long")
            self._parts.append(part)
            return None
        if isinstance(rest := found.get("rest"), str):
            found = self._object("".join([*self._parts, rest]))
        self._parts, self._size = [], 0
        return found

    @staticmethod
    def _object(text: bytes | str) -> Answer:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - as json says of what it can't read
        return found


def write(message: Answer) -> Iterator[bytes]:
    """Return the lines of a message, none of which is longer than `LONGEST_LINE`."""
    text = json.dumps(message)
    if len(text) < LONGEST_LINE:
        yield text.encode() + b"\n"
        return
    pieces = [text[n : n + _PIECE] for n in range(0, len(text), _PIECE)]
    for n, piece in enumerate(pieces, 1):
        yield json.dumps({"part" if n < len(pieces) else "rest": piece}).encode() + b"\n"


@contextlib.contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Return the socket's path; a folder too deep for the 108 bytes of an address is reached through a descriptor."""
    path = folder / NAME
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)
