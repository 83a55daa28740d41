"""What of a snapshot needs a person, or is to be watched: a pure function, in which no finding hides another one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Final

from relay.rules.answers.connection_rows import read_cause
from relay.rules.answers.login_way import LoginWay, find_way
from relay.rules.answers.reading import LOGIN_STEP, find_poll_row
from relay.rules.answers.row import About
from relay.rules.answers.token_rows import says_of_token
from relay.rules.oauth_ends import DAY, FORESEEN, end_of_login
from relay.rules.passwords_end import has_ended, is_urgent, uses_ending_password
from relay.rules.states import Grade
from relay.storage.standing import QueueState
from relay.watching.asking import Running
from relay.watching.snapshot import AccountState, Snapshot

ENOUGH_DISK: Final = 1 << 30
"""Octets; with less than this, or than twice `[limits] free_space`, a disk is to be watched."""
BACKUP_AGE: Final = 36 * 3_600_000
"""Milliseconds: a nightly backup that is older has been left out once."""
FAILING_INTERVALS: Final = 6
"""Of its intervals, and at least half an hour, a mailbox may fail before a person is asked: servers have bad nights."""
SHORTEST_FAILING: Final = 1_800_000
REFUSED_INTERVALS: Final = 3
"""As above, where the login is refused: that seldom heals by itself, but a mailbox that is in use says so as well."""


GRADES: Final = (Grade.FINE, Grade.WATCH, Grade.NEEDS_YOU)
"""From the best to the worst; the place of each is the exit status of `relay status`."""


class Kind(StrEnum):
    """What may be found; in the order of their weight where they have one grade."""

    NO_ACCOUNT = "no_account"
    SERVICE_DOWN = "service_down"
    SERVICE_SILENT = "service_silent"
    DISK_LOW = "disk_low"
    LOGIN_REFUSED = "login_refused"
    SETTING_NEEDED = "setting_needed"
    PROVIDER_SILENT = "provider_silent"
    MAILBOX_REFUSED = "mailbox_refused"
    MAILBOX_FAILING = "mailbox_failing"
    QUARANTINE = "quarantine"
    ACCOUNT_GONE = "account_gone"
    HELD_DOUBTFUL = "held_doubtful"
    HELD = "held"
    MAIL_OVERDUE = "mail_overdue"
    ARCHIVE_FAILING = "archive_failing"
    BACKUP_FAILED = "backup_failed"
    BACKUP_OLD = "backup_old"
    BACKUP_NONE = "backup_none"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_EXPIRES = "certificate_expires"
    LOGIN_ENDS = "login_ends"
    LOGIN_ENDED = "login_ended"
    SIGN_IN_NEEDED = "sign_in_needed"
    SIGN_IN_OVER = "sign_in_over"
    SIGN_IN_ENDS = "sign_in_ends"
    PROOF_ENDS = "proof_ends"
    CONFIGURATION_CHANGED = "configuration_changed"
    PAUSED = "paused"
    DAY_FULL = "day_full"
    BOUNCED = "bounced"


_WEIGHT: Final = {kind: place for place, kind in enumerate(Kind)}
_TOPIC: Final = {
    Kind.MAILBOX_REFUSED: "mailbox",
    Kind.MAILBOX_FAILING: "mailbox",
    Kind.LOGIN_ENDED: Kind.LOGIN_ENDS,
    Kind.BACKUP_FAILED: "backup",
    Kind.BACKUP_OLD: "backup",
    Kind.BACKUP_NONE: "backup",
    Kind.CERTIFICATE_EXPIRES: "certificate",
    Kind.CERTIFICATE_EXPIRED: "certificate",
}
"""What people take for one thing, though its cause may change while it lasts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    grade: Grade
    subject: str = ""
    """The account, user, address, file or folder."""
    since: int | None = None
    """None: it is not known."""
    mails: int = 0
    """How many it holds up."""
    number: int = 0
    """What else the texts count: octets, days, recipients."""
    detail: str = ""
    """What a provider, or the system, said."""
    host: str = ""
    """The server that was asked, where it is one of an account."""
    way: LoginWay = LoginWay.PASSWORD
    """By what the account logs in, where that is refused."""
    again: tuple[int, ...] = ()
    """Moments after which people are told once more, while it lasts."""

    @property
    def key(self) -> str:
        """The name of what it is about, the same as long as it lasts."""
        # Of several folders on one disk now this one, now that one has the least room by a few octets.
        subject = "" if self.kind is Kind.DISK_LOW else self.subject
        return f"{_TOPIC.get(self.kind, self.kind)}/{subject}"


_needs_you = partial(Finding, grade=Grade.NEEDS_YOU)
_watch = partial(Finding, grade=Grade.WATCH)


def find(snapshot: Snapshot, now: int) -> tuple[Finding, ...]:
    """Return the findings of a snapshot, the most important first. `now` in milliseconds since 1970."""
    found = [
        *_service(snapshot),
        *(finding for state in snapshot.accounts for finding in _account(state)),
        *(finding for name, queue in snapshot.strangers.items() for finding in _gone(name, queue)),
        *_passwords(snapshot, now),
        *_proofs(snapshot, now),
        *_sign_ins(snapshot, now),
        *_storage(snapshot),
        *_backup(snapshot, now),
        *_certificates(snapshot, now),
        *_past(snapshot),
    ]
    return tuple(sorted(found, key=_order))


def disk_limits(snapshot: Snapshot) -> tuple[int, int]:
    """Return the free octets below which a disk is to be watched, and below which it needs a person."""
    return max(2 * snapshot.free_space, ENOUGH_DISK), snapshot.free_space


def worst(findings: Sequence[Finding]) -> Grade:
    """Return the grade of the whole."""
    return max((finding.grade for finding in findings), key=GRADES.index, default=Grade.FINE)


def _order(finding: Finding) -> tuple[int, int, int, str]:
    since = finding.since if finding.since is not None else 1 << 62
    return -GRADES.index(finding.grade), _WEIGHT[finding.kind], since, finding.subject


def _service(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.running is Running.NO:
        kind = Kind.SERVICE_DOWN if snapshot.accounts else Kind.NO_ACCOUNT  # without one it does not start
        yield _needs_you(kind=kind, mails=snapshot.waiting)
    elif snapshot.running is Running.SILENT:
        yield _needs_you(kind=Kind.SERVICE_SILENT, mails=snapshot.waiting, detail=snapshot.silence)
    if snapshot.configuration_changed:
        yield _watch(kind=Kind.CONFIGURATION_CHANGED)


def _account(state: AccountState) -> Iterator[Finding]:
    name, queue, pause = state.account.name, state.queue, state.pause
    yield from _mailbox(state)
    if not state.account.sends:
        yield from _gone(name, queue)
        return  # whatever kept it from sending was ended by that
    for kind, mails in ((Kind.HELD_DOUBTFUL, queue.doubtful), (Kind.HELD, queue.held - queue.doubtful)):
        if mails > 0:
            yield _needs_you(kind=kind, subject=name, since=queue.held_since, mails=mails)
    if pause is not None and pause.by_person:
        yield _watch(kind=Kind.PAUSED, subject=name, since=pause.since, mails=queue.waiting)
    elif pause is not None:
        since, said, way = pause.since, pause.reason, find_way(state.account.oauth)
        yield _needs_you(kind=Kind.LOGIN_REFUSED, subject=name, since=since, mails=queue.waiting, detail=said, way=way)
    if queue.silent_since is not None:
        since, said = queue.silent_since, queue.silence
        host = state.account.sending_host
        yield _needs_you(
            kind=Kind.PROVIDER_SILENT, subject=name, since=since, mails=queue.waiting, detail=said, host=host
        )
    if queue.setting_since is not None:
        since, said = queue.setting_since, queue.setting
        yield _needs_you(kind=Kind.SETTING_NEEDED, subject=name, since=since, mails=queue.waiting, detail=said)
    if queue.overdue:
        yield _needs_you(kind=Kind.MAIL_OVERDUE, subject=name, since=queue.overdue_since, mails=queue.overdue)
    most = state.account.recipients_per_day
    if most is not None and state.recipients_today >= most:
        yield _watch(kind=Kind.DAY_FULL, subject=name, mails=queue.waiting, number=most)


def _mailbox(state: AccountState) -> Iterator[Finding]:
    server, mailbox = state.account.mailbox, state.mailbox
    if server is None or mailbox is None or not mailbox.error:
        return
    # Refused for good: not for now, nor lost with its connection.
    passes = find_poll_row(mailbox.error).about is About.TROUBLE or read_cause(mailbox.error) is not None
    has_no_token = says_of_token(mailbox.error) is not None
    refused = (mailbox.error.startswith(LOGIN_STEP) or has_no_token) and not passes
    intervals = REFUSED_INTERVALS if refused else FAILING_INTERVALS
    patience = max(0 if refused else SHORTEST_FAILING, intervals * server.interval)
    # One that has never been collected was set up a moment ago: somebody is just waiting for it.
    lasts = mailbox.last_ok is None or state.failing_for >= patience
    kind = Kind.MAILBOX_REFUSED if refused else Kind.MAILBOX_FAILING
    found = _needs_you if lasts else _watch
    name, way, since = state.account.name, find_way(state.account.oauth), mailbox.last_ok
    yield found(kind=kind, subject=name, since=since, detail=mailbox.error, host=server.host, way=way)


def _passwords(snapshot: Snapshot, now: int) -> Iterator[Finding]:
    found = _needs_you if is_urgent(now) else _watch
    for state in snapshot.accounts:
        if uses_ending_password(state.account):
            yield found(kind=Kind.LOGIN_ENDED if has_ended(now) else Kind.LOGIN_ENDS, subject=state.account.name)


def _proofs(snapshot: Snapshot, now: int) -> Iterator[Finding]:
    """Find what accounts prove themselves by at the issuer of their tokens, and what ends soon."""
    for state in snapshot.accounts:
        ends = min((one.at for one in state.proofs_end), default=None)
        if ends is None or state.account.excluded or ends - now > FORESEEN[0] * DAY:
            continue
        again, left = tuple(ends - days * DAY for days in FORESEEN[1:]), max(0, (ends - now) // DAY)
        yield _needs_you(kind=Kind.PROOF_ENDS, subject=state.account.name, number=left, again=again)


def _sign_ins(snapshot: Snapshot, now: int) -> Iterator[Finding]:
    """Find the logins of persons that are missing or over while nothing has needed them yet, and that end soon."""
    for state in snapshot.accounts:
        oauth, login, name = state.account.oauth, state.sign_in, state.account.name
        if state.needs_sign_in and not _says_of_login(state):
            yield _needs_you(kind=Kind.SIGN_IN_NEEDED, subject=name, mails=state.queue.waiting)
        if oauth is None or login is None or state.account.excluded:
            continue
        is_known = state.pause is not None or (state.mailbox is not None and bool(state.mailbox.error))
        if login.ended and not is_known:
            yield _needs_you(kind=Kind.SIGN_IN_OVER, subject=name, detail=login.ended)
        elif (end := end_of_login(oauth, login)) is not None and end.is_near(now):
            left = max(0, (end.at - now) // DAY)
            yield _needs_you(kind=Kind.SIGN_IN_ENDS, subject=name, number=left, again=end.again)


def _says_of_login(state: AccountState) -> bool:
    """Return whether a pause or a poll has said already that the account can't log in."""
    refused = state.pause is not None and not state.pause.by_person
    return refused or (state.mailbox is not None and says_of_token(state.mailbox.error) is not None)


def _gone(name: str, queue: QueueState) -> Iterator[Finding]:
    if queue.waiting + queue.held:
        yield _needs_you(kind=Kind.ACCOUNT_GONE, subject=name, since=queue.held_since, mails=queue.waiting + queue.held)


def _storage(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.disks:
        free, folder = min((free, folder) for folder, free in snapshot.disks.items())
        watch, needs = disk_limits(snapshot)
        if free < watch:
            found = _needs_you if free < needs else _watch
            yield _with_since(snapshot, found(kind=Kind.DISK_LOW, subject=folder, number=free))
    if snapshot.quarantined:
        yield _needs_you(kind=Kind.QUARANTINE, since=snapshot.quarantined_since, mails=snapshot.quarantined)


def _backup(snapshot: Snapshot, now: int) -> Iterator[Finding]:
    backup, folder = snapshot.backup, snapshot.backup_folder
    if backup is None:
        return
    if backup.error:
        yield _needs_you(kind=Kind.BACKUP_FAILED, subject=folder, since=backup.error_at, detail=backup.error)
    elif backup.at is None:
        finding = _with_since(snapshot, _watch(kind=Kind.BACKUP_NONE, subject=folder))
        late = finding.since is not None and now - finding.since > BACKUP_AGE
        yield replace(finding, grade=Grade.NEEDS_YOU if late else Grade.WATCH)
    elif now - backup.at > BACKUP_AGE:
        yield _needs_you(kind=Kind.BACKUP_OLD, subject=folder, since=backup.at)


def _certificates(snapshot: Snapshot, now: int) -> Iterator[Finding]:
    for path, ending in snapshot.certificates.items():
        again, left = (*ending.told[1:], ending.expires), ending.expires - now
        if left <= 0:
            yield _needs_you(kind=Kind.CERTIFICATE_EXPIRED, subject=path, since=ending.expires, again=again)
        elif now >= ending.told[0]:
            yield _needs_you(kind=Kind.CERTIFICATE_EXPIRES, subject=path, number=left // DAY, again=again)


def _past(snapshot: Snapshot) -> Iterator[Finding]:
    for trouble in snapshot.archive:
        kind, since = Kind.ARCHIVE_FAILING, trouble.since
        yield _needs_you(kind=kind, subject=trouble.address, since=since, number=trouble.failed)
    if snapshot.bounced:
        yield _watch(kind=Kind.BOUNCED, since=snapshot.bounced_last, number=snapshot.bounced)


def _with_since(snapshot: Snapshot, finding: Finding) -> Finding:
    """Return a finding that has no time of its own the one when it was seen first."""
    watch = snapshot.watches.get(finding.key)
    return finding if watch is None or watch.well is not None else replace(finding, since=watch.since)
