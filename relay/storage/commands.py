"""What people change in the queue: short transactions of their own, beside a running service or alone.

Every change is noted, for `relay trace`. What is being delivered is never changed. Each call is one transaction: many
mails are changed in steps (`parts`), so that the service's own writes wait for one step only.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Text, bindparam, case, select, update

from relay.model.destination import Destination, to_account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.rules.states import DELETED
from relay.storage import settling
from relay.storage.engine import Database, transaction
from relay.storage.statement import Parameter, Statement, is_in
from relay.storage.tables import delivery, message, recipient
from relay.storage.transaction import Transaction

STEP: Final = 500
"""Mails of one transaction."""
_SHORTEST_REST: Final = 0.02
"""Seconds between two steps, at least; else as long as the step took."""
_OF_MAILS: Final = is_in(delivery.c.message_id, "mails")
_SELECT_STATES: Final = Statement(
    select(delivery.c.message_id, delivery.c.state, delivery.c.destination)
    .where(_OF_MAILS)
    .with_for_update(of=delivery)
)
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
    select(delivery.c.message_id, delivery.c.destination, delivery.c.due)
    .where(_OF_MAILS, _STILL_QUEUED)
    .with_for_update(of=delivery)
)
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

Rewrite = Callable[[bytes, str | None], bytes]
"""Returns the header with which a mail of a user leaves through another account; raises RelayError where it may not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a command did."""

    count: int
    """Mails that were changed."""
    skipped: Mapping[str, str]
    """Queue id -> why nothing of that mail was changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """Where a mail stands before the change."""

    states: set[str] = field(default_factory=set)
    destinations: set[Destination] = field(default_factory=set)
    """Of what waits."""

    @property
    def why_not(self) -> str:
        """Why it can't be changed, where that is for all commands the same; else empty."""
        if DeliveryState.ACTIVE in self.states:
            return "is being sent now"
        if not self.states:
            return "is not there any more"
        return "" if self.states - {DeliveryState.DONE} else "is done: nothing of it waits"


@dataclass(slots=True)
class Step:
    """One transaction."""

    tx: Transaction
    mails: dict[str, Mail]
    skipped: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    """The mail of each delivery that was changed."""

    @property
    def done(self) -> Done:
        """What came of it."""
        skipped = {message_id: self.skipped[message_id] for message_id in self.mails if message_id in self.skipped}
        return Done(count=len({*self.changed}), skipped=skipped)

    def free(self) -> list[str]:
        """Return the mails that wait whole; skip those of which nothing waits or something is being delivered."""
        self.skipped |= {message_id: mail.why_not for message_id, mail in self.mails.items() if mail.why_not}
        return [message_id for message_id in self.mails if message_id not in self.skipped]

    def change(self, statement: Statement[str], mails: Sequence[str], **parameters: Parameter) -> None:
        """Run an UPDATE that returns the mail of each delivery that it changed."""
        self.changed += [row[0] for row in self.tx.change_rows(statement, mails=list(mails), **parameters)]

    def skip_unchanged(self, why: Callable[[Mail], str]) -> None:
        """Say of what is as it was why it is so."""
        for message_id in self.mails.keys() - {*self.changed} - self.skipped.keys():
            mail = self.mails[message_id]
            self.skipped[message_id] = mail.why_not or why(mail)

    def note(self, now: int, what: str, detail: str) -> None:
        """Note what was done, for `relay trace`."""
        settling.write_events(self.tx, [(message_id, now, what, detail) for message_id in sorted({*self.changed})])


@contextlib.contextmanager
def one_step(engine: Database, ids: Sequence[str]) -> Iterator[Step]:
    """Change some mails in one transaction. Raises StorageError."""
    with transaction(engine, write=True) as tx:
        yield Step(tx, _look(tx, list(dict.fromkeys(ids))))


def parts(pages: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Return the steps, with the pauses between them; the ids come in pages of any size."""
    begun: float | None = None
    for page in pages:
        for n in range(0, len(page), STEP):
            if begun is not None:
                # Who waits for the lock asks for it now and then only: without a pause he would hardly ever get it.
                time.sleep(max(_SHORTEST_REST, time.monotonic() - begun))
            begun = time.monotonic()
            yield page[n : n + STEP]


def _look(tx: Transaction, ids: list[str]) -> dict[str, Mail]:
    mails = {message_id: Mail() for message_id in ids}
    for message_id, state, destination in tx.rows(_SELECT_STATES, mails=ids):
        mails[message_id].states.add(state)
        if state != DeliveryState.DONE:
            mails[message_id].destinations.add(Destination.parse(destination))
    return mails


def _by_command(by: str) -> str:
    return f"by command of {by}" if by else "by command"


def hold(engine: Database, ids: Sequence[str], *, now: int, by: str = "") -> Done:
    """Hold what is queued of these mails."""
    with one_step(engine, ids) as step:
        step.change(_HOLD, [*step.mails])
        step.skip_unchanged(lambda _mail: "is held already")
        step.note(now, "held", _by_command(by))
    return step.done


def release(
    engine: Database, ids: Sequence[str], *, now: int, by: str = "", sends: Collection[str] | None = None
) -> Done:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew.

    What is held for an account that is not among `sends` (None: all are) stays: it would only be held again.
    """
    with one_step(engine, ids) as step:
        waiting = {destination for mail in step.mails.values() for destination in mail.destinations}
        good = [to for to in waiting if sends is None or not to.is_account or to.name in sends]
        step.change(_RELEASE, [*step.mails], now=now, destinations=[str(to) for to in good])
        step.skip_unchanged(lambda mail: _why_not_released(mail, good))
        step.note(now, "released", _by_command(by))
    return step.done


def _why_not_released(mail: Mail, good: Collection[Destination]) -> str:
    if DeliveryState.HELD not in mail.states:
        return "is not held"
    orphaned = ", ".join(sorted(to.name for to in mail.destinations - {*good}))
    return f"would be held again: its account {orphaned} is excluded or gone; `relay queue move` gives it another"


def retry(engine: Database, ids: Sequence[str], *, now: int, by: str = "") -> Done:
    """Make what is queued of these mails due at once."""
    with one_step(engine, ids) as step:
        step.change(_RETRY, [*step.mails])
        step.skip_unchanged(lambda _mail: "is held: `relay queue release` lets it go")
        step.note(now, "retried", _by_command(by))
    return step.done


def run_queue(engine: Database, ids: Sequence[str], *, now: int, by: str = "") -> dict[str, set[str]]:
    """Make what is queued of these mails due at once; return those of which anything is, by their accounts."""
    mails: dict[str, set[str]] = {}
    with transaction(engine, write=True) as tx:
        rows = tx.rows(_SELECT_QUEUED, mails=list(ids))
        # Only what changes is noted: a command that is given every minute would fill the history.
        later = sorted({message_id for message_id, _, due in rows if due != AT_ONCE})
        settling.write_events(tx, [(one, now, "retried", f"{_by_command(by)}, with the queue") for one in later])
        tx.change_rows(_RETRY, mails=later)
    for message_id, destination, _ in rows:
        mails.setdefault(Destination.parse(destination).account, set()).add(message_id)
    return mails


def move(
    engine: Database, ids: Sequence[str], account: str, rewrite: Rewrite, *, reverse_path: str, now: int, by: str = ""
) -> Done:
    """Let what waits of these mails leave through another account, whose sender `rewrite` writes.

    `reverse_path` is that account's address. A mail of which something is being delivered is skipped whole, and so is
    one that `rewrite` refuses; what goes into an inbox stays where it is.
    """
    with one_step(engine, ids) as step:
        free, moved = step.free(), list[str]()
        for message_id in free:
            if not any(to.is_account for to in step.mails[message_id].destinations):
                step.skipped[message_id] = "goes into an inbox: no account sends it"
        wanted = [message_id for message_id in free if message_id not in step.skipped]
        for message_id, user, header, archive_header in step.tx.rows(_SELECT_HEADERS, mails=wanted):
            try:
                fresh = rewrite(header, user)
                archive = None if archive_header is None else rewrite(archive_header, user)
            except RelayError as error:
                step.skipped[message_id] = str(error)
                continue
            headers = {"header": fresh, "archive_header": archive, "growth": len(fresh) - len(header)}
            step.tx.change(_MOVE_MESSAGE, mail=message_id, reverse_path=reverse_path, **headers)
            moved.append(message_id)
        step.change(_MOVE_DELIVERIES, moved, destination=str(to_account(account)))
        step.note(now, "moved", f"{_by_command(by)}, to the account {account}")
    return step.done


def delete(engine: Database, ids: Sequence[str], *, now: int, by: str = "") -> Done:
    """Delete what waits of these mails, with their bodies; header and history stay until their time is over."""
    with one_step(engine, ids) as step:
        free = step.free()
        step.tx.change(_DELETE_RECIPIENTS, mails=free)
        step.change(_DELETE_DELIVERIES, free)
        settling.drop_bodies(step.tx, free)
        step.note(now, "deleted", f"{_by_command(by)}; nobody is told")
    return step.done
