"""Pauses of accounts. An account has one lasting pause at most; a person's pause ends only by a person."""

from collections.abc import Sequence
from typing import Final

from relay.model.mail import EVERY_ACCOUNT, Pause
from relay.rules.notice_texts import Alert
from relay.storage.rows import clean, read_pause
from relay.storage.sql import Transaction
from relay.storage.telling import OwedAlert, owe

_COLUMNS = "account, since, until, reason, by_person, probes, next_probe, fingerprint"
_LASTING: Final = f"SELECT {_COLUMNS} FROM pause WHERE until IS NULL ORDER BY account"  # noqa: S608 - constants
_LASTING_OF: Final = f"SELECT {_COLUMNS} FROM pause WHERE until IS NULL AND account = ?"  # noqa: S608 - constants
_INSERT: Final = (
    f"INSERT INTO pause ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
    " ON CONFLICT (account, since) DO UPDATE SET until = excluded.until, reason = excluded.reason,"
    " by_person = excluded.by_person, probes = excluded.probes, next_probe = excluded.next_probe,"
    " fingerprint = excluded.fingerprint"
)
_BETWEEN: Final = (
    "SELECT since, until FROM pause WHERE account IN (?, ?, ?) AND since < ? AND (until IS NULL OR until > ?)"
    " ORDER BY since"
)
_END: Final = "UPDATE pause SET until = ? WHERE account = ? AND until IS NULL"
_END_OWN: Final = _END + " AND NOT by_person"


def lasting_pauses(tx: Transaction) -> list[Pause]:
    """Give the pauses that last."""
    return [read_pause(row) for row in tx.rows(_LASTING)]


def pauses_between(tx: Transaction, account: str, node: str, start: int, end: int) -> list[tuple[int, int]]:
    """Give the times in which an account, or every account, was paused for a node, cut to a span."""
    return [
        (max(since, start), end if until is None else min(until, end))
        for since, until in tx.rows(_BETWEEN, account, EVERY_ACCOUNT, f"{EVERY_ACCOUNT}{node}", end, start)
    ]


def pause(tx: Transaction, pauses: Sequence[Pause]) -> list[None]:
    """Write pauses. One that lasts already keeps its beginning, and a person's is not changed by a probe.

    With one that is new, the postmaster is owed the alert of its refusal.
    """
    for wish in pauses:
        lasting = [read_pause(row) for row in tx.rows(_LASTING_OF, wish.account)]
        since = wish.since
        if lasting and wish.until is None:
            if lasting[0].by_person and not wish.by_person:
                continue
            since = lasting[0].since
        elif wish.refusal is not None:
            owe(tx, [OwedAlert(kind=Alert.ACCOUNT_PAUSED, account=wish.account, reply=wish.refusal)])
        tx.change(
            _INSERT,
            *(clean(wish.account), since, wish.until, clean(wish.reason), wish.by_person),
            *(wish.probes, wish.next_probe, wish.fingerprint),
        )
    return [None] * len(pauses)


def resume(tx: Transaction, ends: Sequence[tuple[str, int]]) -> list[bool]:
    """End (account, now) the service's own pauses; tells for each whether there was one."""
    return [tx.change(_END_OWN, now, account) > 0 for account, now in ends]


def resume_by_person(tx: Transaction, account: str, now: int) -> bool:
    """End the pause of an account, whoever began it; tells whether there was one."""
    return tx.change(_END, now, account) > 0
