"""What people change in the queue: short transactions of their own, beside a running service or alone.

Every change is noted, for `relay trace`. What is being delivered is never changed.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Engine

from relay.model.errors import StateConflictError
from relay.model.mail import AT_ONCE, DeliveryState
from relay.storage import settling
from relay.storage.engine import AnyRow, Transaction, transaction

_SELECT_STATES: Final = "SELECT d.message_id, d.state FROM delivery d WHERE d.message_id {any} {lock}"
_HOLD: Final = "UPDATE delivery SET state = 'held' WHERE message_id {any} AND state = 'queued' RETURNING message_id"
_RELEASE: Final = (
    "UPDATE delivery SET state = 'queued', due = ?, since = ?, uncertain = 0, attempts = 0, warned = false"
    " WHERE message_id {any} AND state = 'held' RETURNING message_id"
)
_RETRY: Final = "UPDATE delivery SET due = ? WHERE message_id {any} AND state = 'queued' RETURNING message_id"
_RUN: Final = "UPDATE delivery SET due = ? WHERE state = 'queued' AND state <> 'done'"
_SELECT_HEADERS: Final = 'SELECT id, "user", account, header, archive_header FROM message WHERE id {any} ORDER BY id'
_MOVE_MESSAGE: Final = (
    "UPDATE message SET account = ?, header = ?, archive_header = ?, size = size + ?, why = why || ? WHERE id = ?"
)
_MOVE_DELIVERIES: Final = (
    "UPDATE delivery SET account = ? WHERE message_id {any} AND state IN ('queued', 'held') RETURNING message_id"
)

Rewrite = Callable[[bytes, str | None], bytes]
"""Gives the header with which a mail of a user leaves through another account; raises RelayError where it may not."""


def hold(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Hold what is queued of these mails; gives the number of deliveries. Raises StateConflictError if none can be."""
    with transaction(engine, write=True) as tx:
        changed = tx.rows(_HOLD, list(ids))
        if not changed:
            _check_not_active(tx, ids, "held")
        return _note(tx, changed, now, "held", "by command")


def release(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Release what is held of these mails: tried at once, its doubts forgotten, its time to give up begins anew."""
    with transaction(engine, write=True) as tx:
        return _note(tx, tx.rows(_RELEASE, AT_ONCE, now, list(ids)), now, "released", "by command")


def retry(engine: Engine, ids: Sequence[str], *, now: int) -> int:
    """Make what is queued of these mails due at once."""
    with transaction(engine, write=True) as tx:
        return _note(tx, tx.rows(_RETRY, AT_ONCE, list(ids)), now, "retried", "by command")


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
        for message_id, user, before, header, archive_header in tx.rows(_SELECT_HEADERS, list(ids)):
            fresh = rewrite(header, user)
            archive = None if archive_header is None else rewrite(archive_header, user)
            step = f"\nMoved by command from the account {before!r} to {account!r}."
            tx.change(_MOVE_MESSAGE, account, fresh, archive, len(fresh) - len(header), step, message_id)
        changed = tx.rows(_MOVE_DELIVERIES, account, list(ids))
        return _note(tx, changed, now, "moved", f"by command, to the account {account}")


def delete(engine: Engine, ids: Sequence[str]) -> int:
    """Delete mails for good; gives how many. Raises StateConflictError where one is being delivered: none is then."""
    with transaction(engine, write=True) as tx:
        _check_not_active(tx, ids, "deleted")
        return settling.delete_messages(tx, list(ids))


def _note(tx: Transaction, changed: Sequence[AnyRow], now: int, what: str, detail: str) -> int:
    """Note what was done with the mails of these deliveries; gives the number of deliveries."""
    settling.write_events(tx, [(message_id, now, what, detail) for message_id in sorted({row[0] for row in changed})])
    return len(changed)


def _check_not_active(tx: Transaction, ids: Sequence[str], what: str) -> None:
    active = sorted({row[0] for row in tx.rows(_SELECT_STATES, list(ids)) if row[1] == DeliveryState.ACTIVE})
    if active:
        raise StateConflictError(f"{', '.join(active)}: is being delivered now and can't be {what}")
