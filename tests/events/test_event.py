from typing import Any

import pytest

from relay.events.event import Event
from relay.events.service import ActivityFailed, ServiceStopped
from relay.events.sessions import AuthFailed, AuthNotChecked


def test_an_event_is_named_as_its_class_is() -> None:
    assert (ServiceStopped.name, ServiceStopped.level) == ("service_stopped", "info")
    assert (ActivityFailed.name, ActivityFailed.level) == ("activity_failed", "error")


def test_a_derived_event_is_the_same_at_another_level() -> None:
    assert (AuthFailed.name, AuthFailed.level) == ("auth_failed", "warning")
    assert (AuthNotChecked.name, AuthNotChecked.level) == ("auth_failed", "error")


def test_a_class_that_is_none_has_no_name() -> None:
    class _OfSomething(Event):
        pass

    assert not _OfSomething.name


def test_a_field_with_a_default_is_absent_while_it_holds_that() -> None:
    assert ActivityFailed(activity="claims", error="odd").fields() == {"activity": "claims", "error": "odd"}
    told = ActivityFailed(activity="claims", error="odd", restart_in=5.0, queue_id="q").fields()
    assert list(told) == ["activity", "queue_id", "error", "restart_in"]


@pytest.mark.parametrize("fields", [{"activity": "claims"}, {"activity": "claims", "error": "odd", "of": "x"}])
def test_an_event_has_all_of_its_fields_and_no_others(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="ActivityFailed has the fields activity, queue_id, error"):
        ActivityFailed(**fields)


def test_an_event_is_frozen() -> None:
    with pytest.raises(AttributeError):
        ActivityFailed(activity="claims", error="odd").error = "x"  # type: ignore[misc]
