"""What the relay itself still has to say: alerts that a change of state owes, and notices that need another way.

Guarantee: an alert is owed from the transaction that gives cause for it, until the one that queues its notices.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from relay.model.destination import Destination, to_account
from relay.model.mail import ClaimedDelivery, NewMessage, RecipientKind
from relay.model.reply import Reply
from relay.rules.notice_texts import Alert
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import SELECT_CLAIMED, clean, read_claimed
from relay.storage.settling import write_events
from relay.storage.transaction import AnyRow, Transaction

_PREFIX: Final = "alert/"
_SELECT_OWED: Final = "SELECT key, value FROM meta WHERE key >= 'alert/' AND key < 'alert0' ORDER BY key"
_SELECT_ONE: Final = "SELECT d.key, d.value FROM meta d WHERE d.key = ? {lock}"
_OWE_NOTHING: Final = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
_OWE: Final = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_PAID: Final = "DELETE FROM meta WHERE key = ? AND value = ?"
_SELECT_DELIVERIES: Final = SELECT_CLAIMED + "WHERE d.id {any}"
_SELECT_NOTICES: Final = (
    SELECT_CLAIMED
    + "WHERE d.state = 'queued' AND d.state <> 'done' AND d.destination = ? AND d.since <= ? AND m.notice"
    " ORDER BY d.id LIMIT ?"
)
_MOVE: Final = (
    "UPDATE delivery SET destination = ?, due = ?, attempts = 0 WHERE id = ? AND state = 'queued' AND destination = ?"
)
_READDRESS: Final = "UPDATE recipient SET address = ?, kind = ? WHERE message_id = ? AND delivery_id = ?"
_REWRITE: Final = "UPDATE message SET size = size - length(header) + ?, header = ? WHERE id = ?"


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingAlert:
    """An alert that nobody has got yet."""

    kind: Alert
    account: str
    delivery_id: str = ""
    """The delivery that it is about, where it is about one."""
    count: int = 1
    """Of mails."""
    reply: Reply = field(default_factory=partial(Reply, code=0))

    @property
    def key(self) -> str:
        """The name under which it is kept: the same cause is owed once."""
        return f"{_PREFIX}{self.kind}/{clean(self.delivery_id or self.account)}"

    @property
    def value(self) -> str:
        """What is kept."""
        reply = self.reply
        return json.dumps([self.account, self.delivery_id, self.count, reply.code, reply.enhanced, reply.text])


@dataclass(frozen=True, kw_only=True, slots=True)
class SentAlert:
    """An alert with the notices that tell it; without any it is forgotten."""

    alert: PendingAlert
    notices: tuple[NewMessage, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherWay:
    """A notice's other way: through another account, or into the inbox."""

    delivery: ClaimedDelivery
    destination: Destination
    address: str
    kind: RecipientKind
    header: bytes
    at: int


def enqueue(tx: Transaction, alerts: Sequence[PendingAlert]) -> None:
    """Note alerts; of mails that are held, those that are owed already count too."""
    for alert in alerts:
        whole = alert
        if alert.kind is Alert.ACCOUNT_GONE:
            # The row is there, and locked, before it is read: another node may count just now.
            tx.change(_OWE_NOTHING, alert.key, replace(alert, count=0).value)
            (known,) = tx.rows(_SELECT_ONE, alert.key)
            whole = replace(alert, count=alert.count + _read(known).count)
        tx.change(_OWE, whole.key, whole.value)


def pending_alerts(tx: Transaction) -> list[tuple[PendingAlert, ClaimedDelivery | None]]:
    """Give the alerts that are owed, each with its delivery where that is still there."""
    alerts = [_read(row) for row in tx.rows(_SELECT_OWED)]
    ids = [alert.delivery_id for alert in alerts if alert.delivery_id]
    found = {one.id: one for one in read_claimed(tx, tx.rows(_SELECT_DELIVERIES, ids))} if ids else {}
    return [(alert, found.get(alert.delivery_id)) for alert in alerts]


def mark_sent(tx: Transaction, told: Sequence[SentAlert], *, by: Claimant) -> list[bool]:
    """Queue the notices of owed alerts; tells for each whether it was still owed as it stands there."""
    paid = [tx.change(_PAID, one.alert.key, one.alert.value) > 0 for one in told]
    accept(tx, [notice for one, is_paid in zip(told, paid, strict=True) if is_paid for notice in one.notices], by=by)
    return paid


def queued_notices(tx: Transaction, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
    """Give the notices that are queued for an account since a moment or longer."""
    return read_claimed(tx, tx.rows(_SELECT_NOTICES, str(to_account(account)), before, limit))


def move_notices(tx: Transaction, ways: Sequence[OtherWay]) -> list[bool]:
    """Send queued notices another way, due now; tells for each whether it was still queued where it was."""
    moved = []
    for way in ways:
        message = way.delivery.message
        where, before = clean(str(way.destination)), str(way.delivery.destination)
        moved.append(tx.change(_MOVE, where, way.at, way.delivery.id, before) > 0)
        if moved[-1]:
            tx.change(_READDRESS, clean(way.address), way.kind.value, message.id, way.delivery.id)
            tx.change(_REWRITE, len(way.header), way.header, message.id)
            where = f"through {way.destination.name}" if way.destination.is_account else "into the inbox"
            write_events(tx, [(message.id, way.at, "notice_moved", f"{way.delivery.account} fails: {where}")])
    return moved


def _read(row: AnyRow) -> PendingAlert:
    key, value = row
    account, delivery_id, count, code, enhanced, text = json.loads(value)
    return PendingAlert(
        kind=Alert(key.split("/")[1]),
        account=account,
        delivery_id=delivery_id,
        count=count,
        reply=Reply(code=code, enhanced=enhanced, text=text),
    )
