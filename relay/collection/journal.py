"""The events of a person's decision about a mail in the quarantine, emitted by the service for a command."""

from collections.abc import Mapping
from typing import Any, Final

from relay.emitting import emit
from relay.events.mailboxes import QuarantineDeleted, QuarantineDelivered
from relay.model.errors import RelayError

DELIVERED: Final = QuarantineDelivered.name
DELETED: Final = QuarantineDeleted.name
_EVENTS: Final = {DELIVERED: QuarantineDelivered, DELETED: QuarantineDeleted}
_FIELDS: Final = ("queue_id", "account", "user", "file", "by")


def log_decision(told: Mapping[str, Any]) -> None:
    """Emit the event of a decision: `told` has its name as `event`, and its fields, which are texts.

    Raises RelayError if it is anything else.
    """
    event = _EVENTS.get(str(told.get("event")))
    fields = {name: value for name in _FIELDS if isinstance(value := told.get(name), str)}
    if event is None or len(fields) < len(_FIELDS):
        raise RelayError("bad request: no decision about a mail in the quarantine")
    emit(event(**fields))
