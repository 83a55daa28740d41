"""What people were told of a finding that lasts: kept with the notice that tells it, so that it is told once.

Guarantee: a notice is queued in the transaction that notes it, and only where nobody has noted anything else meanwhile:
neither a crash nor a second node tells the same thing twice, or leaves it out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.model.mail import NewMessage
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import clean
from relay.storage.transaction import AnyRow, Transaction
from relay.storage.writer import Operation, Writer

_SELECT: Final = "SELECT key, value FROM meta WHERE key >= 'watch/' AND key < 'watch0' ORDER BY key"
_PREFIX: Final = "watch/"
_INSERT: Final = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
_UPDATE: Final = "UPDATE meta SET value = ? WHERE key = ? AND value = ?"
_DELETE: Final = "DELETE FROM meta WHERE key = ? AND value = ?"


@dataclass(frozen=True, kw_only=True, slots=True)
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
        """What is kept."""
        return json.dumps([self.since, self.told, self.is_open, self.well, self.title, self.over])


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchStep:
    """One change of what is known, and what people are told with it."""

    before: Watch | None
    """None: nothing is known."""
    after: Watch | None
    """None: it is forgotten."""
    notice: NewMessage | None = None


def read_watches(tx: Transaction) -> dict[str, Watch]:
    """Give what is known, by key."""
    return {watch.key: watch for watch in map(_read, tx.rows(_SELECT))}


def apply_steps(tx: Transaction, steps: Sequence[WatchStep], *, by: Claimant) -> list[bool]:
    """Take steps, each with its notice; tells for each whether what was known was still as it stands there."""
    taken = [_apply(tx, step) for step in steps]
    notices = [step.notice for step, good in zip(steps, taken, strict=True) if good and step.notice is not None]
    if notices:
        accept(tx, notices, by=by)
    return taken


class Watches:
    """Writes what people were told, through the group commit of a service."""

    def __init__(self, writer: Writer, *, node: str = "") -> None:
        self._writer = writer
        self._by = Claimant(node)
        self._step = Operation(40, self._apply)

    async def take(self, step: WatchStep) -> bool:
        """Take a step; false, and nothing done, where another node was first. Raises StorageError."""
        return await self._writer.run(self._step, step)

    def _apply(self, tx: Transaction, steps: Sequence[WatchStep]) -> list[bool]:
        return apply_steps(tx, steps, by=self._by)


def _apply(tx: Transaction, step: WatchStep) -> bool:
    before, after = step.before, step.after
    if before is None:
        return after is not None and tx.change(_INSERT, _name(after.key), after.value) > 0
    if after is None:
        return tx.change(_DELETE, _name(before.key), before.value) > 0
    return tx.change(_UPDATE, after.value, _name(before.key), before.value) > 0


def _name(key: str) -> str:
    return _PREFIX + clean(key)


def _read(row: AnyRow) -> Watch:
    since, told, is_open, well, title, over = json.loads(row[1])
    return Watch(
        key=row[0].removeprefix(_PREFIX),
        since=since,
        told=told,
        is_open=is_open,
        well=well,
        title=title,
        over=over,
    )
