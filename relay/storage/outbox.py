"""What the relay itself still has to say: alerts that a change of state owes, findings, notices that need another way.

Guarantee: an alert is owed from the transaction that gives cause for it, until the one that queues its notices. What
people were told of a finding is noted with the notice that tells it, and only where nobody has noted anything else
meanwhile: neither a crash nor a second node tells it twice, or leaves it out.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import partial
from typing import Final

from sqlalchemy import bindparam, func, update

from relay.model.destination import Destination, to_account
from relay.model.mail import ClaimedDelivery, NewMessage, RecipientKind
from relay.model.reply import Reply
from relay.rules.notice_texts import Alert
from relay.storage import meta
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import IN_LANE, SELECT_CLAIMED, clean, read_claimed
from relay.storage.settling import write_events
from relay.storage.statement import LIMIT, Statement, is_in
from relay.storage.tables import delivery, message, recipient
from relay.storage.transaction import Transaction

_ALERT: Final = "alert"
_WATCH: Final = "watch"
_SELECT_DELIVERIES: Final = Statement(SELECT_CLAIMED.where(is_in(delivery.c.id, "ids")))
_SELECT_NOTICES: Final = Statement(
    SELECT_CLAIMED.where(IN_LANE, delivery.c.since <= bindparam("before"), message.c.notice)
    .order_by(delivery.c.id)
    .limit(LIMIT)
)
_MOVE: Final = Statement(
    update(delivery)
    .values(destination=bindparam("after"), due=bindparam("at"), attempts=0)
    .where(
        delivery.c.id == bindparam("delivery"),
        delivery.c.state == "queued",
        delivery.c.destination == bindparam("before"),
    )
)
_READDRESS: Final = Statement(
    update(recipient)
    .values(address=bindparam("to"), kind=bindparam("why"))
    .where(recipient.c.message_id == bindparam("mail"), recipient.c.delivery_id == bindparam("delivery"))
)
_REWRITE: Final = Statement(
    update(message)
    .values(size=message.c.size - func.length(message.c.header) + bindparam("octets"), header=bindparam("new"))
    .where(message.c.id == bindparam("mail"))
)


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
        return f"{_ALERT}/{self.kind}/{clean(self.delivery_id or self.account)}"

    @property
    def value(self) -> str:
        """What is kept."""
        reply = self.reply
        return json.dumps([self.account, self.delivery_id, self.count, reply.code, reply.enhanced, reply.text])


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of one finding. Times: milliseconds since 1970."""

    key: str
    since: int
    """When it began, or was seen first."""
    told: int | None = None
    """When people were told of it last; None: they have not been."""
    is_open: bool = False
    """Whether people were told of it, and not yet that it is over."""
    well: int | None = None
    """Since when it is not found any more; None: it lasts."""
    title: str = ""
    """What it was called when people were told."""
    over: str = ""
    """What they are to be told when it is over."""

    @property
    def value(self) -> str:
        """What is kept: the fields in their order, without the key."""
        return json.dumps(astuple(self)[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchStep:
    """One change of what is known, and what people are told with it."""

    before: Watch | None
    """None: nothing is known."""
    after: Watch | None
    """None: it is forgotten."""
    notice: NewMessage | None = None


def enqueue(tx: Transaction, alerts: Sequence[PendingAlert]) -> None:
    """Note alerts; of mails that are held, those that are owed already count too."""
    for alert in alerts:
        whole = alert
        if alert.kind is Alert.ACCOUNT_GONE:
            # The row is there, and locked, before it is read: another node may count just now.
            known = _read_alert(alert.key, meta.lock(tx, alert.key, replace(alert, count=0).value))
            whole = replace(alert, count=alert.count + known.count)
        meta.write(tx, whole.key, whole.value)


def pending_alerts(tx: Transaction) -> list[tuple[PendingAlert, ClaimedDelivery | None]]:
    """Return the alerts that are owed, each with its delivery where that is still there."""
    alerts = [_read_alert(*row) for row in meta.read_family(tx, _ALERT)]
    ids = [alert.delivery_id for alert in alerts if alert.delivery_id]
    found = {one.id: one for one in read_claimed(tx, tx.rows(_SELECT_DELIVERIES, ids=ids))} if ids else {}
    return [(alert, found.get(alert.delivery_id)) for alert in alerts]


def mark_sent(tx: Transaction, by: Claimant, alert: PendingAlert, notices: Sequence[NewMessage]) -> bool:
    """Queue the notices that tell an alert; without any it is forgotten. Return whether it was still owed as it was."""
    is_owed = meta.replace(tx, alert.key, alert.value, None)
    if is_owed:
        accept(tx, notices, by=by)
    return is_owed


def queued_notices(tx: Transaction, account: str, before: int, limit: int) -> list[ClaimedDelivery]:
    """Return the notices that are queued for an account since a moment or longer."""
    return read_claimed(tx, tx.rows(_SELECT_NOTICES, lane=str(to_account(account)), before=before, limit=limit))


def move_notice(
    tx: Transaction, notice: ClaimedDelivery, destination: Destination, address: str, header: bytes, *, at: int
) -> bool:
    """Send a queued notice another way, due at a moment; return whether it was still queued where it was.

    `address` is its reader's; a user's name where it goes into an inbox.
    """
    mail, before = notice.message.id, str(notice.destination)
    if not tx.change(_MOVE, after=clean(str(destination)), at=at, delivery=notice.id, before=before):
        return False
    kind = RecipientKind.TO if destination.is_account else RecipientKind.INBOX
    tx.change(_READDRESS, to=clean(address), why=kind.value, mail=mail, delivery=notice.id)
    tx.change(_REWRITE, octets=len(header), new=header, mail=mail)
    where = f"through {destination.name}" if destination.is_account else "into the inbox"
    write_events(tx, [(mail, at, "notice_moved", f"{notice.account} fails: {where}")])
    return True


def _read_alert(key: str, value: str) -> PendingAlert:
    account, delivery_id, count, code, enhanced, text = json.loads(value)
    return PendingAlert(
        kind=Alert(key.split("/")[1]),
        account=account,
        delivery_id=delivery_id,
        count=count,
        reply=Reply(code=code, enhanced=enhanced, text=text),
    )


def read_watches(tx: Transaction) -> dict[str, Watch]:
    """Return what is known, by key."""
    known = ((key.removeprefix(f"{_WATCH}/"), value) for key, value in meta.read_family(tx, _WATCH))
    return {key: Watch(key, *json.loads(value)) for key, value in known}


def take_step(tx: Transaction, by: Claimant, step: WatchStep) -> bool:
    """Take a step with its notice; false, and nothing done, where what was known is not as it was any more."""
    known = step.before or step.after
    before, after = (None if one is None else one.value for one in (step.before, step.after))
    taken = known is not None and meta.replace(tx, f"{_WATCH}/{clean(known.key)}", before, after)
    if taken and step.notice is not None:
        accept(tx, [step.notice], by=by)
    return taken
