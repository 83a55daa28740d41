"""How a mail gets into the queue: its chunks ahead of it, then all the rest in one transaction.

Each write may be repeated: rows that are there already stay as they are.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, or_

from relay.model.mail import DeliveryState, NewDelivery, NewMessage, Recipient
from relay.storage import meta
from relay.storage.rows import INSERT_MESSAGES, clean, message_row
from relay.storage.statement import Many, Parameters, Statement, insert
from relay.storage.tables import content, delivery, message, recipient
from relay.storage.tables import meta as facts
from relay.storage.transaction import Transaction

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

SAID_FOR: Final = 3_600_000
"""Milliseconds in which people are told the same thing once (`NewMessage.once`); the log has every case."""


class Claimant(NamedTuple):
    """Who claims."""

    node: str
    """The name of this process among those on one database."""
    lease: int = 60_000
    """Milliseconds for which a claim holds on a shared database without being renewed."""


class Placed(NamedTuple):
    """A delivery with what its message gives it."""

    message_id: str
    since: int
    """When its clocks begin."""
    source: str
    delivery: NewDelivery


def write_chunks(tx: Transaction, chunks: Sequence[Parameters]) -> list[None]:
    """Write chunks, each as `chunk_row` makes it, ahead of their messages."""
    tx.change_each(_INSERT_CHUNKS, chunks)
    return [None] * len(chunks)


def accept(tx: Transaction, mails: Sequence[NewMessage], *, by: Claimant) -> list[None]:
    """Write messages with their deliveries, recipients and last chunks. Those that are `active` belong to `by`.

    What is told once in a while, and was told a moment ago by whichever node, is left out.
    """
    count = len(mails)
    mails = [mail for mail in mails if not mail.once or _is_news(tx, mail)]
    tx.change_each(INSERT_MESSAGES, [message_row(mail.message) for mail in mails])
    tx.change_each(_INSERT_CHUNKS, [chunk_row(mail.message.id, *chunk) for mail in mails for chunk in mail.chunks])
    tx.change_each(_DROP_VERSION_1, [{"message": mail.message.id} for mail in mails if mail.drop_version_1])
    placed = [
        Placed(mail.message.id, mail.message.received_at, mail.message.source, delivery)
        for mail in mails
        for delivery in mail.deliveries
    ]
    insert_deliveries(tx, placed, by=by)
    insert_recipients(tx, ((one, recipient) for one in placed for recipient in one.delivery.recipients))
    return [None] * count


def chunk_row(message_id: str, version: int, seq: int, data: bytes) -> Parameters:
    """Return the row of a piece of a body."""
    return {"message_id": message_id, "version": version, "seq": seq, "data": data}


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


def insert_deliveries(tx: Transaction, placed: Sequence[Placed], *, by: Claimant) -> None:
    """Write deliveries, without their recipients."""
    lease = tx.lease_until(by.lease) if any(p.delivery.state is DeliveryState.ACTIVE for p in placed) else None
    tx.change_each(_INSERT_DELIVERIES, [_delivery_row(p, node=by.node, lease=lease) for p in placed])


def _delivery_row(placed: Placed, *, node: str, lease: int | None) -> Parameters:
    new = placed.delivery
    active = new.state is DeliveryState.ACTIVE
    return {
        "id": new.id,
        "message_id": placed.message_id,
        "destination": clean(str(new.destination)),
        "version": new.version,
        "state": new.state.value,
        "due": new.due,
        "since": placed.since,
        "uncertain": new.uncertain,
        "token": new.token if active else "",
        "node": node if active else "",
        "lease_until": lease if active else None,
        "source": clean(placed.source),
    }


def insert_recipients(tx: Transaction, recipients: Iterable[tuple[Placed, Recipient]]) -> None:
    """Write recipients of deliveries."""
    rows: list[Parameters] = [
        {
            "message_id": placed.message_id,
            "n": one.n,
            "delivery_id": placed.delivery.id,
            "address": clean(one.address),
            "kind": one.kind.value,
            "notify": one.notify,
            "orcpt": one.orcpt,
        }
        for placed, one in recipients
    ]
    tx.change_each(_INSERT_RECIPIENTS, rows)


def discard(tx: Transaction, message_id: str) -> None:
    """Drop what was written ahead of a mail that was aborted; an accepted mail keeps its body."""
    tx.change(_DISCARD, message=message_id)
