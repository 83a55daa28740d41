"""Conditions on the tables that several statements share, and those that a command chooses its mails by."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, literal

from relay.model.destination import to_account
from relay.model.mail import DeliveryState
from relay.storage.statement import is_in
from relay.storage.tables import delivery, message, recipient

IS_OPEN: Final = delivery.c.state != literal("done", literal_execute=True)
"""That something of a delivery waits; beside a state it lets SQLite use the index of what is open."""
IS_QUEUED: Final = and_(delivery.c.state == literal("queued", literal_execute=True), IS_OPEN)
TO_LANE: Final = delivery.c.destination == bindparam("lane")
"""That a delivery goes to the destination `lane`."""
IN_LANE: Final = and_(IS_QUEUED, TO_LANE)
MAILS: Final = func.count(delivery.c.message_id.distinct())
"""How many mails some deliveries are of."""
ACCOUNT: Final = case(
    (func.substr(delivery.c.destination, 1, 8) == "account:", func.substr(delivery.c.destination, 9)), else_=""
).label("account")
"""The name of a delivery's account; empty where it goes into an inbox."""


def is_recent(ids: ColumnElement[str]) -> ColumnElement[bool]:
    """Make the condition that an id is not below the parameter `oldest`: ids sort by time.

    The upper bound is behind all ids: PostgreSQL, which plans before it knows `oldest`, takes a range with one end for
    a third of the table, and reads all of it.
    """
    return and_(ids >= bindparam("oldest"), ids < "~")


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which mails a command is about; None: whatever it is."""

    states: Sequence[str] = (DeliveryState.QUEUED, DeliveryState.ACTIVE, DeliveryState.HELD)
    """Of deliveries: one of them must be in one of these."""
    account: str | None = None
    user: str | None = None
    since: int | None = None
    """Received at this moment or later."""
    before: int | None = None
    """Received before this moment."""
    recipient: str | None = None
    """A pattern with `*` and `?`, compared without regard to case."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on `delivery` and `message`, all of which must be true."""
        conditions = [is_in(delivery.c.state, [str(state) for state in self.states])]
        if DeliveryState.DONE not in self.states:
            conditions.append(IS_OPEN)
        if self.account is not None:
            conditions.append(delivery.c.destination == str(to_account(self.account)))
        if self.user is not None:
            conditions.append(message.c.user == self.user)
        if self.since is not None:
            conditions.append(message.c.received_at >= self.since)
        if self.before is not None:
            conditions.append(message.c.received_at < self.before)
        if self.recipient is not None:
            own = (recipient.c.message_id == delivery.c.message_id, recipient.c.delivery_id == delivery.c.id)
            conditions.append(exists().where(*own, is_like(recipient.c.address, self.recipient)))
        return conditions


def is_like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Make the condition that a column matches a pattern with `*` and `?`, without regard to case."""
    escaped = re.sub(r"([\\\\%_])", r"\\\1", pattern.lower())
    return func.lower(column).like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
