"""When people are told: at the edge, when it is over, and not of what comes and goes. The clock is a number."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Account
from relay.model.address import Address
from relay.model.maildrop import Mailbox
from relay.rules.states import Grade
from relay.storage.outbox import Watch
from relay.watching.alerting import HEALED, QUIET, News, decide, is_moot, subject_of
from relay.watching.findings import Finding, Kind
from relay.watching.snapshot import AccountState, Ending, Snapshot

MINUTE = 60_000
START = 1_780_000_000_000
FULL = Finding(kind=Kind.DISK_LOW, grade=Grade.NEEDS_YOU, subject="/var", number=5)


class Days:
    """A postmaster who gets what is decided, minute by minute."""

    def __init__(self) -> None:
        self.now = START
        self.watches: dict[str, Watch] = {}
        self.told: list[tuple[int, News]] = []
        """In minutes since the start."""

    def minute(self, *findings: Finding) -> None:
        for change in decide(self.watches, findings, self.now):
            known = change.before or change.after
            assert known is not None
            assert self.watches.get(known.key) == change.before
            if change.after is None:
                del self.watches[known.key]
            else:
                self.watches[known.key] = change.after
            if change.news is not None:
                self.told.append(((self.now - START) // MINUTE, change.news))
        self.now += MINUTE

    def minutes(self, count: int, *findings: Finding) -> None:
        for _ in range(count):
            self.minute(*findings)


def test_people_are_told_once_at_the_edge_and_once_when_it_is_over() -> None:
    days = Days()
    days.minutes(300, FULL)
    days.minutes(100)
    assert days.told == [(0, News.RAISED), (315, News.CLEARED)]
    assert days.watches == {}


def test_what_comes_and_goes_is_told_as_one() -> None:
    days = Days()
    for _ in range(30):
        days.minutes(3, FULL)
        days.minutes(14)
    days.minutes(2)
    assert days.told == [(0, News.RAISED), (511, News.CLEARED)]


def test_what_comes_back_within_the_hour_is_told_when_that_is_over() -> None:
    days = Days()
    days.minutes(1, FULL)
    days.minutes(19)
    days.minutes(100, FULL)
    assert days.told == [(0, News.RAISED), (16, News.CLEARED), (60, News.RAISED)]


def test_what_healed_within_the_hour_again_is_not_told_again() -> None:
    days = Days()
    days.minutes(1, FULL)
    days.minutes(19)
    days.minutes(10, FULL)
    days.minutes(100)
    assert days.told == [(0, News.RAISED), (16, News.CLEARED)]
    assert days.watches == {}


def test_what_is_only_to_be_watched_or_has_its_own_notice_is_not_told() -> None:
    days = Days()
    others = [kind for kind in Kind if kind in {Kind.LOGIN_REFUSED, Kind.HELD, Kind.ACCOUNT_GONE, Kind.SERVICE_DOWN}]
    days.minute(*(Finding(kind=kind, grade=Grade.NEEDS_YOU) for kind in others))
    days.minute(Finding(kind=Kind.DISK_LOW, grade=Grade.WATCH), Finding(kind=Kind.MAILBOX_FAILING, grade=Grade.WATCH))
    assert (days.told, days.watches) == ([], {})


def test_another_cause_of_the_same_trouble_is_not_told_again() -> None:
    days = Days()
    days.minute(Finding(kind=Kind.MAILBOX_REFUSED, grade=Grade.NEEDS_YOU, subject="sales"))
    days.minute(Finding(kind=Kind.MAILBOX_FAILING, grade=Grade.NEEDS_YOU, subject="sales"))
    days.minute(Finding(kind=Kind.MAILBOX_FAILING, grade=Grade.NEEDS_YOU, subject="other"))
    assert [minute for minute, _ in days.told] == [0, 2]


def test_a_clock_that_was_set_back_neither_silences_nor_storms() -> None:
    days = Days()
    days.minutes(1, FULL)
    days.minutes(5)
    days.now -= 24 * 60 * MINUTE
    days.minutes(20)
    days.minutes(30, FULL)
    assert [news for _, news in days.told] == [News.RAISED, News.CLEARED, News.RAISED]


def test_what_goes_with_the_end_of_its_cause_is_never_told() -> None:
    silent = Finding(kind=Kind.PROVIDER_SILENT, grade=Grade.NEEDS_YOU, subject="sales", since=5)
    overdue = Finding(kind=Kind.MAIL_OVERDUE, grade=Grade.NEEDS_YOU, subject="sales", since=5)
    days = Days()
    days.minutes(300, silent, overdue)
    days.minutes(10, overdue)  # what has waited is on its way
    days.minutes(100)
    assert days.told == [(0, News.RAISED), (315, News.CLEARED)]


def test_the_disk_of_another_node_silences_no_mailbox() -> None:
    failing = Finding(kind=Kind.MAILBOX_FAILING, grade=Grade.NEEDS_YOU, subject="sales")
    key = "disk_low/#b"
    watches = {key: Watch(key=key, since=1, told=START, is_open=True)}
    (change,) = decide(watches, (failing,), START, node="a")
    assert change.news is News.RAISED


def test_it_is_named_by_when_it_began() -> None:
    (change,) = decide({}, [FULL], START)
    assert change.after is not None
    assert change.after.since == START
    (change,) = decide({}, [Finding(kind=Kind.PROVIDER_SILENT, grade=Grade.NEEDS_YOU, since=5)], START)
    assert change.after is not None
    assert change.after.since == 5


def test_a_backup_that_never_was_is_counted_from_the_first_look() -> None:
    days = Days()
    none = Finding(kind=Kind.BACKUP_NONE, grade=Grade.WATCH, subject="/b")
    days.minutes(100, none)
    assert [watch.since for watch in days.watches.values()] == [START]
    days.minutes(50, replace(none, grade=Grade.NEEDS_YOU, since=START))
    days.minutes(120)
    assert days.told == [(100, News.RAISED), (165, News.CLEARED)]
    assert days.watches == {}


def test_it_lasts_while_it_is_still_to_be_watched() -> None:
    days = Days()
    days.minutes(1, FULL)
    days.minutes(100, replace(FULL, grade=Grade.WATCH))
    days.minutes(1, FULL)
    days.minutes(16)
    assert days.told == [(0, News.RAISED), (117, News.CLEARED)]


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Finding(kind=Kind.PROVIDER_SILENT, grade=Grade.NEEDS_YOU, subject="sales"), Kind.MAIL_OVERDUE),
        (Finding(kind=Kind.LOGIN_REFUSED, grade=Grade.NEEDS_YOU, subject="sales"), Kind.MAIL_OVERDUE),
        (FULL, Kind.MAILBOX_FAILING),
    ],
)
def test_what_has_a_cause_that_is_told_is_not_told_itself(cause: Finding, kind: Kind) -> None:
    effect = Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="sales")
    days = Days()
    days.minutes(5, cause, effect)
    known = [*days.watches]
    assert all(not key.startswith(effect.key) for key in known)
    if cause.kind is not Kind.LOGIN_REFUSED:  # its end is told elsewhere
        days.minutes(16, effect)  # the cause is gone, which is told first, and this is not
        assert effect.key not in days.watches
    days.minutes(2, effect)
    assert effect.key in days.watches


def test_each_node_sees_its_own_disk_and_all_see_the_same_mailbox() -> None:
    refused = Finding(kind=Kind.MAILBOX_REFUSED, grade=Grade.NEEDS_YOU, subject="sales")
    watches: dict[str, Watch] = {}
    for node in "ab":
        for change in decide(watches, (FULL, refused), START, node=node):
            assert change.after is not None
            watches[change.after.key] = change.after
    assert [*watches] == ["disk_low/#a", "mailbox/sales", "disk_low/#b"]
    (change,) = decide(watches, (refused,), START + MINUTE, node="b")
    assert change.after is not None
    assert (change.after.key, change.after.well) == ("disk_low/#b", START + MINUTE)
    assert [subject_of(key) for key in watches] == ["", "sales", ""]


def test_what_the_configuration_has_no_more_is_moot() -> None:
    polled = Mailbox(hosts=(), login="u")
    old = Account(name="old", address=Address(local="old", domain="example.com"), owner="anna")
    sales = AccountState(account=replace(old, name="sales"), mailbox=polled)
    certificates = {"/etc/c.pem": Ending(expires=START, told=(START,))}
    snapshot = Snapshot(accounts=(sales, AccountState(account=old)), certificates=certificates)
    assert not is_moot("certificate//etc/c.pem", snapshot)
    assert is_moot("certificate//etc/other.pem", snapshot)
    assert not is_moot("mailbox/sales", snapshot)
    assert is_moot("mailbox/old", snapshot)
    assert is_moot("mailbox/gone", snapshot)
    assert is_moot("backup//b", snapshot)
    assert not is_moot("disk_low/", snapshot)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=30))
def test_news_take_turns_and_no_alert_comes_twice_an_hour(spans: list[tuple[bool, int]]) -> None:
    days = Days()
    for ill, minutes in spans:
        days.minutes(minutes, *([FULL] if ill else []))
    days.minutes(1 + (HEALED + QUIET) // MINUTE)
    assert [news for _, news in days.told] == [News.RAISED, News.CLEARED] * (len(days.told) // 2)
    raised = [minute for minute, news in days.told if news is News.RAISED]
    assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(raised))
    assert days.watches == {}


def test_a_certificate_is_told_of_again_when_it_has_run_out_and_when_it_is_a_new_one() -> None:
    days = Days()
    again = START + 100 * MINUTE, START + 200 * MINUTE
    for minutes, kind in ((200, Kind.CERTIFICATE_EXPIRES), (100, Kind.CERTIFICATE_EXPIRED)):
        days.minutes(minutes, Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="/c.pem", again=again))
    assert days.told == [(0, News.RAISED), (100, News.RAISED), (200, News.RAISED)]
    days.minutes(100)
    assert days.told[3:] == [(315, News.CLEARED)]


def test_what_is_foreseen_is_told_again_as_it_comes_nearer() -> None:
    days = Days()
    again = START + 100 * MINUTE, START + 200 * MINUTE
    days.minutes(300, Finding(kind=Kind.PROOF_ENDS, grade=Grade.NEEDS_YOU, subject="sales", again=again))
    assert days.told == [(0, News.RAISED), (100, News.RAISED), (200, News.RAISED)]
    days.minutes(100)
    assert days.told[3:] == [(315, News.CLEARED)]
