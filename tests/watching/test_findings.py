"""What needs a person: each kind by a table, and that more trouble never gives a better grade."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.mail import Pause
from relay.model.maildrop import Mailbox
from relay.model.oauth import Flow, OAuth, Provider, StoredLogin
from relay.rules.answers.token_rows import nobody_signed_in
from relay.rules.nightly import BackupState
from relay.rules.oauth_ends import DAY, ProofEnd
from relay.rules.passwords_end import ENDS
from relay.rules.states import Grade
from relay.storage.outbox import Watch
from relay.storage.standing import ArchiveTrouble, QueueState
from relay.watching.asking import Running
from relay.watching.findings import GRADES, Finding, Kind, disk_limits, find, worst
from relay.watching.snapshot import AccountState, Ending, Snapshot

NOW = 1_780_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
MIB = 1 << 20
FINE, WATCH, NEEDS = Grade.FINE, Grade.WATCH, Grade.NEEDS_YOU


def pause_of(*, since: int, reason: str, by_person: bool = False) -> Pause:
    return Pause(account="sales", since=since, until=None, reason=reason, by_person=by_person)


SMTP = SmtpServer(host="smtp.provider.example", port=587, security=Security.STARTTLS)
SALES = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna", smtp=SMTP)


MICROSOFT = replace(SALES, smtp=replace(SMTP, host="smtp.office365.com", username="sales@example.com"))


def collected(interval: int) -> Account:
    pop3 = Pop3Server(host="pop3.provider.example", port=995, security=Security.TLS, username="u", interval=interval)
    return replace(SALES, pop3=pop3)


def limited(most: int | None) -> Account:
    return replace(SALES, smtp=replace(SMTP, recipients_per_day=most))


def polled(last_ok: int | None, error: str) -> Mailbox:
    return Mailbox(hosts=(), login="u", last_ok=last_ok, error=error)


def sales(account: Account = SALES, **more: Any) -> Snapshot:  # noqa: ANN401 - fields of an account's state
    return Snapshot(accounts=(AccountState(account=account, **more),))


def queue(**more: Any) -> Snapshot:  # noqa: ANN401 - fields of a queue's state
    return sales(queue=QueueState(**more))


def mailbox(error: str, *, failing: int, last_ok: int | None = NOW - DAY, interval: int = 5 * MINUTE) -> Snapshot:
    return sales(collected(interval), mailbox=polled(last_ok, error), failing_for=failing)


def disk(free: int, least: int = 50 * MIB) -> Snapshot:
    return Snapshot(disks={"/a": 1 << 40, "/b": free}, free_space=least)


def known(key: str, since: int) -> dict[str, Watch]:
    return {key: Watch(key=key, since=since)}


def backup(at: int | None, error: str = "") -> Snapshot:
    return Snapshot(backup=BackupState(at=at, error=error, error_at=NOW - HOUR if error else None), backup_folder="/b")


def certificate(left: int) -> Snapshot:
    expires = NOW + left
    told = tuple(expires - days * DAY for days in (60, 30, 7))
    return Snapshot(certificates={"/c.pem": Ending(expires=expires, told=told)})


LOGIN = "login: no such user"
MAILS_BY_TOKEN = replace(SALES, oauth=OAuth(provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="c"))
SIGNED_IN = StoredLogin(account="sales", binding="b", begun_at=NOW, got_at=NOW)
secret_ends = partial(ProofEnd, is_certificate=False)
LOST = "connect: mail.example: Connection refused"
TABLE = [
    (Snapshot(), None, FINE),
    (queue(waiting=9, active=2, oldest=NOW - HOUR), None, FINE),
    (Snapshot(running=Running.NO), Kind.NO_ACCOUNT, NEEDS),
    (Snapshot(running=Running.NO, accounts=(AccountState(account=SALES),)), Kind.SERVICE_DOWN, NEEDS),
    (Snapshot(running=Running.SILENT, silence="no answer"), Kind.SERVICE_SILENT, NEEDS),
    (sales(MICROSOFT), Kind.LOGIN_ENDS, WATCH),
    (sales(proofs_end=(secret_ends(NOW + 60 * DAY + 1),)), None, FINE),
    (sales(proofs_end=(secret_ends(NOW + 90 * DAY), secret_ends(NOW + 60 * DAY))), Kind.PROOF_ENDS, NEEDS),
    (sales(replace(SALES, excluded=True), proofs_end=(secret_ends(NOW),)), None, FINE),
    (sales(MAILS_BY_TOKEN, sign_in=replace(SIGNED_IN, ended="invalid_grant")), Kind.SIGN_IN_OVER, NEEDS),
    (sales(replace(MAILS_BY_TOKEN, excluded=True), sign_in=replace(SIGNED_IN, ended="invalid_grant")), None, FINE),
    (sales(MAILS_BY_TOKEN, sign_in=replace(SIGNED_IN, got_at=NOW - 29 * DAY)), None, FINE),
    (sales(MAILS_BY_TOKEN, sign_in=replace(SIGNED_IN, got_at=NOW - 30 * DAY)), Kind.SIGN_IN_ENDS, NEEDS),
    (sales(MAILS_BY_TOKEN, sign_in=replace(SIGNED_IN, ended="no"), pause=pause_of(since=NOW, reason="535 no")),
     Kind.LOGIN_REFUSED, NEEDS),
    (mailbox("nobody has signed in yet: relay account authorize sales", failing=0, last_ok=None),
     Kind.MAILBOX_REFUSED, NEEDS),
    (sales(MAILS_BY_TOKEN), Kind.SIGN_IN_NEEDED, NEEDS),
    (sales(replace(MAILS_BY_TOKEN, excluded=True)), None, FINE),
    (sales(replace(MAILS_BY_TOKEN, oauth=OAuth(provider=Provider.MICROSOFT, flow=Flow.APP, client_id="c"))),
     None, FINE),
    (sales(MAILS_BY_TOKEN, pause=pause_of(since=NOW, reason=f"535 5.7.8 {nobody_signed_in('sales')}")),
     Kind.LOGIN_REFUSED, NEEDS),
    (sales(replace(MAILS_BY_TOKEN, pop3=collected(5 * MINUTE).pop3), mailbox=polled(None, nobody_signed_in("sales"))),
     Kind.MAILBOX_REFUSED, NEEDS),
    (Snapshot(configuration_changed=True), Kind.CONFIGURATION_CHANGED, WATCH),
    (sales(pause=pause_of(since=NOW, reason="535 no")), Kind.LOGIN_REFUSED, NEEDS),
    (sales(pause=pause_of(since=NOW, reason="by command", by_person=True)), Kind.PAUSED, WATCH),
    (mailbox(LOGIN, failing=14 * MINUTE), Kind.MAILBOX_REFUSED, WATCH),
    (mailbox(LOGIN, failing=15 * MINUTE), Kind.MAILBOX_REFUSED, NEEDS),
    (mailbox(LOGIN, failing=0, last_ok=None), Kind.MAILBOX_REFUSED, NEEDS),
    (mailbox(LOST, failing=29 * MINUTE), Kind.MAILBOX_FAILING, WATCH),
    (mailbox(LOST, failing=30 * MINUTE), Kind.MAILBOX_FAILING, NEEDS),
    (mailbox(LOST, failing=5 * HOUR, interval=HOUR), Kind.MAILBOX_FAILING, WATCH),
    (mailbox(LOST, failing=6 * HOUR, interval=HOUR), Kind.MAILBOX_FAILING, NEEDS),
    (mailbox(LOST, failing=5 * MINUTE, interval=MINUTE), Kind.MAILBOX_FAILING, WATCH),
    (mailbox("login: -ERR [IN-USE] locked", failing=29 * MINUTE), Kind.MAILBOX_FAILING, WATCH),
    (mailbox("login: [sys/temp] later", failing=DAY), Kind.MAILBOX_FAILING, NEEDS),
    (mailbox("login: pop.example: Connection reset by peer", failing=29 * MINUTE), Kind.MAILBOX_FAILING, WATCH),
    (mailbox("", failing=DAY), None, FINE),
    (queue(setting_since=NOW - HOUR, setting="430 4.2.0 STOREDRV", waiting=1), Kind.SETTING_NEEDED, NEEDS),
    (queue(silent_since=NOW - HOUR, silence="refused", waiting=1), Kind.PROVIDER_SILENT, NEEDS),
    (queue(overdue=3, waiting=4, overdue_since=NOW - DAY), Kind.MAIL_OVERDUE, NEEDS),
    (queue(held=2, doubtful=2), Kind.HELD_DOUBTFUL, NEEDS),
    (queue(held=2), Kind.HELD, NEEDS),
    (sales(replace(SALES, excluded=True), queue=QueueState(waiting=1)), Kind.ACCOUNT_GONE, NEEDS),
    (sales(replace(SALES, smtp=None), queue=QueueState(held=1)), Kind.ACCOUNT_GONE, NEEDS),
    (sales(replace(SALES, excluded=True)), None, FINE),
    (Snapshot(strangers={"old": QueueState(held=2)}), Kind.ACCOUNT_GONE, NEEDS),
    (Snapshot(strangers={"old": QueueState(active=1)}), None, FINE),
    (sales(limited(100), recipients_today=99), None, FINE),
    (sales(limited(100), recipients_today=100), Kind.DAY_FULL, WATCH),
    (Snapshot(quarantined=1, quarantined_since=NOW), Kind.QUARANTINE, NEEDS),
    (disk(50 * MIB - 1), Kind.DISK_LOW, NEEDS),
    (disk(50 * MIB), Kind.DISK_LOW, WATCH),
    (disk((1 << 30) - 1), Kind.DISK_LOW, WATCH),
    (disk(1 << 30), None, FINE),
    (disk(3 << 30, least=2 << 30), Kind.DISK_LOW, WATCH),
    (backup(NOW - 36 * HOUR), None, FINE),
    (backup(NOW - 36 * HOUR - 1), Kind.BACKUP_OLD, NEEDS),
    (backup(NOW - HOUR, "no room"), Kind.BACKUP_FAILED, NEEDS),
    (backup(None), Kind.BACKUP_NONE, WATCH),
    (replace(backup(None), watches=known("backup//b", NOW - 36 * HOUR)), Kind.BACKUP_NONE, WATCH),
    (replace(backup(None), watches=known("backup//b", NOW - 36 * HOUR - 1)), Kind.BACKUP_NONE, NEEDS),
    (sales(replace(SALES, excluded=True), pause=pause_of(since=NOW, reason="535 no")), None, FINE),
    (certificate(60 * DAY + 1), None, FINE),
    (certificate(60 * DAY), Kind.CERTIFICATE_EXPIRES, NEEDS),
    (certificate(1), Kind.CERTIFICATE_EXPIRES, NEEDS),
    (certificate(0), Kind.CERTIFICATE_EXPIRED, NEEDS),
    (Snapshot(archive=(ArchiveTrouble(address="c@x.example", since=NOW, failed=3),)), Kind.ARCHIVE_FAILING, NEEDS),
    (Snapshot(bounced=2, bounced_last=NOW), Kind.BOUNCED, WATCH),
]  # fmt: skip


@pytest.mark.parametrize(("snapshot", "kind", "grade"), TABLE)
def test_each_kind_has_its_grade(snapshot: Snapshot, kind: Kind | None, grade: Grade) -> None:
    found = find(snapshot, NOW)
    assert [one.kind for one in found] == ([] if kind is None else [kind])
    assert worst(found) is grade


def test_every_kind_stands_in_the_table() -> None:
    assert {kind for _, kind, _ in TABLE} - {None} == set(Kind) - {Kind.LOGIN_ENDED}  # that comes by time alone


def test_a_finding_says_what_it_holds_up_and_since_when() -> None:
    snapshot = queue(held=5, doubtful=2, held_since=NOW - HOUR, waiting=7)
    assert find(snapshot, NOW) == (
        Finding(kind=Kind.HELD_DOUBTFUL, grade=NEEDS, subject="sales", since=NOW - HOUR, mails=2),
        Finding(kind=Kind.HELD, grade=NEEDS, subject="sales", since=NOW - HOUR, mails=3),
    )


def test_the_end_of_passwords_needs_a_person_in_the_month_before_it() -> None:
    assert [one.grade for one in find(sales(MICROSOFT), ENDS - DAY)] == [NEEDS]
    assert [one.grade for one in find(sales(MICROSOFT), ENDS - 60 * DAY)] == [WATCH]
    assert [one.subject for one in find(sales(MICROSOFT), ENDS)] == ["sales"]
    (before,), (after,) = find(sales(MICROSOFT), ENDS), find(sales(MICROSOFT), ENDS + DAY)
    assert (after.kind, after.grade) == (Kind.LOGIN_ENDED, WATCH)
    assert after.key == before.key, "it is the same trouble, of which nobody is told that it is over"


def test_the_most_important_comes_first() -> None:
    several = Snapshot(
        running=Running.NO,
        accounts=(
            AccountState(account=replace(SALES, name="b"), pause=pause_of(since=NOW - 1, reason="535")),
            AccountState(account=replace(SALES, name="a"), pause=pause_of(since=NOW, reason="535")),
            AccountState(account=replace(SALES, name="c"), pause=pause_of(since=NOW, reason="", by_person=True)),
        ),
        bounced=1,
        quarantined=1,
    )
    assert [(one.kind, one.subject) for one in find(several, NOW)] == [
        (Kind.SERVICE_DOWN, ""),
        (Kind.LOGIN_REFUSED, "b"),
        (Kind.LOGIN_REFUSED, "a"),
        (Kind.QUARANTINE, ""),
        (Kind.PAUSED, "c"),
        (Kind.BOUNCED, ""),
    ]


def test_what_has_no_time_of_its_own_has_that_of_the_first_look() -> None:
    full = replace(disk(1), watches=known("disk_low/", NOW - HOUR))
    assert [one.since for one in find(full, NOW)] == [NOW - HOUR]
    assert [one.since for one in find(disk(1), NOW)] == [None]


def test_a_cause_that_changes_is_the_same_trouble() -> None:
    keys = {find(mailbox(error, failing=DAY), NOW)[0].key for error in (LOGIN, LOST)}
    assert keys == {"mailbox/sales"}
    assert {find(one, NOW)[0].key for one in (backup(1), backup(1, "no"))} == {"backup//b"}


def test_what_is_out_of_reach_is_named_with_its_host() -> None:
    (box,) = find(mailbox(LOST, failing=DAY), NOW)
    assert (box.kind, box.host) == (Kind.MAILBOX_FAILING, "pop3.provider.example")
    (silent,) = find(queue(silent_since=NOW - HOUR, silence="refused", waiting=1), NOW)
    assert (silent.kind, silent.host) == (Kind.PROVIDER_SILENT, "smtp.provider.example")


@pytest.mark.parametrize("free", [0, 50 * MIB, 1 << 30])
def test_the_disks_limits_are_those_that_are_shown(free: int) -> None:
    watch, needs = disk_limits(disk(free))
    assert worst(find(disk(free), NOW)) is (NEEDS if free < needs else WATCH if free < watch else FINE)


COUNTS = st.integers(0, 3)
TIMES = st.one_of(st.none(), st.integers(NOW - 3 * DAY, NOW))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    held = draw(COUNTS)
    account = AccountState(
        account=replace(
            collected(5 * MINUTE),
            excluded=draw(st.booleans()),
            smtp=limited(draw(st.one_of(st.none(), COUNTS))).smtp,
        ),
        queue=QueueState(
            waiting=draw(COUNTS), held=held, doubtful=draw(st.integers(0, held)), overdue=draw(COUNTS),
            silent_since=draw(TIMES),
        ),
        pause=draw(st.one_of(st.none(), st.builds(
            pause_of, since=st.just(NOW), reason=st.just("x"), by_person=st.booleans()))),
        mailbox=draw(st.one_of(st.none(), st.builds(polled, TIMES, st.sampled_from(["", LOGIN, LOST])))),
        failing_for=draw(st.integers(0, DAY)),
        recipients_today=draw(COUNTS),
    )  # fmt: skip
    return Snapshot(
        running=draw(st.sampled_from(Running)),
        accounts=(account,),
        strangers=draw(st.sampled_from([{}, {"old": QueueState(held=1)}])),
        quarantined=draw(COUNTS),
        disks={"/a": draw(st.integers(0, 4 << 30))},
        free_space=draw(st.integers(0, 2 << 30)),
        backup=draw(st.one_of(st.none(), st.builds(
            BackupState, at=TIMES, error=st.sampled_from(["", "no room"])))),
        bounced=draw(COUNTS),
        certificates=certificate(draw(st.integers(-DAY, 70 * DAY))).certificates,
        configuration_changed=draw(st.booleans()),
    )  # fmt: skip


def _account(snapshot: Snapshot, **more: Any) -> Snapshot:  # noqa: ANN401 - fields of an account's state
    return replace(snapshot, accounts=(replace(snapshot.accounts[0], **more),))


def _queue(snapshot: Snapshot, **more: Any) -> Snapshot:  # noqa: ANN401 - fields of a queue's state
    return _account(snapshot, queue=replace(snapshot.accounts[0].queue, **more))


WORSE = [
    lambda s: replace(s, running=Running.NO),
    lambda s: replace(s, running=Running.SILENT),
    lambda s: replace(s, quarantined=s.quarantined + 1),
    lambda s: replace(s, bounced=s.bounced + 1),
    lambda s: replace(s, disks={**s.disks, "/b": 0}),
    lambda s: replace(s, disks={"/a": s.disks["/a"] // 2}),
    lambda s: replace(s, certificates=certificate(s.certificates["/c.pem"].expires - NOW - 65 * DAY).certificates),
    lambda s: replace(s, configuration_changed=True),
    lambda s: replace(s, strangers={"old": QueueState(waiting=1), **s.strangers}),
    lambda s: replace(s, archive=(ArchiveTrouble(address="c@x.example", since=NOW, failed=1),)),
    lambda s: s if s.backup is None else replace(s, backup=replace(s.backup, error="broken")),
    lambda s: s if s.backup is None or s.backup.at is None else replace(
        s, backup=replace(s.backup, at=s.backup.at - DAY)),
    lambda s: _queue(s, waiting=s.accounts[0].queue.waiting + 1),
    lambda s: _queue(s, held=s.accounts[0].queue.held + 1),
    lambda s: _queue(s, held=s.accounts[0].queue.held + 1, doubtful=s.accounts[0].queue.doubtful + 1),
    lambda s: _queue(s, overdue=s.accounts[0].queue.overdue + 1),
    lambda s: _queue(s, silent_since=NOW - HOUR),
    lambda s: _account(s, pause=pause_of(since=NOW, reason="535")),
    lambda s: _account(s, recipients_today=s.accounts[0].recipients_today + 1),
    lambda s: s if s.accounts[0].mailbox is None else _account(
        s, mailbox=replace(s.accounts[0].mailbox, error=LOGIN), failing_for=s.accounts[0].failing_for + DAY),
]  # fmt: skip


@given(snapshots(), st.lists(st.sampled_from(WORSE), max_size=5))
def test_more_trouble_never_gives_a_better_grade(snapshot: Snapshot, changes: list[Any]) -> None:
    before = worst(find(snapshot, NOW))
    for change in changes:
        snapshot = change(snapshot)
        after = worst(find(snapshot, NOW))
        assert GRADES.index(after) >= GRADES.index(before)
        before = after


@given(snapshots())
def test_time_alone_never_makes_it_better(snapshot: Snapshot) -> None:
    later, now = worst(find(snapshot, NOW + DAY)), worst(find(snapshot, NOW))
    assert GRADES.index(later) >= GRADES.index(now)


@given(snapshots())
def test_each_trouble_is_named_once(snapshot: Snapshot) -> None:
    keys = [one.key for one in find(snapshot, NOW)]
    assert len(keys) == len(set(keys))
