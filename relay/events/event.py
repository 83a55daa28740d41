"""What all events have in common: a name, a level, and fields that are said once, where the event is defined."""

import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Literal

Level = Literal["debug", "info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, as it is logged, counted and shown.

    The log's name of an event is made of its class's: MessageAccepted is `message_accepted`. A class derived from an
    event keeps that event's name and says it at another level; a class whose name begins with `_` is no event.
    A field with a default is absent from the log while it holds its default.
    """

    name: ClassVar[str] = ""
    level: ClassVar[Level] = "info"

    def __init_subclass__(cls, *, level: Level | None = None) -> None:
        # This runs twice for a class: @dataclass(slots=True) makes it anew, with what was set here the first time.
        if not cls.name and not cls.__name__.startswith("_"):
            cls.name = re.sub(r"(?<=.)([A-Z])", r"_\1", cls.__name__).lower()
        if level is not None:
            cls.level = level

    def fields(self) -> dict[str, Any]:
        """Return the fields that are said of this event, in their order."""
        of_kind = _fields(type(self))  # type: ignore[arg-type] # a class is hashable, whatever mypy says
        return {name: value for name, default in of_kind if (value := getattr(self, name)) is not default}


@cache
def _fields(kind: type[Event]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in fields(kind))
