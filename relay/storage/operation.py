"""The kinds of writes, in the order in which one commit applies them.

What adds comes before what takes away, so that a write and the one that undoes it may share a batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from relay.storage.transaction import Transaction

A = TypeVar("A")
R = TypeVar("R")

Rank = IntEnum(
    "Rank",
    """
    WRITE_CHUNK ACCEPT SETTLE MARK_UNCERTAIN REQUEUE HOLD_ACCOUNTS RECOVER CLAIM RENEW_LEASES PAUSE RESUME DISCARD
    PURGE_HISTORY DROP_SPENT TELL_DELAY GIVE_UP PULL_BACK COUNT_RECIPIENTS UNCOUNT_RECIPIENTS CLAIM_BY_ID MARK_SENT
    MOVE_NOTICE COUNT_PART RECLAIM BRING_FORWARD BEGIN_PROBE FINGERPRINT_KEY PURGE_ARRIVALS
    ACQUIRE_MAILBOX RENEW_MAILBOX BEGIN_MAILBOX RECORD_FETCHED RECORD_LISTING END_POLL RELEASE_MAILBOX
    WATCH BACKUP_BEGUN BACKUP_DONE BACKUP_FAILED NOTHING
    """,
)
"""All kinds of writes, of whatever room."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[A, R]):
    """One kind of write. Those of one object and batch are applied together."""

    rank: int
    """The kinds of a batch are applied in this order (`Rank`)."""
    apply: Callable[[Transaction, Sequence[A]], Sequence[R]]
    """Returns a result for each argument; runs again from the beginning if the batch has to be repeated."""
    synced: bool = True
    """False where it need be durable only together with a later write: a batch of such ones alone is not synced."""
