"""What is logged when a person decides about a mail in the quarantine."""

from collections.abc import Mapping
from typing import Any, Final

import structlog

from relay.model.errors import RelayError

log = structlog.get_logger()

DELIVERED: Final = "quarantine_delivered"
DELETED: Final = "quarantine_deleted"
_FIELDS: Final = ("queue_id", "account", "user", "file", "by")


def log_decision(told: Mapping[str, Any]) -> None:
    """Log a decision, as the command that carried it out tells it: `event` and the fields of that, which are texts.

    Raises RelayError where it is told something else.
    """
    event, fields = told.get("event"), {name: told.get(name) for name in _FIELDS}
    if event not in (DELIVERED, DELETED) or not all(isinstance(value, str) for value in fields.values()):
        raise RelayError("bad request: no decision about a mail in the quarantine")
    if event == DELIVERED:
        log.info("quarantine_delivered", **fields)
    else:
        log.info("quarantine_deleted", **fields)
