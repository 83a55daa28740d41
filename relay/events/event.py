"""What all events have in common: a name, a level, and fields that are said once, where the event is defined."""

import re
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, ClassVar, Literal, dataclass_transform

Level = Literal["debug", "info", "warning", "error", "critical"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, as it is logged, counted and shown. Each class derived from it is a frozen dataclass.

    The log's name of an event is made of its class's: MessageAccepted is `message_accepted`. A class derived from an
    event keeps that event's name and says it at another level; a class whose name begins with `_` is no event.
    A field with a default is absent from the log while it holds its default.
    """

    name: ClassVar[str] = ""
    level: ClassVar[Level] = "info"

    def __init_subclass__(cls, *, level: Level | None = None) -> None:
        if not cls.name and not cls.__name__.startswith("_"):
            cls.name = re.sub(r"(?<=.)([A-Z])", r"_\1", cls.__name__).lower()
        cls.level = level or cls.level
        dataclass(frozen=True, kw_only=True)(cls)

    def fields(self) -> dict[str, Any]:
        """Return the fields that are said of this event, in their order."""
        said = vars(self).copy()
        for name, default in _optional(type(self)):  # type: ignore[arg-type] # a class is hashable, whatever mypy says
            if said[name] == default:
                del said[name]
        return said


@cache
def _optional(kind: type[Event]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in fields(kind) if field.default is not MISSING)
