"""What people change in the queue: short transactions of their own, beside a running service or alone.

Every change is noted, for `relay trace`. What is being delivered is never changed.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Engine

from relay.model.errors import StateConflictError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.storage import settling
from relay.storage.engine import Transaction, transaction

_SELECT_STATES: Final = "SELECT d.message_id, d.state FROM delivery d WHERE d.message_id {any} {lock}"
_HOLD: Final = "UPDATE delivery SET state = 'held' WHERE message_id {any} AND state = 'queued'"
_RELEASE: Final = (
    "UPDATE delivery SET state = 'queued', due = ?, since = ?, uncertain = 0, attempts = 0, warned = false"
    " WHERE message_id {any} AND state = 'held'"
)
_RETRY: Final = "UPDATE delivery SET due = ? WHERE message_id {any} AND state = 'queued'"
_RUN: Final = "UPDATE delivery SET due = ? WHERE state = 'queued' AND state <> 'done'"
_SELECT_HEADERS: Final = 'SELECT id, "user", account, header, archive_header FROM message WHERE id {any} ORDER BY id'
_MOVE_MESSAGE: Final = (
    "UPDATE message SET account = ?, header = ?, archive_header = ?, size = size + ?, why = why || ? WHERE id = ?"
)
_MOVE_DELIVERIES: Final = "UPDATE delivery SET account = ? WHERE message_id {any} AND state IN ('queued', 'held')"

Rewrite = Callable[[bytes, str | None], bytes]
"""Gives the header with which a mail of a user leaves through another account; raises RelayError where it may not."""


def hold(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Hold what is queued of these mails; gives the number of deliveries. Raises StateConflictError if none can be."""
    with transaction(engine, write=True) as tx:
        count = tx.change(_HOLD, list(ids))
        if not count:
            _check_not_active(tx, ids, "held")
        _note(tx, ids, now, "held", "by command")
        return count


def release(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew."""
    with transaction(engine, write=True) as tx:
        _note(tx, ids, now, "released", "by command")
        return tx.change(_RELEASE, AT_ONCE, now, list(ids))


def retry(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Make what is queued of these mails due at once."""
    with transaction(engine, write=True) as tx:
        _note(tx, ids, now, "retried", "by command")
        return tx.change(_RETRY, AT_ONCE, list(ids))


def run_queue(engine: Engine) -> int:
    """Make everything that is queued due at once."""
    with transaction(engine, write=True) as tx:
        return tx.change(_RUN, AT_ONCE)


def move(engine: Engine, ids: Sequence[str], account: str, rewrite: Rewrite, *, now: int) -> int:
    """Let what waits of these mails leave through another account, whose sender `rewrite` writes; gives deliveries.

    Raises StateConflictError where one is being delivered, and what `rewrite` raises: none is moved then.
    """
    with transaction(engine, write=True) as tx:
        _check_not_active(tx, ids, "moved")
        for row in tx.rows(_SELECT_HEADERS, list(ids)):
            header = rewrite(row.header, row.user)
            archive = None if row.archive_header is None else rewrite(row.archive_header, row.user)
            step = f"\nMoved by command from the account {row.account!r} to {account!r}."
            tx.change(_MOVE_MESSAGE, account, header, archive, len(header) - len(row.header), step, row.id)
        _note(tx, ids, now, "moved", f"by command, to the account {account}")
        return tx.change(_MOVE_DELIVERIES, account, list(ids))


def delete(engine: Engine, ids: Sequence[str]) -> int:
    """Delete mails for good; gives how many. Raises StateConflictError where one is being delivered: none is then."""
    with transaction(engine, write=True) as tx:
        _check_not_active(tx, ids, "deleted")
        return settling.delete_messages(tx, list(ids))


def _note(tx: Transaction, ids: Sequence[str], now: int, what: str, detail: str) -> None:
    settling.write_events(tx, [(message_id, now, what, detail) for message_id in ids])


def _check_not_active(tx: Transaction, ids: Sequence[str], what: str) -> None:
    active = sorted({row[0] for row in tx.rows(_SELECT_STATES, list(ids)) if row[1] == DeliveryState.ACTIVE})
    if active:
        raise StateConflictError(f"{', '.join(active)}: is being delivered now and can't be {what}")
