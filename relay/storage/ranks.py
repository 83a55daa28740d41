"""The kinds of writes that may share a commit, in the order in which one commit applies them.

What adds comes before what takes away, so that a write and the one that undoes it may share a batch.
"""

from enum import IntEnum, auto, unique


@unique
class Rank(IntEnum):
    """The kinds of writes."""

    WRITE_CHUNK = auto()
    ACCEPT = auto()
    SETTLE = auto()
    MARK_UNCERTAIN = auto()
    REQUEUE = auto()
    HOLD_ACCOUNTS = auto()
    RECOVER = auto()
    CLAIM = auto()
    RENEW_LEASES = auto()
    PAUSE = auto()
    RESUME = auto()
    DISCARD = auto()
    PURGE_HISTORY = auto()
    DROP_SPENT = auto()
    TELL_DELAY = auto()
    GIVE_UP = auto()
    PULL_BACK = auto()
    COUNT_RECIPIENTS = auto()
    UNCOUNT_RECIPIENTS = auto()
    CLAIM_BY_ID = auto()
    MARK_SENT = auto()
    MOVE_NOTICE = auto()
    COUNT_PART = auto()
    RECLAIM = auto()
    BRING_FORWARD = auto()
    BEGIN_PROBE = auto()
    FINGERPRINT_KEY = auto()
    PURGE_ARRIVALS = auto()
    ACQUIRE_MAILBOX = auto()
    RENEW_MAILBOX = auto()
    BEGIN_MAILBOX = auto()
    RECORD_FETCHED = auto()
    RECORD_LISTING = auto()
    END_POLL = auto()
    RELEASE_MAILBOX = auto()
    WATCH = auto()
    BACKUP_BEGUN = auto()
    BACKUP_DONE = auto()
    BACKUP_FAILED = auto()
    NOTHING = auto()
