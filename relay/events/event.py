"""What all events have in common: a name, a level, and fields that are said once, where the event is defined."""

import re
from dataclasses import FrozenInstanceError
from typing import Any, ClassVar, Literal, dataclass_transform

Level = Literal["debug", "info", "warning", "error", "critical"]
REQUIRED = object()
"""In place of the default of a field that has none."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Event:
    """Something that happened, as it is logged, counted and shown. A class derived from it is made like a dataclass.

    It is none, for the memory that the methods of eighty would take. The log's name of an event is made of its class's:
    MessageAccepted is `message_accepted`. A class derived from an event keeps that event's name and says it at another
    level; a class whose name begins with `_` is no event. A field with a default is absent from the log while it holds
    its default.
    """

    name: ClassVar[str] = ""
    level: ClassVar[Level] = "info"
    defaults: ClassVar[dict[str, object]] = {}
    """The default of each field, or REQUIRED."""
    optional: ClassVar[tuple[tuple[str, object], ...]] = ()
    """The fields that have a default, and that."""

    def __init_subclass__(cls, *, level: Level | None = None) -> None:
        if not cls.name and not cls.__name__.startswith("_"):
            cls.name = re.sub(r"(?<=.)([A-Z])", r"_\1", cls.__name__).lower()
        cls.level = level or cls.level
        cls.defaults = cls.defaults | {field: vars(cls).get(field, REQUIRED) for field in cls.__annotations__}
        cls.optional = tuple((field, default) for field, default in cls.defaults.items() if default is not REQUIRED)

    def __init__(self, **said: Any) -> None:  # noqa: ANN401 - the type of each field is checked where it is said
        fields = vars(self)
        fields.update(self.defaults | said)
        if len(fields) != len(self.defaults) or REQUIRED in fields.values():
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.defaults)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment] # its fields may be lists

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fields()})"

    def fields(self) -> dict[str, Any]:
        """Return the fields that are said of this event, in their order."""
        said = vars(self).copy()
        for name, default in self.optional:
            if said[name] == default:
                del said[name]
        return said
