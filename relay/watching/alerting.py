"""When people are told of a finding: once at its edge, once when it is over, and never of what comes and goes.

Pure: what is known, what is found and the time come as arguments; what is to be done comes back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from relay.rules.states import Grade
from relay.storage.outbox import Watch, WatchStep
from relay.watching.findings import Finding, Kind
from relay.watching.snapshot import Snapshot

TOLD: Final = frozenset(
    {
        Kind.MAILBOX_REFUSED,
        Kind.MAILBOX_FAILING,
        Kind.QUARANTINE,
        Kind.PROVIDER_SILENT,
        Kind.SETTING_NEEDED,
        Kind.MAIL_OVERDUE,
        Kind.DISK_LOW,
        Kind.BACKUP_FAILED,
        Kind.BACKUP_OLD,
        Kind.BACKUP_NONE,
        Kind.LOGIN_ENDS,
        Kind.PROOF_ENDS,
        Kind.CERTIFICATE_EXPIRES,
        Kind.CERTIFICATE_EXPIRED,
        Kind.SIGN_IN_OVER,
        Kind.SIGN_IN_ENDS,
    }
)
"""What the postmaster is told of here, where it needs him.

Refused logins, mail that is held, accounts that are gone and copies that are missing have notices of their own, which
are written together with their cause (`relay.notifications`).
"""
HEALED: Final = 900_000
"""Milliseconds without a finding after which it is over: what comes back before that has never gone."""
_TOPICS: Final = frozenset({"mailbox", "backup", "certificate", *(str(kind) for kind in TOLD)})
_LOCAL: Final = frozenset({Kind.DISK_LOW})
"""What each node has for itself."""
_NODE: Final = "#"
QUIET: Final = 3_600_000
"""Milliseconds after people were told in which they are not told of the same thing again."""


class News(StrEnum):
    """What people are told."""

    RAISED = "raised"
    CLEARED = "cleared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change(WatchStep):
    """A change of what is known, and why."""

    news: News | None = None
    finding: Finding | None = None
    """What is found; None where nothing is."""


def decide(
    watches: Mapping[str, Watch], findings: Sequence[Finding], now: int, *, node: str = ""
) -> tuple[Change, ...]:
    """Return what changes, in the order of the findings, then what is over.

    What needs a person is raised; it lasts until nothing of it is found, be it only to be watched: so a disk at its
    limit is told once. `node` names the one that looks, where several share a database: of what each has for itself,
    as its disk, it sees its own alone.
    """
    found = {name_watch(finding, node): finding for finding in findings if topic_of(finding.key) in _TOPICS}
    seen = {key: watch for key, watch in watches.items() if _is_seen(key, node)}
    causes = {finding.key for finding in findings if finding.grade is Grade.NEEDS_YOU}
    causes |= {f"{topic_of(key)}/{subject_of(key)}" for key, watch in seen.items() if watch.is_open}
    changes = [_found(key, watches.get(key), finding, causes, now) for key, finding in found.items()]
    changes += [_missing(watch, now) for key, watch in seen.items() if key not in found]
    return tuple(change for change in changes if change is not None)


def name_watch(finding: Finding, node: str) -> str:
    """Name what people are told of: with the node, where the others have one of their own."""
    return f"{finding.key}{_NODE}{node}" if node and topic_of(finding.key) in _LOCAL else finding.key


def topic_of(key: str) -> str:
    """Return what a watch is about."""
    return key.partition("/")[0]


def subject_of(key: str) -> str:
    """Return the account, folder or other thing that a watch is about."""
    subject = key.partition("/")[2]
    return subject.rpartition(_NODE)[0] if topic_of(key) in _LOCAL and _NODE in subject else subject


def is_moot(key: str, snapshot: Snapshot) -> bool:
    """Return whether something is over since the configuration does not have it any more."""
    if topic_of(key) == "mailbox":
        return not any(one.account.name == subject_of(key) and one.mailbox is not None for one in snapshot.accounts)
    if topic_of(key) == "certificate":
        return subject_of(key) not in snapshot.certificates
    return topic_of(key) == "backup" and snapshot.backup is None


def _is_seen(key: str, node: str) -> bool:
    return topic_of(key) not in _LOCAL or key.rpartition(_NODE)[2] == node or (not node and _NODE not in key)


def _found(key: str, watch: Watch | None, finding: Finding, causes: Collection[str], now: int) -> Change | None:
    if watch is not None and watch.is_open:
        again = watch.told is not None and any(watch.told < at <= now for at in finding.again)
        if watch.well is None and not again:
            return None
        after = replace(watch, well=None, told=now if again else watch.told)
        return Change(before=watch, after=after, news=News.RAISED if again else None, finding=finding)
    if finding.kind is Kind.BACKUP_NONE and finding.grade is Grade.WATCH:
        # Nothing else tells for how long there should have been one.
        noted = Change(before=None, after=Watch(key=key, since=now), finding=finding)
        return noted if watch is None else None
    if finding.kind not in TOLD or finding.grade is not Grade.NEEDS_YOU or _has_cause(finding, causes):
        return None if watch is None else _missing(watch, now)
    if watch is not None and _is_quiet(watch, now):
        return None  # if it still lasts when the hour is over, it is told then
    since = now if finding.since is None else finding.since
    after = Watch(key=key, since=since, told=now, is_open=True)
    return Change(before=watch, after=after, news=News.RAISED, finding=finding)


def _has_cause(finding: Finding, causes: Collection[str]) -> bool:
    """Return whether people are told of what causes this, or not yet that it is over: one trouble is one alert."""
    if finding.kind is Kind.MAIL_OVERDUE:
        return any(
            f"{kind}/{finding.subject}" in causes
            for kind in (Kind.PROVIDER_SILENT, Kind.SETTING_NEEDED, Kind.LOGIN_REFUSED)
        )
    return finding.kind is Kind.MAILBOX_FAILING and f"{Kind.DISK_LOW}/" in causes


def _missing(watch: Watch, now: int) -> Change | None:
    if not watch.is_open:
        return None if _is_quiet(watch, now) else Change(before=watch, after=None)
    # Also where a clock was wrong: what is well since the future is well since now.
    if watch.well is None or watch.well > now:
        return Change(before=watch, after=replace(watch, well=now))
    if now - watch.well < HEALED:
        return None
    return Change(before=watch, after=replace(watch, is_open=False), news=News.CLEARED)


def _is_quiet(watch: Watch, now: int) -> bool:
    return watch.told is not None and 0 <= now - watch.told < QUIET
