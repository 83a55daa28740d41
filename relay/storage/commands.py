"""What people change in the queue: short transactions of their own, beside a running service or alone.

Every change is noted, for `relay trace`. What is being delivered is never changed. Many mails are changed in steps,
each as a whole, with pauses between them: the service's own writes do not wait longer than a step takes.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.model.destination import Destination, to_account
from relay.model.errors import RelayError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.rules.states import DELETED
from relay.storage import settling
from relay.storage.engine import Database, transaction
from relay.storage.transaction import Transaction

STEP: Final = 500
"""Mails of one transaction."""
_SHORTEST_REST: Final = 0.02
"""Seconds between two steps, at least; else as long as the step took."""

_SELECT_STATES: Final = "SELECT d.message_id, d.state, d.destination FROM delivery d WHERE d.message_id {any} {lock}"
_HOLD: Final = "UPDATE delivery SET state = 'held' WHERE message_id {any} AND state = 'queued' RETURNING message_id"
_RELEASE: Final = (
    "UPDATE delivery SET state = 'queued', due = ?, since = ?, uncertain = 0, attempts = 0, warned = false"
    " WHERE message_id {any} AND state = 'held' AND destination {any} RETURNING message_id"
)
_RETRY: Final = "UPDATE delivery SET due = ? WHERE message_id {any} AND state = 'queued' RETURNING message_id"
_SELECT_QUEUED: Final = (
    "SELECT id, message_id, destination FROM delivery WHERE state = 'queued' AND state <> 'done'"
    " ORDER BY destination, id"
)
_SELECT_LATER: Final = (
    "SELECT d.message_id FROM delivery d WHERE d.id {any} AND d.state = 'queued' AND d.due <> ? {lock}"
)
_RUN: Final = "UPDATE delivery SET due = ? WHERE id {any} AND state = 'queued'"
_SELECT_HEADERS: Final = 'SELECT id, "user", header, archive_header FROM message WHERE id {any} ORDER BY id'
# The account that took the mail in stays: what happened is not to be written anew.
_MOVE_MESSAGE: Final = (
    "UPDATE message SET header = ?, archive_header = ?, size = size + ?,"
    " reverse_path = CASE WHEN reverse_path = '' THEN '' ELSE ? END WHERE id = ?"
)
_MOVE_DELIVERIES: Final = (
    "UPDATE delivery SET destination = ? WHERE message_id {any} AND state IN ('queued', 'held')"
    " AND substr(destination, 1, 8) = 'account:' RETURNING message_id"
)
_DELETE_RECIPIENTS: Final = (
    "UPDATE recipient SET outcome = 'bounced', code = 0, enhanced = '', reply = ?"
    " WHERE message_id {any} AND outcome = 'pending'"
)
_DELETE_DELIVERIES: Final = (
    "UPDATE delivery SET state = 'done', marked = false, token = '', node = '', lease_until = NULL"
    " WHERE message_id {any} AND state IN ('queued', 'held') RETURNING message_id"
)
_DELETE_CONTENT: Final = "DELETE FROM content WHERE message_id {any}"

_IS_ACTIVE: Final = "is being sent now"
_IS_DONE: Final = "is done: nothing of it waits"
_IS_HELD: Final = "is held: `relay queue release` lets it go"
_TO_INBOX: Final = "goes into an inbox: no account sends it"

Progress = Callable[[int], None]
"""Is told of so many more mails that are done."""


def _no_progress(_n: int) -> None:
    """Tell nobody."""


Rewrite = Callable[[bytes, str | None], bytes]
"""Gives the header with which a mail of a user leaves through another account; raises RelayError where it may not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What a command did."""

    count: int
    """Mails that were changed."""
    skipped: Mapping[str, str]
    """Queue id -> why nothing of that mail was changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mail:
    """Where a mail stands before the change."""

    states: frozenset[str] = frozenset()
    destinations: frozenset[Destination] = frozenset()
    """Of what waits."""

    @property
    def why_not(self) -> str:
        """Why it can't be changed, where that is for all commands the same; else empty."""
        if DeliveryState.ACTIVE in self.states:
            return _IS_ACTIVE
        if not self.states:
            return "is not there any more"
        return "" if self.states - {DeliveryState.DONE} else _IS_DONE


@dataclass(slots=True)
class _Step:
    """One transaction."""

    tx: Transaction
    mails: dict[str, _Mail]
    skipped: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    """The mail of each delivery that was changed."""

    def free(self) -> list[str]:
        """Give the mails that wait whole; skip those of which nothing waits or something is being delivered."""
        self.skipped |= {message_id: mail.why_not for message_id, mail in self.mails.items() if mail.why_not}
        return [message_id for message_id in self.mails if message_id not in self.skipped]

    def change(self, sql: str, *parameters: str | int | list[str]) -> None:
        """Run an UPDATE that gives the mails of the deliveries that it changed."""
        self.changed += [row[0] for row in self.tx.rows(sql, *parameters)]

    def skip_unchanged(self, why: Callable[[_Mail], str]) -> None:
        """Say of what is as it was why it is so."""
        for message_id in self.mails.keys() - {*self.changed} - self.skipped.keys():
            mail = self.mails[message_id]
            self.skipped[message_id] = mail.why_not or why(mail)

    def note(self, now: int, what: str, detail: str) -> None:
        """Note what was done, for `relay trace`."""
        settling.write_events(self.tx, [(message_id, now, what, detail) for message_id in sorted({*self.changed})])


def hold(engine: Database, ids: Sequence[str], *, now: int, progress: Progress = _no_progress) -> Done:
    """Hold what is queued of these mails."""

    def step(one: _Step) -> None:
        one.change(_HOLD, [*one.mails])
        one.skip_unchanged(lambda _mail: "is held already")
        one.note(now, "held", "by command")

    return _in_steps(engine, ids, step, progress)


def release(
    engine: Database,
    ids: Sequence[str],
    *,
    now: int,
    sends: Collection[str] | None = None,
    progress: Progress = _no_progress,
) -> Done:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew.

    What is held for an account that is not among `sends` (None: all are) stays: it would only be held again.
    """

    def step(one: _Step) -> None:
        waiting = {destination for mail in one.mails.values() for destination in mail.destinations}
        good = [to for to in waiting if sends is None or not to.is_account or to.name in sends]
        one.change(_RELEASE, AT_ONCE, now, [*one.mails], [str(to) for to in good])
        one.skip_unchanged(lambda mail: _why_not_released(mail, good))
        one.note(now, "released", "by command")

    return _in_steps(engine, ids, step, progress)


def _why_not_released(mail: _Mail, good: Collection[Destination]) -> str:
    if DeliveryState.HELD not in mail.states:
        return "is not held"
    homeless = ", ".join(sorted(to.name for to in mail.destinations - {*good}))
    return f"would be held again: its account {homeless} is excluded or gone; `relay queue move` gives it another"


def retry(engine: Database, ids: Sequence[str], *, now: int, progress: Progress = _no_progress) -> Done:
    """Make what is queued of these mails due at once."""

    def step(one: _Step) -> None:
        one.change(_RETRY, AT_ONCE, [*one.mails])
        one.skip_unchanged(lambda _mail: _IS_HELD)
        one.note(now, "retried", "by command")

    return _in_steps(engine, ids, step, progress)


def run_queue(engine: Database, *, now: int, progress: Progress = _no_progress) -> dict[str, list[str]]:
    """Make everything that is queued due at once; gives all of these mails by their accounts."""
    with transaction(engine, write=False) as tx:
        rows = tx.rows(_SELECT_QUEUED)
    mails: dict[str, dict[str, None]] = {}
    for _, message_id, destination in rows:
        mails.setdefault(Destination.parse(destination).account, {})[message_id] = None
    for part in _parts([row[0] for row in rows]):
        with transaction(engine, write=True) as tx:
            # Only what changes is noted: a command that is given every minute would fill the history.
            later = sorted({row[0] for row in tx.rows(_SELECT_LATER, part, AT_ONCE)})
            settling.write_events(tx, [(one, now, "retried", "by command, with the queue") for one in later])
            tx.change(_RUN, AT_ONCE, part)
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
    progress: Progress = _no_progress,
) -> Done:
    """Let what waits of these mails leave through another account, whose sender `rewrite` writes.

    `reverse_path` is that account's address. A mail of which something is being delivered is skipped whole, and so is
    one that `rewrite` refuses; what goes into an inbox stays where it is.
    """

    def step(one: _Step) -> None:
        ids = []
        for message_id in one.free():
            if not any(to.is_account for to in one.mails[message_id].destinations):
                one.skipped[message_id] = _TO_INBOX
            else:
                ids.append(message_id)
        moved = []
        for message_id, user, header, archive_header in one.tx.rows(_SELECT_HEADERS, ids):
            try:
                fresh = rewrite(header, user)
                archive = None if archive_header is None else rewrite(archive_header, user)
            except RelayError as error:
                one.skipped[message_id] = str(error)
                continue
            one.tx.change(_MOVE_MESSAGE, fresh, archive, len(fresh) - len(header), reverse_path, message_id)
            moved.append(message_id)
        one.change(_MOVE_DELIVERIES, str(to_account(account)), moved)
        one.note(now, "moved", f"by command, to the account {account}")

    return _in_steps(engine, ids, step, progress)


def delete(engine: Database, ids: Sequence[str], *, now: int, progress: Progress = _no_progress) -> Done:
    """Delete what waits of these mails, with their bodies; header and history stay until their time is over.

    A mail of which something is being delivered is skipped whole.
    """

    def step(one: _Step) -> None:
        ids = one.free()
        one.tx.change(_DELETE_RECIPIENTS, DELETED, ids)
        one.change(_DELETE_DELIVERIES, ids)
        one.tx.change(_DELETE_CONTENT, ids)
        one.note(now, "deleted", "by command; nobody is told")

    return _in_steps(engine, ids, step, progress)


def _in_steps(engine: Database, ids: Sequence[str], step: Callable[[_Step], None], progress: Progress) -> Done:
    count = 0
    skipped: dict[str, str] = {}
    for part in _parts(list(dict.fromkeys(ids))):
        with transaction(engine, write=True) as tx:
            one = _Step(tx, _look(tx, part))
            step(one)
        count += len({*one.changed})
        progress(len(part))
        skipped |= {message_id: one.skipped[message_id] for message_id in part if message_id in one.skipped}
    return Done(count=count, skipped=skipped)


def _parts(ids: list[str]) -> Iterator[list[str]]:
    """Give the steps, with the pauses between them."""
    for n in range(0, len(ids), STEP):
        begun = time.monotonic()
        yield ids[n : n + STEP]
        if n + STEP < len(ids):
            # Who waits for the lock asks for it now and then only: without a pause he would hardly ever get it.
            time.sleep(max(_SHORTEST_REST, time.monotonic() - begun))


def _look(tx: Transaction, ids: list[str]) -> dict[str, _Mail]:
    states: dict[str, set[str]] = {message_id: set() for message_id in ids}
    destinations: dict[str, set[Destination]] = {message_id: set() for message_id in ids}
    for message_id, state, destination in tx.rows(_SELECT_STATES, ids):
        states[message_id].add(state)
        if state != DeliveryState.DONE:
            destinations[message_id].add(Destination.parse(destination))
    return {
        message_id: _Mail(states=frozenset(states[message_id]), destinations=frozenset(destinations[message_id]))
        for message_id in ids
    }
