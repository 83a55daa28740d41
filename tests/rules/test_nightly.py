"""The plan of the nights, by a clock that the test turns."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.nightly import AGAIN, DAY, SOON, BackupState, next_backup, next_night

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000
TWO = 2 * HOUR


def moment(text: str, fold: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp() * 1000)


def due(now: str, *, started: str = "2026-01-01 00:00", at: int = TWO, **past: int) -> int:
    return next_backup(
        now=moment(now),
        started=moment(started),
        past=BackupState(at=past.get("done"), error_at=past.get("failed"), begun=past.get("begun")),
        at=at,
        zone=BERLIN,
    )


def test_each_night_at_its_time() -> None:
    done = moment("2026-11-27 02:00")
    assert due("2026-11-27 02:00:30", done=done) == moment("2026-11-28 02:00")
    assert due("2026-11-28 01:59:59", done=done) == moment("2026-11-28 02:00")
    assert due("2026-11-28 02:00", done=done) == moment("2026-11-28 02:00")
    assert due("2026-11-28 02:10", done=done) == moment("2026-11-28 02:00")


def test_one_by_hand_in_the_evening_does_not_stand_for_the_night() -> None:
    assert due("2026-11-27 20:01", done=moment("2026-11-27 20:00")) == moment("2026-11-28 02:00")


def test_a_missed_night_is_made_up_for_soon_after_the_start_once_the_last_is_older_than_a_day() -> None:
    at_five = "2026-11-28 05:00"
    assert due(at_five, started=at_five, done=moment("2026-11-27 02:00")) == moment(at_five) + SOON
    assert due(at_five, started=at_five, done=moment("2026-11-27 20:00")) == moment("2026-11-28 20:00")
    assert due(at_five, started=at_five, done=moment("2026-11-28 00:00")) == moment("2026-11-28 00:00") + DAY
    assert due(at_five, started=at_five) == moment(at_five) + SOON
    at_two = "2026-11-28 01:59"
    assert due(at_two, started=at_two) == moment("2026-11-28 02:00")


def test_a_service_that_dies_in_the_middle_again_and_again_makes_one_an_hour_at_most() -> None:
    at_five = "2026-11-28 05:00"
    begun = moment("2026-11-28 04:55")
    assert due(at_five, started=at_five, begun=begun) == begun + AGAIN
    assert due(at_five, started=at_five, failed=begun) == begun + AGAIN
    old = moment("2026-11-27 04:55")
    assert due(at_five, started=at_five, begun=old, failed=old) == moment(at_five) + SOON


def test_after_a_failure_it_is_tried_again_an_hour_later() -> None:
    done, failed = moment("2026-11-27 02:00"), moment("2026-11-28 02:01")
    assert due("2026-11-28 02:30", done=done, failed=failed) == failed + AGAIN


def test_a_moment_in_the_future_is_of_a_clock_that_was_wrong() -> None:
    future = moment("2031-01-01 00:00")
    assert due("2026-11-28 12:00", done=future, failed=future, begun=future) == moment("2026-11-28 02:00")


@pytest.mark.parametrize(
    ("at", "before", "expected"),
    [
        # The clock goes from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October.
        (TWO + HOUR // 2, "2026-03-29 00:00", "2026-03-29 03:30"),
        (TWO, "2026-03-29 00:00", "2026-03-29 03:00"),
        (TWO + HOUR // 2, "2026-10-25 00:00", "2026-10-25 02:30"),
    ],
)
def test_changes_of_the_clock(at: int, before: str, expected: str) -> None:
    assert next_night(moment(before), at, BERLIN) == moment(expected)


def test_a_night_that_comes_twice_counts_once() -> None:
    half_past_two = TWO + HOUR // 2
    done = moment("2026-10-25 02:30")
    again = moment("2026-10-25 02:30", fold=1)
    assert again == done + HOUR
    following = next_backup(now=again, started=0, past=BackupState(at=done), at=half_past_two, zone=BERLIN)
    assert following == moment("2026-10-26 02:30")


@given(
    now=st.integers(0, 4_000_000_000_000),
    at=st.integers(0, 24 * 60 - 1),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "UTC", "Australia/Lord_Howe"]),
)
def test_there_is_one_each_day(now: int, at: int, zone: str) -> None:
    following = next_night(now, at * 60_000, ZoneInfo(zone))
    assert now < following <= now + DAY + 2 * HOUR
    assert following < next_night(following, at * 60_000, ZoneInfo(zone))
