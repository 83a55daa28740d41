"""What a change of a delivery creates: other mails, and other deliveries of the same mail; and when a body may go.

Guarantee: what is created is written in the transaction of its cause. A body stays as long as any delivery of its
message is open, whatever created that.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, select, update

from relay.model.mail import Created, NewDelivery, NewMessage, Recipient
from relay.storage.accepting import Claimant, Placed, accept, insert_deliveries, insert_recipients
from relay.storage.selection import IS_OPEN
from relay.storage.statement import Many, Parameters, Statement, is_in
from relay.storage.tables import content, delivery, message, recipient
from relay.storage.transaction import Transaction

_MOVE_RECIPIENTS: Final = Many(
    lambda new: (
        update(recipient)
        .values(delivery_id=new.c.delivery_id)
        .where(
            recipient.c.message_id == new.c.message_id,
            recipient.c.n == new.c.n,
            recipient.c.delivery_id == new.c.old_id,
            recipient.c.outcome == "pending",
        )
    ),
    delivery_id=recipient.c.delivery_id,
    message_id=recipient.c.message_id,
    n=recipient.c.n,
    old_id=recipient.c.delivery_id,
)
_LOCK: Final = Statement(select(message.c.id).where(message.c.id == bindparam("message")).with_for_update())
_HIGHEST: Final = Statement(select(func.max(recipient.c.n)).where(recipient.c.message_id == bindparam("message")))
_WAITS: Final = exists().where(delivery.c.message_id == content.c.message_id, IS_OPEN)
_DROP_BODIES: Final = Statement(delete(content).where(is_in(content.c.message_id, "messages"), ~_WAITS))


class Cause(NamedTuple):
    """The delivery whose change creates something."""

    delivery_id: str
    message_id: str
    since: int
    """When its clocks began: those of its other deliveries begin then, too."""
    source: str


def create(tx: Transaction, created: Sequence[tuple[Cause, Created]], *, by: Claimant) -> None:
    """Write all that several changes create.

    A new delivery belongs to the message of its cause. Those of its recipients who have a number leave the delivery
    that is the cause, if they are still pending in it; those without one are new, and get the next numbers.
    """
    mails = [one for _, one in created if isinstance(one, NewMessage)]
    if mails:
        accept(tx, mails, by=by)
    legs = [(cause, one) for cause, one in created if isinstance(one, NewDelivery)]
    if not legs:
        return
    placed = [Placed(cause.message_id, cause.since, cause.source, one) for cause, one in legs]
    insert_deliveries(tx, placed, by=by)
    moves: list[Parameters] = [
        {"delivery_id": one.id, "message_id": cause.message_id, "n": recipient.n, "old_id": cause.delivery_id}
        for cause, one in legs
        for recipient in one.recipients
        if recipient.n >= 0
    ]
    tx.change_each(_MOVE_RECIPIENTS, moves)
    for one in placed:
        insert_recipients(tx, [(one, recipient) for recipient in _numbered(tx, one)])


def _numbered(tx: Transaction, placed: Placed) -> list[Recipient]:
    new = [recipient for recipient in placed.delivery.recipients if recipient.n < 0]
    if not new:
        return []
    tx.rows(_LOCK, message=placed.message_id)  # else another node might give the same numbers
    highest = tx.rows(_HIGHEST, message=placed.message_id)[0][0]
    return [replace(one, n=highest + n) for n, one in enumerate(new, 1)]


def drop_bodies(tx: Transaction, message_ids: Sequence[str]) -> None:
    """Drop the bodies of these messages, but for those of which a delivery is still open."""
    if message_ids:
        tx.change(_DROP_BODIES, messages=list(message_ids))
