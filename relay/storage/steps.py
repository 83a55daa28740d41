"""Many mails changed by a person: in steps, each of which is one transaction, with pauses between them."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
