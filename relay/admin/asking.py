"""Asks the running service by the control socket. Imports nothing that costs time: a command begins with it."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from relay import __version__
from relay.admin.requests import VERSION
from relay.admin.wire import decode, encode
from relay.control.client import PATIENCE, ControlError, follow
from relay.control.lines import Answer
from relay.model.errors import RelayError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    name: str
    json: Any

    def read(self, kind: type[_T]) -> _T:
        """Read the answer as one of a type. Raises RelayError where it is another."""
        if self.name == kind.__name__:
            try:
                return decode(kind, self.json)
            except ValueError as error:  # a WireError, or tuples of another length
                raise RelayError(f"the answer can't be read: {error}") from None
        raise RelayError(f"the answer can't be read: {self.name} in place of {kind.__name__}")

    def part(self, name: str, kind: Any) -> Any:  # noqa: ANN401 - JSON, and what isinstance takes
        """Return a part of the answer as it is printed for programs. Raises RelayError where it is of another type."""
        found = self.json.get(name, self) if isinstance(self.json, dict) else self
        if isinstance(found, kind):
            return found
        raise RelayError(f"the answer can't be read: {name} of {self.name}")


def write_request(request: object) -> Answer:
    """Write a request for the control socket. Root may say on whose behalf he asks."""
    return {
        "name": type(request).__name__,
        "version": VERSION,
        "program": __version__,
        "by": os.environ.get("SUDO_USER", ""),
        "value": encode(request),
    }


def ask_service(folder: Path, request: object, *, patience: float = PATIENCE) -> Generator[Answer, Answer | None, bool]:
    """Ask the running service of a storage folder, and yield its answers; returns whether one runs.

    The first answer has no name. To a `Question`, `{"yes": true}` is sent into the generator. Raises as `follow` does.
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
