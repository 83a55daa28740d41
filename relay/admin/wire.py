"""Requests and answers as JSON, and back, and how a running service is asked by the control socket.

The types of a value's fields say all, nothing is converted by hand. It imports nothing that costs time: a command
begins with it.
"""

import os
import types
from collections.abc import Generator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar, Union, get_args, get_origin

from relay import __version__
from relay.admin.requests import VERSION, Answer, Json, Note, Progress, Question, Told
from relay.control.client import PATIENCE, ControlError, follow
from relay.control.client import Answer as Line
from relay.model.errors import RelayError
from relay.value import REQUIRED, Value

_KINDS: Final[dict[str, type[Answer]]] = {kind.__name__: kind for kind in (Told, Question, Progress, Note)}
_T = TypeVar("_T")
_UNIONS: Final = (Union, types.UnionType)
_LARGEST: Final = 1 << 53
"""Beyond it JSON's numbers are not exact (RFC 8259 section 6), and the database's have an end."""


class WireError(ValueError):
    """JSON that does not fit the type that it is to be read as."""


def encode(value: object) -> Json:
    """Make JSON of a value."""
    if isinstance(value, Value):
        return {name: encode(one) for name, one in vars(value).items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): encode(one) for name, one in value.items()}
    return value


def decode(kind: type[_T], json: Json) -> _T:
    """Read JSON as a value of a type. Raises WireError where it is none."""
    found: _T = _decode(kind, json)
    return found


def _decode(kind: Any, json: Json) -> Any:  # noqa: ANN401, PLR0911 - any type, and a way out for each
    origin = get_origin(kind)
    if origin in _UNIONS:
        others = [one for one in get_args(kind) if one is not type(None)]
        return None if json is None and len(others) < len(get_args(kind)) else _decode(others[0], json)
    if kind is Any:
        return json
    if isinstance(kind, type) and issubclass(kind, Value):
        return _value(kind, json)
    if origin is tuple:
        _require(list, json)
        inner = get_args(kind)
        if inner[-1] is Ellipsis:
            return tuple(_decode(inner[0], one) for one in json)
        if len(inner) != len(json):
            raise WireError(f"{len(json)} values in place of {len(inner)}")
        return tuple(map(_decode, inner, json))
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(json)
        except ValueError as error:
            raise WireError(str(error)) from None
    _require(kind, json)
    return json


def _value(kind: type[Value], json: Json) -> Value:
    _require(dict, json)
    if strange := json.keys() - kind.defaults.keys():
        raise WireError(f"{kind.__name__} has no field {min(strange)}")
    for name, default in kind.defaults.items():
        if name not in json and default is REQUIRED:
            raise WireError(f"{kind.__name__} lacks {name}")
    return kind(**{name: _decode(kind.types[name], value) for name, value in json.items()})


def _require(kind: Any, json: Json) -> None:  # noqa: ANN401 - any type
    if not isinstance(json, kind) or (isinstance(json, bool) and kind is not bool):
        raise WireError(f"{str(json)[:40]!r} is no {getattr(kind, '__name__', kind)}")
    if isinstance(json, int) and not abs(json) <= _LARGEST:
        raise WireError(f"{str(json)[:40]} is beyond the largest number, {_LARGEST}")


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
