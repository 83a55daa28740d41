import ast
from pathlib import Path

import pytest

from relay.events.event import Event
from tests.events.event_table import DOCUMENT, SUBJECTS, describe_fields, events_of, modules, write_document

ROOT = Path(__file__).parents[2]
EVENTS = [kind for module in modules().values() for kind in events_of(module)]


def test_the_page_is_what_the_types_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == write_document(), "run python -m tests.events.event_table"


def test_the_page_has_every_subject() -> None:
    assert set(SUBJECTS) == set(modules())


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_and_each_field_is_explained(kind: type[Event]) -> None:
    assert (kind.__doc__ or "").strip()
    assert all(describe_fields(kind).values()), describe_fields(kind)
    assert kind.defaults.get("exception") is None


def test_only_a_derived_event_has_the_name_of_another() -> None:
    for kind in EVENTS:
        for other in EVENTS:
            assert kind.name != other.name or issubclass(kind, other) or issubclass(other, kind)


def test_nobody_but_the_log_calls_structlog() -> None:
    for file in sorted((ROOT / "relay").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if file != ROOT / "relay" / "logs.py":
            assert not any(name.partition(".")[0] == "structlog" for name in imported), f"{file}: emit an event"


def test_every_event_is_emitted_somewhere() -> None:
    made = {
        node.id if isinstance(node, ast.Name) else node.attr
        for file in (ROOT / "relay").rglob("*.py")
        if file.parent != ROOT / "relay" / "events"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert {kind.__name__ for kind in EVENTS} <= made
