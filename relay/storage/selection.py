"""Conditions on the tables that several statements share."""

import re
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal

from relay.storage.tables import delivery

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


def is_like(column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Make the condition that a column matches a pattern with `*` and `?`, without regard to case."""
    escaped = re.sub(r"([\\\\%_])", r"\\\1", pattern.lower())
    return func.lower(column).like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
