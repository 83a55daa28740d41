"""When people are told of a finding: once at its edge, once when it is over, and never of what comes and goes.

Pure: what is known, what is found and the time come as arguments; what is to be done comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from relay.rules.states import Grade
from relay.storage.watches import Watch
from relay.watching.findings import Finding, Kind

TOLD: Final = frozenset(
    {
        Kind.MAILBOX_REFUSED,
        Kind.MAILBOX_FAILING,
        Kind.QUARANTINE,
        Kind.PROVIDER_SILENT,
        Kind.MAIL_OVERDUE,
        Kind.DISK_LOW,
        Kind.BACKUP_FAILED,
        Kind.BACKUP_OLD,
    }
)
"""What the postmaster is told of here, where it needs him.

Refused logins, mail that is held, accounts that are gone and copies that are missing have notices of their own, which
are written together with their cause (`relay.delivery.notices`).
"""
HEALED: Final = 900_000
"""Milliseconds without a finding after which it is over: what comes back before that has never gone."""
QUIET: Final = 3_600_000
"""Milliseconds after people were told in which they are not told of the same thing again."""


class News(StrEnum):
    """What people are told."""

    RAISED = "raised"
    CLEARED = "cleared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change of what is known."""

    key: str
    before: Watch | None
    after: Watch | None
    news: News | None = None
    finding: Finding | None = None
    """What is found; None where nothing is."""


def decide(watches: Mapping[str, Watch], findings: Sequence[Finding], now: int) -> tuple[Change, ...]:
    """Give what changes, in the order of the findings, then what is over."""
    found = {one.key: one for one in findings if one.kind in TOLD and one.grade is Grade.NEEDS_YOU}
    changes = [_found(watches.get(key), finding, now) for key, finding in found.items()]
    changes += [_missing(watch, now) for key, watch in watches.items() if key not in found]
    return tuple(change for change in changes if change is not None)


def _found(watch: Watch | None, finding: Finding, now: int) -> Change | None:
    since = now if finding.since is None else finding.since
    if watch is None:
        after = Watch(key=finding.key, since=since, told=now, is_open=True)
        return Change(key=finding.key, before=None, after=after, news=News.RAISED, finding=finding)
    if watch.is_open:
        if watch.well is None:
            return None
        return Change(key=watch.key, before=watch, after=replace(watch, well=None), finding=finding)
    if _is_quiet(watch, now):
        return None  # if it still lasts when the hour is over, it is told then
    after = Watch(key=watch.key, since=since, told=now, is_open=True)
    return Change(key=watch.key, before=watch, after=after, news=News.RAISED, finding=finding)


def _missing(watch: Watch, now: int) -> Change | None:
    if not watch.is_open:
        return None if _is_quiet(watch, now) else Change(key=watch.key, before=watch, after=None)
    # Also where a clock was wrong: what is well since the future is well since now.
    if watch.well is None or watch.well > now:
        return Change(key=watch.key, before=watch, after=replace(watch, well=now))
    if now - watch.well < HEALED:
        return None
    after = replace(watch, is_open=False)
    return Change(key=watch.key, before=watch, after=after, news=News.CLEARED)


def _is_quiet(watch: Watch, now: int) -> bool:
    return watch.told is not None and 0 <= now - watch.told < QUIET
