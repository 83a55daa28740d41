"""How a mail gets into the queue: its chunks ahead of it, then all the rest in one transaction.

Each write may be repeated: rows that are there already stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.model.mail import DeliveryState, NewDelivery, NewMessage
from relay.storage.rows import INSERT_MESSAGE, clean, message_row
from relay.storage.statement import Parameter
from relay.storage.transaction import Transaction

_INSERT_CHUNK: Final = "INSERT INTO content (message_id, version, seq, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_DELIVERY: Final = (
    "INSERT INTO delivery"
    " (id, message_id, destination, version, state, due, since, uncertain, token, node, lease_until, source)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_RECIPIENT: Final = (
    "INSERT INTO recipient (message_id, n, delivery_id, address, kind, notify, orcpt) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_DROP_VERSION_1: Final = "DELETE FROM content WHERE message_id = ? AND version = 1"
# Also where it was said in what is the future now: a clock was wrong.
_SAY: Final = (
    "INSERT INTO meta (key, value) VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value < ? OR meta.value > excluded.value"
)
_SAID: Final = "SELECT 1 FROM meta WHERE key = ? AND value >= ? AND value <= ?"
_UNSAY: Final = "DELETE FROM meta WHERE key = ?"
_FORGET_SAID: Final = "DELETE FROM meta WHERE key >= 'said/' AND key < 'said0' AND value < ?"
_DISCARD: Final = (
    "DELETE FROM content WHERE message_id {any}"
    " AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = content.message_id)"
)


SAID_FOR: Final = 3_600_000
"""Milliseconds in which people are told the same thing once (`NewMessage.once`); the log has every case."""


class Claimant(NamedTuple):
    """Who claims."""

    node: str
    """The name of this process among those on one database."""
    lease: int = 60_000
    """Milliseconds for which a claim holds on a shared database without being renewed."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a body."""

    message_id: str
    version: int
    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """A delivery with what its message gives it."""

    message_id: str
    since: int
    """When its clocks begin."""
    source: str
    delivery: NewDelivery


def write_chunks(tx: Transaction, chunks: Sequence[Chunk]) -> list[None]:
    """Write chunks ahead of their messages."""
    tx.change_each(_INSERT_CHUNK, [(c.message_id, c.version, c.seq, c.data) for c in chunks])
    return [None] * len(chunks)


def accept(tx: Transaction, mails: Sequence[NewMessage], *, by: Claimant) -> list[None]:
    """Write messages with their deliveries, recipients and last chunks. Those that are `active` belong to `by`.

    What is told once in a while, and was told a moment ago by whichever node, is left out.
    """
    count = len(mails)
    mails = [mail for mail in mails if not mail.once or _is_news(tx, mail)]
    tx.change_each(INSERT_MESSAGE, [message_row(mail.message) for mail in mails])
    tx.change_each(_INSERT_CHUNK, [(mail.message.id, *chunk) for mail in mails for chunk in mail.chunks])
    tx.change_each(_DROP_VERSION_1, [(mail.message.id,) for mail in mails if mail.drop_version_1])
    insert_deliveries(
        tx,
        [
            Placed(mail.message.id, mail.message.received_at, mail.message.source, delivery)
            for mail in mails
            for delivery in mail.deliveries
        ],
        by=by,
    )
    tx.change_each(
        _INSERT_RECIPIENT,
        [
            (
                mail.message.id,
                recipient.n,
                delivery.id,
                clean(recipient.address),
                recipient.kind.value,
                recipient.notify,
                recipient.orcpt,
            )
            for mail in mails
            for delivery in mail.deliveries
            for recipient in delivery.recipients
        ],
    )
    return [None] * count


def _is_news(tx: Transaction, mail: NewMessage) -> bool:
    at = mail.message.received_at
    tx.change(_FORGET_SAID, _moment(at - SAID_FOR))
    return tx.change(_SAY, _said(mail.once), _moment(at), _moment(at - SAID_FOR)) > 0


def was_said(tx: Transaction, once: str, now: int) -> bool:
    """Tell whether people were told something a moment ago."""
    return bool(tx.rows(_SAID, _said(once), _moment(now - SAID_FOR), _moment(now)))


def unsay(tx: Transaction, once: str) -> None:
    """Forget that people were told something, so that they are told it again."""
    tx.change(_UNSAY, _said(once))


def _said(once: str) -> str:
    return "said/" + clean(once)


def _moment(at: int) -> str:
    return f"{max(at, 0):015d}"


def insert_deliveries(tx: Transaction, placed: Sequence[Placed], *, by: Claimant) -> None:
    """Write deliveries."""
    lease = tx.lease_until(by.lease) if any(p.delivery.state is DeliveryState.ACTIVE for p in placed) else None
    tx.change_each(_INSERT_DELIVERY, [_delivery_row(p, node=by.node, lease=lease) for p in placed])


def _delivery_row(placed: Placed, *, node: str, lease: int | None) -> tuple[Parameter, ...]:
    delivery = placed.delivery
    active = delivery.state is DeliveryState.ACTIVE
    return (
        delivery.id,
        placed.message_id,
        clean(str(delivery.destination)),
        delivery.version,
        delivery.state.value,
        delivery.due,
        placed.since,
        delivery.uncertain,
        delivery.token if active else "",
        node if active else "",
        lease if active else None,
        clean(placed.source),
    )


def discard(tx: Transaction, message_ids: Sequence[str]) -> list[None]:
    """Drop what was written ahead of mails that were aborted; an accepted mail keeps its body."""
    tx.change(_DISCARD, list(message_ids))
    return [None] * len(message_ids)
