"""What people were told of a finding that lasts: kept with the notice that tells it, so that it is told once.

Guarantee: a notice is queued in the transaction that notes it, and only where nobody has noted anything else meanwhile:
neither a crash nor a second node tells the same thing twice, or leaves it out.
"""

import json
from dataclasses import astuple, dataclass, fields
from typing import Final

from relay.model.mail import NewMessage
from relay.storage import meta
from relay.storage.accepting import Claimant, accept
from relay.storage.rows import clean
from relay.storage.transaction import Transaction

_FAMILY: Final = "watch"


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


def read_watches(tx: Transaction) -> dict[str, Watch]:
    """Return what is known, by key."""
    return {watch.key: watch for watch in (_read(*row) for row in meta.read_family(tx, _FAMILY))}


def take_step(tx: Transaction, by: Claimant, step: WatchStep) -> bool:
    """Take a step with its notice; false, and nothing done, where what was known is not as it was any more."""
    taken = _apply(tx, step)
    if taken and step.notice is not None:
        accept(tx, [step.notice], by=by)
    return taken


def _apply(tx: Transaction, step: WatchStep) -> bool:
    before, after = step.before, step.after
    if before is None:
        return after is not None and meta.write_first(tx, _name(after.key), after.value)
    if after is None:
        return meta.forget_if(tx, _name(before.key), before.value)
    return meta.replace(tx, _name(before.key), before.value, after.value)


def _name(key: str) -> str:
    return f"{_FAMILY}/{clean(key)}"


def _read(key: str, value: str) -> Watch:
    names = [field.name for field in fields(Watch)]
    return Watch(**dict(zip(names, [key.removeprefix(f"{_FAMILY}/"), *json.loads(value)], strict=True)))
