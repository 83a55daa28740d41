"""Pauses of accounts. An account has one lasting pause at most; a person's pause ends only by a person."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import and_, bindparam, or_, select, update

from relay.model.mail import EVERY_ACCOUNT, Pause
from relay.rules.notice_texts import Alert
from relay.storage import meta
from relay.storage.accepting import unsay
from relay.storage.account_tables import pause as pauses
from relay.storage.outbox import PendingAlert, enqueue
from relay.storage.rows import row_of
from relay.storage.statement import Statement, insert, is_in
from relay.storage.transaction import Transaction

MOST_FINGERPRINTS: Final = 8
"""Settings that are remembered as refused: nodes whose configurations differ try their own once, and not in turns."""
_LASTS: Final = pauses.c.until.is_(None)
_OF_ACCOUNT: Final = pauses.c.account == bindparam("name")
_LASTING: Final = Statement(select(*pauses.c).where(_LASTS).order_by(pauses.c.account))
_LASTING_OF: Final = Statement(select(*pauses.c).where(_LASTS, _OF_ACCOUNT))
_NEW: Final = insert(pauses).values({column.key: bindparam(column.key) for column in pauses.c})
_WRITE: Final = Statement(
    _NEW.on_conflict_do_update(
        index_elements=["account", "since"],
        set_={c.key: _NEW.excluded[c.key] for c in pauses.c if not c.primary_key},
    )
)
_BETWEEN: Final = Statement(
    select(pauses.c.since, pauses.c.until)
    .where(
        or_(*(pauses.c.account == bindparam(name) for name in ("name", "all", "all_here"))),
        pauses.c.since < bindparam("end"),
        or_(_LASTS, pauses.c.until > bindparam("start")),
    )
    .order_by(pauses.c.since)
)
_OF_ANY_NODE: Final = Statement(
    select(*pauses.c)
    .where(
        or_(is_in(pauses.c.account, "accounts"), and_(pauses.c.account >= "/", pauses.c.account < "0")),
        pauses.c.since <= bindparam("end"),
        or_(_LASTS, pauses.c.until > bindparam("begin")),
    )
    .order_by(pauses.c.since, pauses.c.account)
)
"""Behind a slash stand all accounts: of every node, or of one whose clock jumped."""
_BEGIN_PROBE: Final = Statement(
    update(pauses)
    .values(probes=pauses.c.probes + 1, next_probe=bindparam("next"), fingerprint=bindparam("after"))
    .where(
        _OF_ACCOUNT,
        _LASTS,
        ~pauses.c.by_person,
        pauses.c.since == bindparam("begun"),
        pauses.c.probes == bindparam("count"),
        pauses.c.fingerprint == bindparam("before"),
    )
)
_KEY: Final = "fingerprint_key"
FORGET_KEY: Final = f"DELETE FROM meta WHERE key = '{_KEY}'"  # noqa: S608 - a constant
"""Without it nobody can try passwords against the fingerprints; the next service makes a new one. As text, for a file
that no service has open."""
_END: Final = update(pauses).values(until=bindparam("now")).where(_OF_ACCOUNT, _LASTS)
_END_OWN: Final = Statement(_END.where(~pauses.c.by_person))
_END_ANEW: Final = Statement(_END.values(probes=0))
_PROBES_BEFORE: Final = Statement(
    select(pauses.c.probes)
    .where(
        _OF_ACCOUNT,
        pauses.c.until >= bindparam("start"),
        pauses.c.until <= bindparam("end"),
        ~pauses.c.by_person,
    )
    .order_by(pauses.c.until.desc(), pauses.c.since.desc())
    .limit(1)
)


def lasting_pauses(tx: Transaction) -> list[Pause]:
    """Return the pauses that last."""
    return [Pause(**row) for row in tx.records(_LASTING)]


def pauses_between(tx: Transaction, account: str, node: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the times in which an account, or every account, was paused for a node, cut to a span."""
    whose = {"name": account, "all": EVERY_ACCOUNT, "all_here": f"{EVERY_ACCOUNT}{node}"}
    return [
        (max(since, start), end if until is None else min(until, end))
        for since, until in tx.rows(_BETWEEN, **whose, start=start, end=end)
    ]


def pauses_of(tx: Transaction, accounts: Sequence[str], *, begin: int, end: int) -> list[Pause]:
    """Return the pauses, of accounts or of all on any node, that a span has seen, its end included; the first first."""
    return [Pause(**row) for row in tx.records(_OF_ANY_NODE, accounts=list(accounts), begin=begin, end=end)]


def probes_before(tx: Transaction, account: str, start: int, end: int) -> int:
    """Return how many probes the pause has seen that ended last, between two moments; 0 where a person has ended it."""
    found = tx.rows(_PROBES_BEFORE, name=account, start=start, end=end)
    return found[0][0] if found else 0


def told_as(account: str) -> str:
    """Name what people are told of the pauses of an account (`NewMessage.once`)."""
    return f"paused/{account}"


def pause(tx: Transaction, new: Pause) -> Pause:
    """Write a pause; return it as it stands now.

    One that lasts already keeps its beginning and its probes (`begin_probe` sees to them); a person's is not changed by
    the service. With one that is new, the postmaster is owed the alert of its refusal.
    """
    lasting = [Pause(**row) for row in tx.records(_LASTING_OF, name=new.account)]
    if lasting and new.until is None:
        old = lasting[0]
        if new.by_person:
            new = replace(new, since=old.since)
        elif old.by_person:
            return old
        else:
            # Who takes it for new may only have heard of it: what the first refusal, or the last probe, said stays.
            reason = new.reason if new.refusal is None else old.reason
            new = replace(old, reason=reason, fingerprint=remember(old.fingerprint, new.fingerprint))
    elif new.refusal is not None:
        enqueue(tx, [PendingAlert(kind=Alert.ACCOUNT_PAUSED, account=new.account, reply=new.refusal)])
    tx.change(_WRITE, **row_of(new, pauses.c.keys()))
    return new


def remember(known: str, fingerprint: str) -> str:
    """Add a fingerprint to those of settings that were refused; the oldest go."""
    return " ".join([*(one for one in known.split() if one != fingerprint), fingerprint][-MOST_FINGERPRINTS:]).strip()


def begin_probe(tx: Transaction, pause: Pause, *, next_probe: int, fingerprint: str) -> bool:
    """Note that a probe of a pause begins; return whether the pause still is as it was when that was decided.

    `next_probe`: when the next is due; `fingerprint`: of the settings tried, empty where the password can't be read.
    """
    count = tx.change(
        _BEGIN_PROBE,
        next=next_probe,
        after=remember(pause.fingerprint, fingerprint),
        name=pause.account,
        begun=pause.since,
        count=pause.probes,
        before=pause.fingerprint,
    )
    return count > 0


def fingerprint_key(tx: Transaction) -> bytes:
    """Return the key of this database's fingerprints, the same for every node and after every restart."""
    meta.write_first(tx, _KEY, os.urandom(32).hex())
    return bytes.fromhex(meta.read(tx, _KEY) or "")


def resume(tx: Transaction, account: str, now: int) -> bool:
    """End the service's own pause of an account; return whether there was one."""
    return tx.change(_END_OWN, now=now, name=account) > 0


def resume_by_person(tx: Transaction, account: str, *, now: int) -> bool:
    """End the pause of an account, whoever began it; return whether there was one. The next one begins anew."""
    unsay(tx, told_as(account))
    return tx.change(_END_ANEW, now=now, name=account) > 0
