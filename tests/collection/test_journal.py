from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.collection.journal import DELETED, DELIVERED, log_decision
from relay.model.errors import RelayError

FIELDS = {"queue_id": "01", "account": "sales", "user": "anna", "file": "/x", "by": "otto"}


@pytest.mark.parametrize("event", [DELIVERED, DELETED])
def test_a_decision_is_logged_with_its_fields_alone(event: str) -> None:
    with capture_logs() as lines:
        log_decision({"do": "log_decision", "event": event, **FIELDS, "subject": "never"})
    assert lines == [{"event": event, "log_level": "info", **FIELDS}]


@pytest.mark.parametrize("wrong", [{"event": "service_stopped"}, {"by": None}, {"file": ["x"]}, {"queue_id": 1}])
def test_nothing_else_gets_into_the_log(wrong: dict[str, Any]) -> None:
    with capture_logs() as lines, pytest.raises(RelayError, match="bad request"):
        log_decision({"event": DELETED, **FIELDS, **wrong})
    assert lines == []
