"""Asks the running service by the control socket. Imports nothing that costs time: a command begins with it."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

from relay import __version__
from relay.admin.requests import VERSION, Answer, Note, Progress, Question, Told
from relay.admin.wire import WireError, decode, encode
from relay.control.client import PATIENCE, ControlError, follow
from relay.control.lines import Answer as Line
from relay.model.errors import RelayError

_KINDS: Final[dict[str, type[Answer]]] = {kind.__name__: kind for kind in (Told, Question, Progress, Note)}


def read_answer(line: Line) -> Answer | None:
    """Read one answer; None where it only says that the request was taken. Raises RelayError where it is none."""
    name = line.get("is")
    if name == "":
        return None
    try:
        return decode(_KINDS[str(name)], line.get("value"))
    except (KeyError, WireError) as error:
        raise RelayError(f"the answer can't be read: {error}") from None


def write_request(request: object) -> Line:
    """Write a request for the control socket. Root may say on whose behalf he asks."""
    return {
        "name": type(request).__name__,
        "version": VERSION,
        "program": __version__,
        "by": os.environ.get("SUDO_USER", ""),
        "value": encode(request),
    }


def ask_service(folder: Path, request: object, *, patience: float = PATIENCE) -> Generator[Line, Line | None, bool]:
    """Ask the running service of a storage folder, and yield its answers; returns whether one runs.

    `read_answer` reads them. To a `Question`, `{"yes": true}` is sent into the generator. Raises as `follow` does.
    """
    try:
        return (yield from follow(folder, "ask", patience=patience, **write_request(request)))
    except ControlError as error:
        if str(error) == "unknown request":
            raise ControlError(
                "the running service is of another release than this command: restart it"
                " (`systemctl restart relay`), then try again"
            ) from None
        raise
