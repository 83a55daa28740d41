"""What all events have in common: a name, a level, and fields that are said once, where the event is defined."""

import re
from typing import Any, ClassVar, Literal

from relay.value import REQUIRED, Value

Level = Literal["debug", "info", "warning", "error", "critical"]


class Event(Value):
    """Something that happened, as it is logged, counted and shown.

    The log's name of an event is made of its class's: MessageAccepted is `message_accepted`. A class derived from an
    event keeps that event's name and says it at another level; a class whose name begins with `_` is no event. A field
    with a default is absent from the log while it holds its default.
    """

    name: ClassVar[str] = ""
    level: ClassVar[Level] = "info"
    optional: ClassVar[tuple[tuple[str, object], ...]] = ()
    """The fields that have a default, and that."""

    def __init_subclass__(cls, *, level: Level | None = None) -> None:
        super().__init_subclass__()
        if not cls.name and not cls.__name__.startswith("_"):
            cls.name = re.sub(r"(?<=.)([A-Z])", r"_\1", cls.__name__).lower()
        cls.level = level or cls.level
        cls.optional = tuple((field, default) for field, default in cls.defaults.items() if default is not REQUIRED)

    def fields(self) -> dict[str, Any]:
        """Return the fields that are said of this event, in their order."""
        said = vars(self).copy()
        for name, default in self.optional:
            if said[name] == default:
                del said[name]
        return said
