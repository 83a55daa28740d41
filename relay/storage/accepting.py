"""How a mail gets into the queue: its chunks ahead of it, then all the rest in one transaction.

So does what a change of a delivery creates, in the transaction of its cause: other mails, other deliveries of the same
mail. Each write may be repeated: rows that are there already stay as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from relay.model.mail import Created, DeliveryState, NewDelivery, NewMessage, Recipient
from relay.storage import meta
from relay.storage.rows import MESSAGE, clean, row_of
from relay.storage.statement import Many, Parameters, Statement, insert
from relay.storage.tables import content, delivery, message, recipient
from relay.storage.tables import meta as facts
from relay.storage.transaction import Transaction

_INSERT_MESSAGES: Final = Many.insert(insert(message).on_conflict_do_nothing())
_INSERT_CHUNKS: Final = Many.insert(insert(content).on_conflict_do_nothing())
_INSERT_DELIVERIES: Final = Many.insert(
    insert(delivery).on_conflict_do_nothing(),
    *("id", "message_id", "destination", "version", "state", "due", "since", "uncertain", "token", "node"),
    *("lease_until", "source"),
)
_INSERT_RECIPIENTS: Final = Many.insert(
    insert(recipient).on_conflict_do_nothing(),
    *("message_id", "n", "delivery_id", "address", "kind", "notify", "orcpt"),
)
_DROP_VERSION_1: Final = Statement(
    delete(content).where(content.c.message_id == bindparam("message"), content.c.version == 1)
)
IS_ORPHANED: Final = ~exists().where(message.c.id == content.c.message_id)
"""That a chunk belongs to no message."""
_DISCARD: Final = Statement(delete(content).where(content.c.message_id == bindparam("message"), IS_ORPHANED))
_FACT: Final = insert(facts).values(key=bindparam("key"), value=bindparam("now"))
# Also where it was said in what is the future now: a clock was wrong.
_SAY: Final = Statement(
    _FACT.on_conflict_do_update(
        index_elements=["key"],
        set_={"value": _FACT.excluded.value},
        where=or_(facts.c.value < bindparam("since"), facts.c.value > _FACT.excluded.value),
    )
)
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

SAID_FOR: Final = 3_600_000
"""Milliseconds in which people are told the same thing once (`NewMessage.once`); the log has every case."""


RESERVED_FOR: Final = 15_000
"""Milliseconds for which what is queued is left to the node that has it in memory, where several share a database."""


class Claimant(NamedTuple):
    """Who claims."""

    node: str
    """The name of this process among those on one database."""
    lease: int = 60_000
    """Milliseconds for which a claim holds on a shared database without being renewed."""


class Cause(NamedTuple):
    """What gives a new delivery its place: its message, and the delivery whose change creates it."""

    delivery_id: str
    """Empty: the message itself is new."""
    message_id: str
    since: int
    """When the clocks of all its deliveries begin."""
    source: str


def write_chunks(tx: Transaction, chunks: Sequence[Parameters]) -> list[None]:
    """Write chunks, each as `chunk_row` makes it, ahead of their messages."""
    tx.change_each(_INSERT_CHUNKS, chunks)
    return [None] * len(chunks)


def accept(tx: Transaction, mails: Sequence[NewMessage], *, by: Claimant) -> list[None]:
    """Write messages with their deliveries, recipients and last chunks. Those that are `active` belong to `by`."""
    count = len(mails)
    mails = [mail for mail in mails if not mail.once or _is_news(tx, mail)]
    tx.change_each(_INSERT_MESSAGES, [row_of(mail.message, MESSAGE) for mail in mails])
    tx.change_each(_INSERT_CHUNKS, [chunk_row(mail.message.id, *chunk) for mail in mails for chunk in mail.chunks])
    files = [(mail.message.id, version, 0, b"", octets) for mail in mails for version, octets in mail.files]
    tx.change_each(_INSERT_CHUNKS, [chunk_row(*file) for file in files])
    tx.change_each(_DROP_VERSION_1, [{"message": mail.message.id} for mail in mails if mail.drop_version_1])
    placed = []
    for mail in mails:
        cause = Cause("", mail.message.id, mail.message.received_at, mail.message.source)
        placed += [(cause, delivery) for delivery in mail.deliveries]
    _insert_deliveries(tx, placed, by=by)
    _insert_recipients(tx, ((*one, recipient) for one in placed for recipient in one[1].recipients))
    return [None] * count


def chunk_row(message_id: str, version: int, seq: int, data: bytes, octets: int = 0) -> Parameters:
    """Return the row of a piece of a body, or of a body whose file has so many octets."""
    return {"message_id": message_id, "version": version, "seq": seq, "data": data, "octets": octets}


def _is_news(tx: Transaction, mail: NewMessage) -> bool:
    at = mail.message.received_at
    meta.forget_below(tx, "said", _moment(at - SAID_FOR))
    return tx.change(_SAY, key=_said(mail.once), now=_moment(at), since=_moment(at - SAID_FOR)) > 0


def was_said(tx: Transaction, once: str, now: int) -> bool:
    """Return whether people were told something a moment ago (`NewMessage.once`), by whichever node."""
    said = meta.read(tx, _said(once))
    return said is not None and _moment(now - SAID_FOR) <= said <= _moment(now)


def unsay(tx: Transaction, once: str) -> None:
    """Forget that people were told something, so that they are told it again."""
    meta.forget(tx, _said(once))


def _said(once: str) -> str:
    return "said/" + clean(once)


def _moment(at: int) -> str:
    return f"{max(at, 0):015d}"


def _insert_deliveries(tx: Transaction, placed: Sequence[tuple[Cause, NewDelivery]], *, by: Claimant) -> None:
    # What is claimed, and what is queued: likely to be in memory here, which the other nodes leave it to for a moment.
    leases = {DeliveryState.ACTIVE: by.lease, DeliveryState.QUEUED: RESERVED_FOR}
    until = {state: tx.lease_until(leases[state]) for state in {new.state for _, new in placed} if state in leases}
    tx.change_each(
        _INSERT_DELIVERIES, [_delivery_row(*one, node=by.node, until=until.get(one[1].state)) for one in placed]
    )


def _delivery_row(cause: Cause, new: NewDelivery, *, node: str, until: int | None) -> Parameters:
    active = new.state is DeliveryState.ACTIVE
    return {
        "id": new.id,
        "message_id": cause.message_id,
        "destination": clean(str(new.destination)),
        "version": new.version,
        "state": new.state.value,
        "due": new.due,
        "since": cause.since,
        "uncertain": new.uncertain,
        "token": new.token if active else "",
        "node": node if active or until else "",
        "lease_until": until,
        "source": clean(cause.source),
    }


def _insert_recipients(tx: Transaction, recipients: Iterable[tuple[Cause, NewDelivery, Recipient]]) -> None:
    rows: list[Parameters] = [
        {
            "message_id": cause.message_id,
            "n": one.n,
            "delivery_id": delivery.id,
            "address": clean(one.address),
            "kind": one.kind.value,
            "notify": one.notify,
            "orcpt": one.orcpt,
        }
        for cause, delivery, one in recipients
    ]
    tx.change_each(_INSERT_RECIPIENTS, rows)


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
    _insert_deliveries(tx, legs, by=by)
    moves: list[Parameters] = [
        {"delivery_id": one.id, "message_id": cause.message_id, "n": recipient.n, "old_id": cause.delivery_id}
        for cause, one in legs
        for recipient in one.recipients
        if recipient.n >= 0
    ]
    tx.change_each(_MOVE_RECIPIENTS, moves)
    for cause, one in legs:
        _insert_recipients(tx, [(cause, one, recipient) for recipient in _numbered(tx, cause.message_id, one)])


def _numbered(tx: Transaction, message_id: str, delivery: NewDelivery) -> list[Recipient]:
    new = [recipient for recipient in delivery.recipients if recipient.n < 0]
    if not new:
        return []
    tx.rows(_LOCK, message=message_id)  # else another node might give the same numbers
    highest = tx.rows(_HIGHEST, message=message_id)[0][0]
    return [replace(one, n=highest + n) for n, one in enumerate(new, 1)]


def discard(tx: Transaction, message_id: str) -> None:
    """Drop what was written ahead of a mail that was aborted; an accepted mail keeps its body."""
    tx.change(_DISCARD, message=message_id)
