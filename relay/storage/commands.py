"""What people change in the queue: short transactions of their own, beside a running service or alone.

Every change is noted, for `relay trace`. What is being delivered is never changed. Many mails are changed in steps,
each as a whole, with pauses between them: the service's own writes do not wait longer than a step takes.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from sqlalchemy import Text, bindparam, case, select, update

from relay.model.destination import Destination, to_account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.rules.states import DELETED
from relay.storage import settling
from relay.storage.creating import drop_bodies
from relay.storage.engine import Database, transaction
from relay.storage.selection import IS_QUEUED
from relay.storage.statement import Statement, is_in
from relay.storage.steps import Done, Mail, Progress, Step, in_steps, no_progress, parts
from relay.storage.tables import delivery, message, recipient

_OF_MAILS: Final = is_in(delivery.c.message_id, "mails")
_HELD: Final = delivery.c.state == "held"
_STILL_QUEUED: Final = delivery.c.state == "queued"
_WAITS: Final = delivery.c.state.in_(["queued", "held"])

_CHANGE: Final = update(delivery).where(_OF_MAILS).returning(delivery.c.message_id)
_HOLD: Final = Statement(_CHANGE.values(state="held").where(_STILL_QUEUED))
_RELEASE: Final = Statement(
    _CHANGE.values(state="queued", due=AT_ONCE, since=bindparam("now"), uncertain=0, attempts=0, warned=False).where(
        _HELD, is_in(delivery.c.destination, "destinations")
    )
)
_RETRY: Final = Statement(_CHANGE.values(due=AT_ONCE).where(_STILL_QUEUED))
_SELECT_QUEUED: Final = Statement(
    select(delivery.c.id, delivery.c.message_id, delivery.c.destination)
    .where(IS_QUEUED)
    .order_by(delivery.c.destination, delivery.c.id)
)
_THESE_QUEUED: Final = (is_in(delivery.c.id, "ids"), _STILL_QUEUED)
_SELECT_LATER: Final = Statement(
    select(delivery.c.message_id).where(*_THESE_QUEUED, delivery.c.due != AT_ONCE).with_for_update(of=delivery)
)
_RUN: Final = Statement(update(delivery).values(due=AT_ONCE).where(*_THESE_QUEUED))
_SELECT_HEADERS: Final = Statement(
    select(message.c.id, message.c.user, message.c.header, message.c.archive_header)
    .where(is_in(message.c.id, "mails"))
    .order_by(message.c.id)
)
# The account that took the mail in stays: what happened is not to be written anew.
_MOVE_MESSAGE: Final = Statement(
    update(message)
    .values(
        header=bindparam("header"),
        archive_header=bindparam("archive_header"),
        size=message.c.size + bindparam("growth"),
        reverse_path=case((message.c.reverse_path == "", ""), else_=bindparam("reverse_path", type_=Text())),
    )
    .where(message.c.id == bindparam("mail"))
)
_MOVE_DELIVERIES: Final = Statement(
    _CHANGE.values(destination=bindparam("destination")).where(_WAITS, delivery.c.destination.startswith("account:"))
)
_DELETE_RECIPIENTS: Final = Statement(
    update(recipient)
    .values(outcome="bounced", code=0, enhanced="", reply=DELETED)
    .where(is_in(recipient.c.message_id, "mails"), recipient.c.outcome == "pending")
)
_DELETE_DELIVERIES: Final = Statement(_CHANGE.values(state="done", **settling.UNCLAIMED).where(_WAITS))

_IS_HELD: Final = "is held: `relay queue release` lets it go"
_TO_INBOX: Final = "goes into an inbox: no account sends it"

Rewrite = Callable[[bytes, str | None], bytes]
"""Gives the header with which a mail of a user leaves through another account; raises RelayError where it may not."""


def _by_command(by: str) -> str:
    """Say for the history that a command did it, and whose."""
    return f"by command of {by}" if by else "by command"


def hold(engine: Database, ids: Sequence[str], *, now: int, by: str = "", progress: Progress = no_progress) -> Done:
    """Hold what is queued of these mails."""

    def step(one: Step) -> None:
        one.change(_HOLD, [*one.mails])
        one.skip_unchanged(lambda _mail: "is held already")
        one.note(now, "held", _by_command(by))

    return in_steps(engine, ids, step, progress)


def release(
    engine: Database,
    ids: Sequence[str],
    *,
    now: int,
    by: str = "",
    sends: Collection[str] | None = None,
    progress: Progress = no_progress,
) -> Done:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew.

    What is held for an account that is not among `sends` (None: all are) stays: it would only be held again.
    """

    def step(one: Step) -> None:
        waiting = {destination for mail in one.mails.values() for destination in mail.destinations}
        good = [to for to in waiting if sends is None or not to.is_account or to.name in sends]
        one.change(_RELEASE, [*one.mails], now=now, destinations=[str(to) for to in good])
        one.skip_unchanged(lambda mail: _why_not_released(mail, good))
        one.note(now, "released", _by_command(by))

    return in_steps(engine, ids, step, progress)


def _why_not_released(mail: Mail, good: Collection[Destination]) -> str:
    if DeliveryState.HELD not in mail.states:
        return "is not held"
    homeless = ", ".join(sorted(to.name for to in mail.destinations - {*good}))
    return f"would be held again: its account {homeless} is excluded or gone; `relay queue move` gives it another"


def retry(engine: Database, ids: Sequence[str], *, now: int, by: str = "", progress: Progress = no_progress) -> Done:
    """Make what is queued of these mails due at once."""

    def step(one: Step) -> None:
        one.change(_RETRY, [*one.mails])
        one.skip_unchanged(lambda _mail: _IS_HELD)
        one.note(now, "retried", _by_command(by))

    return in_steps(engine, ids, step, progress)


def run_queue(engine: Database, *, now: int, by: str = "", progress: Progress = no_progress) -> dict[str, list[str]]:
    """Make everything that is queued due at once; gives all of these mails by their accounts."""
    with transaction(engine, write=False) as tx:
        rows = tx.rows(_SELECT_QUEUED)
    mails: dict[str, dict[str, None]] = {}
    for _, message_id, destination in rows:
        mails.setdefault(Destination.parse(destination).account, {})[message_id] = None
    for part in parts([row[0] for row in rows]):
        with transaction(engine, write=True) as tx:
            # Only what changes is noted: a command that is given every minute would fill the history.
            later = sorted({row[0] for row in tx.rows(_SELECT_LATER, ids=part)})
            settling.write_events(tx, [(one, now, "retried", f"{_by_command(by)}, with the queue") for one in later])
            tx.change(_RUN, ids=part)
        progress(len(part))
    return {account: list(ids) for account, ids in mails.items()}


def move(
    engine: Database,
    ids: Sequence[str],
    account: str,
    rewrite: Rewrite,
    *,
    reverse_path: str,
    now: int,
    by: str = "",
) -> Done:
    """Let what waits of these mails leave through another account, whose sender `rewrite` writes.

    `reverse_path` is that account's address. A mail of which something is being delivered is skipped whole, and so is
    one that `rewrite` refuses; what goes into an inbox stays where it is.
    """

    def step(one: Step) -> None:
        ids = []
        for message_id in one.free():
            if not any(to.is_account for to in one.mails[message_id].destinations):
                one.skipped[message_id] = _TO_INBOX
            else:
                ids.append(message_id)
        moved = []
        for message_id, user, header, archive_header in one.tx.rows(_SELECT_HEADERS, mails=ids):
            try:
                fresh = rewrite(header, user)
                archive = None if archive_header is None else rewrite(archive_header, user)
            except RelayError as error:
                one.skipped[message_id] = str(error)
                continue
            headers = {"header": fresh, "archive_header": archive, "growth": len(fresh) - len(header)}
            one.tx.change(_MOVE_MESSAGE, mail=message_id, reverse_path=reverse_path, **headers)
            moved.append(message_id)
        one.change(_MOVE_DELIVERIES, moved, destination=str(to_account(account)))
        one.note(now, "moved", f"{_by_command(by)}, to the account {account}")

    return in_steps(engine, ids, step, no_progress)


def delete(engine: Database, ids: Sequence[str], *, now: int, by: str = "", progress: Progress = no_progress) -> Done:
    """Delete what waits of these mails, with their bodies; header and history stay until their time is over.

    A mail of which something is being delivered is skipped whole.
    """

    def step(one: Step) -> None:
        ids = one.free()
        one.tx.change(_DELETE_RECIPIENTS, mails=ids)
        one.change(_DELETE_DELIVERIES, ids)
        drop_bodies(one.tx, ids)
        one.note(now, "deleted", f"{_by_command(by)}; nobody is told")

    return in_steps(engine, ids, step, progress)
