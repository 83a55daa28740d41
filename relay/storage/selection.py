"""Which mails a command is about, and the condition on the tables that says so."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.destination import to_account
from relay.model.mail import DeliveryState
from relay.storage.statement import Parameter

_HAS_RECIPIENT: Final = (
    "EXISTS (SELECT 1 FROM recipient r WHERE r.message_id = d.message_id AND r.delivery_id = d.id"
    " AND lower(r.address) LIKE ? ESCAPE '\\')"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which mails a command is about; None: whatever it is."""

    states: Sequence[str] = (DeliveryState.QUEUED, DeliveryState.ACTIVE, DeliveryState.HELD)
    account: str | None = None
    user: str | None = None
    since: int | None = None
    """Received at this moment or later."""
    before: int | None = None
    """Received before this moment."""
    recipient: str | None = None
    """A pattern with `*` and `?`, compared without regard to case."""

    def where(self) -> tuple[str, list[Parameter]]:
        """Give the condition on `delivery d` and `message m`, with its parameters."""
        conditions, values = ["d.state {any}"], [[str(state) for state in self.states]]
        wanted: list[Parameter] = [*values]
        if DeliveryState.DONE not in self.states:
            conditions.append("d.state <> 'done'")  # lets SQLite use the index of what is open
        for condition, value in (
            ("d.destination = ?", None if self.account is None else str(to_account(self.account))),
            ('m."user" = ?', self.user),
            ("m.received_at >= ?", self.since),
            ("m.received_at < ?", self.before),
            (_HAS_RECIPIENT, None if self.recipient is None else like(self.recipient)),
        ):
            if value is not None:
                conditions.append(condition)
                wanted.append(value)
        return " AND ".join(conditions), wanted


def like(pattern: str) -> str:
    """Make a pattern with `*` and `?` one of SQL, in lower case, with a backslash as its escape."""
    escaped = re.sub(r"([\\\\%_])", r"\\\1", pattern.lower())
    return escaped.replace("*", "%").replace("?", "_")
