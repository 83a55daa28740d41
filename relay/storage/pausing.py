"""Pauses of accounts. An account has one lasting pause at most; a person's pause ends only by a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import and_

from relay.model.mail import EVERY_ACCOUNT, Pause
from relay.rules.notice_texts import Alert
from relay.storage.accepting import unsay
from relay.storage.outbox import PendingAlert, enqueue
from relay.storage.rows import clean, read_pause
from relay.storage.tables import pause as pauses
from relay.storage.transaction import Transaction

MOST_FINGERPRINTS: Final = 8
"""Settings that are remembered as refused: nodes whose configurations differ try their own once, and not in turns."""
IS_OF_ALL: Final = and_(pauses.c.account >= "/", pauses.c.account < "0")
"""Behind a slash stand all accounts: of every node, or of one whose clock jumped."""
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
_BEGIN_PROBE: Final = (
    "UPDATE pause SET probes = probes + 1, next_probe = ?, fingerprint = ?"
    " WHERE account = ? AND until IS NULL AND NOT by_person AND since = ? AND probes = ? AND fingerprint = ?"
)
_KEY: Final = "SELECT value FROM meta WHERE key = 'fingerprint_key'"
_MAKE_KEY: Final = "INSERT INTO meta (key, value) VALUES ('fingerprint_key', ?) ON CONFLICT (key) DO NOTHING"
FORGET_KEY: Final = "DELETE FROM meta WHERE key = 'fingerprint_key'"
"""Without it nobody can try passwords against the fingerprints; the next service makes a new one."""
_END: Final = "UPDATE pause SET until = ? WHERE account = ? AND until IS NULL"
_END_OWN: Final = _END + " AND NOT by_person"
_END_ANEW: Final = "UPDATE pause SET until = ?, probes = 0 WHERE account = ? AND until IS NULL"
_PROBES_BEFORE: Final = (
    "SELECT probes FROM pause WHERE account = ? AND until >= ? AND until <= ? AND NOT by_person"
    " ORDER BY until DESC, since DESC LIMIT 1"
)


def lasting_pauses(tx: Transaction) -> list[Pause]:
    """Give the pauses that last."""
    return [read_pause(row) for row in tx.rows(_LASTING)]


def pauses_between(tx: Transaction, account: str, node: str, start: int, end: int) -> list[tuple[int, int]]:
    """Give the times in which an account, or every account, was paused for a node, cut to a span."""
    return [
        (max(since, start), end if until is None else min(until, end))
        for since, until in tx.rows(_BETWEEN, account, EVERY_ACCOUNT, f"{EVERY_ACCOUNT}{node}", end, start)
    ]


def probes_before(tx: Transaction, account: str, start: int, end: int) -> int:
    """Tell how many probes the pause has seen that ended last, between two moments; 0 where a person has ended it."""
    found = tx.rows(_PROBES_BEFORE, account, start, end)
    return found[0][0] if found else 0


def told_as(account: str) -> str:
    """Name what people are told of the pauses of an account (`NewMessage.once`)."""
    return f"paused/{account}"


def pause(tx: Transaction, pauses: Sequence[Pause]) -> list[Pause]:
    """Write pauses; gives each as it stands now.

    One that lasts already keeps its beginning and its probes (`begin_probe` sees to them); a person's is not changed by
    the service. With one that is new, the postmaster is owed the alert of its refusal.
    """
    return [_pause(tx, wish) for wish in pauses]


def _pause(tx: Transaction, wish: Pause) -> Pause:
    lasting = [read_pause(row) for row in tx.rows(_LASTING_OF, wish.account)]
    if lasting and wish.until is None:
        old = lasting[0]
        if wish.by_person:
            wish = replace(wish, since=old.since)
        elif old.by_person:
            return old
        else:
            # Who takes it for new may only have heard of it: what the first refusal, or the last probe, said stays.
            reason = wish.reason if wish.refusal is None else old.reason
            wish = replace(old, reason=reason, fingerprint=remember(old.fingerprint, wish.fingerprint))
    elif wish.refusal is not None:
        enqueue(tx, [PendingAlert(kind=Alert.ACCOUNT_PAUSED, account=wish.account, reply=wish.refusal)])
    tx.change(
        _INSERT,
        *(clean(wish.account), wish.since, wish.until, clean(wish.reason), wish.by_person),
        *(wish.probes, wish.next_probe, wish.fingerprint),
    )
    return wish


def remember(known: str, fingerprint: str) -> str:
    """Add a fingerprint to those of settings that were refused; the oldest go."""
    return " ".join([*(one for one in known.split() if one != fingerprint), fingerprint][-MOST_FINGERPRINTS:]).strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """That a node is about to probe a paused account."""

    pause: Pause
    """As it was when the probe was decided on."""
    next_probe: int
    """When the next one is due, should this one come to nothing."""
    fingerprint: str
    """Of the settings that are tried; empty where the password can't be read."""


def begin_probe(tx: Transaction, probes: Sequence[Probe]) -> list[bool]:
    """Note that probes begin; tells for each whether no other node has begun it, and nobody has ended the pause."""
    return [
        tx.change(
            _BEGIN_PROBE,
            *(probe.next_probe, remember(probe.pause.fingerprint, probe.fingerprint)),
            *(probe.pause.account, probe.pause.since, probe.pause.probes, probe.pause.fingerprint),
        )
        > 0
        for probe in probes
    ]


def fingerprint_key(tx: Transaction, candidates: Sequence[bytes]) -> list[bytes]:
    """Give the key of this database's fingerprints; the first candidate becomes it where there is none yet."""
    tx.change(_MAKE_KEY, candidates[0].hex())
    return [bytes.fromhex(tx.rows(_KEY)[0][0])] * len(candidates)


def resume(tx: Transaction, ends: Sequence[tuple[str, int]]) -> list[bool]:
    """End (account, now) the service's own pauses; tells for each whether there was one."""
    return [tx.change(_END_OWN, now, account) > 0 for account, now in ends]


def resume_by_person(tx: Transaction, account: str, now: int) -> bool:
    """End the pause of an account, whoever began it; tells whether there was one.

    The next one begins anew: with the first interval, and people are told of it.
    """
    unsay(tx, told_as(account))
    return tx.change(_END_ANEW, now, account) > 0
