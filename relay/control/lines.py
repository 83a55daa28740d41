"""What goes over the control socket: JSON objects, one a line, each way.

A request is `{"do": NAME, ...}`. The service answers with one or several lines `{"ok": true, ...}`; a last line
`{"ok": false, "error": TEXT}` says that it could not do it. While it works on a long answer it sends `{"alive": true}`
every few seconds; work that may take more than half an hour reports how far it is, by lines with `"is": "Progress"`.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NAME: Final = "relay.sock"
LONGEST_REQUEST: Final = 1 << 21
"""Octets of one request, with the end of its line."""
LONGEST_ANSWER: Final = 1 << 25
"""Octets of one answer, with the end of its line."""

Answer = dict[str, Any]


def read(line: bytes | bytearray) -> Answer:
    """Read the object of a line. Raises ValueError where it is none, and RecursionError."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - as json says of what it can't read
    return found


def write(message: Answer) -> bytes:
    """Write an object as a line."""
    return json.dumps(message).encode() + b"\n"


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
