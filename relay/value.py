"""A value of named fields: what a frozen dataclass is, for a tenth of the memory and of the time to define one.

Commands begin with dozens of these, and a service holds eighty kinds of events: the methods that `dataclasses` compiles
for each class cost a command a fifth of its time, and the service 6 MB (decision 38).
"""

from typing import Any, ClassVar, dataclass_transform, get_origin

REQUIRED = object()
"""In place of the default of a field that has none."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value:
    """What is derived from it has the fields that it annotates, and is made by their names. It is never changed."""

    defaults: ClassVar[dict[str, object]] = {}
    """The default of each field, or REQUIRED."""
    types: ClassVar[dict[str, Any]] = {}
    """The type of each field, as it is written."""

    def __init_subclass__(cls) -> None:
        annotated = vars(cls).get("__annotations__", {})
        own = {name: kind for name, kind in annotated.items() if get_origin(kind) is not ClassVar}
        cls.defaults = cls.defaults | {field: vars(cls).get(field, REQUIRED) for field in own}
        cls.types = cls.types | own

    def __init__(self, **said: Any) -> None:  # noqa: ANN401 - the type of each field is checked where it is said
        fields = vars(self)
        fields.update(self.defaults | said)
        if len(fields) != len(self.defaults) or REQUIRED in fields.values():
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.defaults)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name}: a value is never changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name}: a value is never changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment] # its fields may be lists

    def __repr__(self) -> str:
        shown = {
            name: f"{len(value)} octets" if isinstance(value, bytes) else value for name, value in vars(self).items()
        }
        return f"{type(self).__name__}({shown})"
