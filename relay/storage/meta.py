"""What the database remembers under a key: single facts, and families of them whose keys begin alike, with a slash."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import and_, bindparam, delete, select, update

from relay.storage.statement import Statement, insert
from relay.storage.tables import meta
from relay.storage.transaction import Transaction

_KEY: Final = meta.c.key == bindparam("key")
_IS_AS_BEFORE: Final = meta.c.value == bindparam("before")
_NEW: Final = insert(meta).values(key=bindparam("key"), value=bindparam("value"))
_SELECT: Final = Statement(select(meta.c.value).where(_KEY))
_SELECT_LOCKED: Final = Statement(select(meta.c.value).where(_KEY).with_for_update())
_IN_FAMILY: Final = and_(meta.c.key >= bindparam("first"), meta.c.key < bindparam("end"))
_SELECT_FAMILY: Final = Statement(select(meta.c.key, meta.c.value).where(_IN_FAMILY).order_by(meta.c.key))
_FORGET_BELOW: Final = Statement(delete(meta).where(_IN_FAMILY, meta.c.value < bindparam("value")))
_WRITE: Final = Statement(_NEW.on_conflict_do_update(index_elements=["key"], set_={"value": _NEW.excluded.value}))
_WRITE_FIRST: Final = Statement(_NEW.on_conflict_do_nothing())
_REPLACE: Final = Statement(update(meta).values(value=bindparam("after")).where(_KEY, _IS_AS_BEFORE))
_FORGET: Final = Statement(delete(meta).where(_KEY))
_FORGET_IF: Final = Statement(delete(meta).where(_KEY, _IS_AS_BEFORE))


def read(tx: Transaction, key: str) -> str | None:
    """Return what is known under a key; None where nothing is."""
    found = tx.rows(_SELECT, key=key)
    return found[0][0] if found else None


def lock(tx: Transaction, key: str, value: str) -> str:
    """Return what is known under a key, a new one has `value`; until the transaction ends, no other node changes it."""
    write_first(tx, key, value)
    return tx.rows(_SELECT_LOCKED, key=key)[0][0]


def read_family(tx: Transaction, family: str) -> Sequence[tuple[str, str]]:
    """Return (key, value) of all keys that begin with `family` and a slash, sorted by key."""
    return tx.rows(_SELECT_FAMILY, **_bounds(family))


def write(tx: Transaction, key: str, value: str) -> None:
    """Write a value, in place of one that is there."""
    tx.change(_WRITE, key=key, value=value)


def write_first(tx: Transaction, key: str, value: str) -> bool:
    """Write a value where there is none yet; return whether there was none."""
    return tx.change(_WRITE_FIRST, key=key, value=value) > 0


def replace(tx: Transaction, key: str, before: str | None, after: str | None) -> bool:
    """Write a value in place of one that is still as it was, None being no value; return whether it was."""
    if before is None:
        return after is not None and write_first(tx, key, after)
    if after is None:
        return tx.change(_FORGET_IF, key=key, before=before) > 0
    return tx.change(_REPLACE, key=key, before=before, after=after) > 0


def forget(tx: Transaction, key: str) -> None:
    """Remove a key."""
    tx.change(_FORGET, key=key)


def forget_below(tx: Transaction, family: str, value: str) -> None:
    """Remove the keys that begin with `family` and a slash, and whose values are smaller."""
    tx.change(_FORGET_BELOW, **_bounds(family), value=value)


def _bounds(family: str) -> dict[str, str]:
    return {"first": f"{family}/", "end": f"{family}0"}  # the 0 follows the slash in ASCII
