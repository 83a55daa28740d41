"""Many mails changed by a person: in steps, each of which is one transaction, with pauses between them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from relay.model.destination import Destination
from relay.model.mail import DeliveryState
from relay.storage import settling
from relay.storage.engine import Database, transaction
from relay.storage.statement import Parameter, Statement, is_in
from relay.storage.tables import delivery
from relay.storage.transaction import Transaction

STEP: Final = 500
"""Mails of one transaction."""
_SHORTEST_REST: Final = 0.02
"""Seconds between two steps, at least; else as long as the step took."""

_SELECT_STATES: Final = Statement(
    select(delivery.c.message_id, delivery.c.state, delivery.c.destination)
    .where(is_in(delivery.c.message_id, "mails"))
    .with_for_update(of=delivery)
)

_IS_ACTIVE: Final = "is being sent now"
_IS_DONE: Final = "is done: nothing of it waits"

Progress = Callable[[int], None]
"""Is told of so many more mails that are done."""


def no_progress(_n: int) -> None:
    """Tell nobody."""


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
class Step:
    """One transaction."""

    tx: Transaction
    mails: dict[str, Mail]
    skipped: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    """The mail of each delivery that was changed."""

    def free(self) -> list[str]:
        """Give the mails that wait whole; skip those of which nothing waits or something is being delivered."""
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


def in_steps(engine: Database, ids: Sequence[str], step: Callable[[Step], None], progress: Progress) -> Done:
    """Change mails in steps; `progress` is told of those of each step. Raises StorageError."""
    count = 0
    skipped: dict[str, str] = {}
    for part in parts(list(dict.fromkeys(ids))):
        with transaction(engine, write=True) as tx:
            one = Step(tx, _look(tx, part))
            step(one)
        count += len({*one.changed})
        progress(len(part))
        skipped |= {message_id: one.skipped[message_id] for message_id in part if message_id in one.skipped}
    return Done(count=count, skipped=skipped)


def parts(ids: list[str]) -> Iterator[list[str]]:
    """Give the steps, with the pauses between them."""
    for n in range(0, len(ids), STEP):
        begun = time.monotonic()
        yield ids[n : n + STEP]
        if n + STEP < len(ids):
            # Who waits for the lock asks for it now and then only: without a pause he would hardly ever get it.
            time.sleep(max(_SHORTEST_REST, time.monotonic() - begun))


def _look(tx: Transaction, ids: list[str]) -> dict[str, Mail]:
    states: dict[str, set[str]] = {message_id: set() for message_id in ids}
    destinations: dict[str, set[Destination]] = {message_id: set() for message_id in ids}
    for message_id, state, destination in tx.rows(_SELECT_STATES, mails=ids):
        states[message_id].add(state)
        if state != DeliveryState.DONE:
            destinations[message_id].add(Destination.parse(destination))
    return {
        message_id: Mail(states=frozenset(states[message_id]), destinations=frozenset(destinations[message_id]))
        for message_id in ids
    }
