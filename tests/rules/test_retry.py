import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model.account import RetryPolicy
from relay.rules.hours import is_open, open_time, parse_hours
from relay.rules.retry import counted_since, counted_time, has_expired, next_attempt, wants_warning

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONDAY = 1_780_264_800_000
"""2026-06-01 00:00 in Berlin."""

POLICY = RetryPolicy()
ALWAYS = parse_hours(["Mon-Sun 00:00-24:00"], "Europe/Berlin")
OFFICE = parse_hours(["Mon-Fri 07:00-19:00"], "Europe/Berlin")


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(0, MINUTE), (1, MINUTE), (2, 5 * MINUTE), (3, 15 * MINUTE), (4, HOUR), (5, HOUR), (1000, HOUR)],
)
def test_the_last_interval_repeats(attempts: int, wait: int) -> None:
    due = next_attempt(policy=POLICY, hours=ALWAYS, attempts=attempts, now=MONDAY, jitter=0.5)
    assert due == MONDAY + wait


def test_jitter_spreads_by_ten_percent() -> None:
    early = next_attempt(policy=POLICY, hours=ALWAYS, attempts=4, now=MONDAY, jitter=0.0)
    late = next_attempt(policy=POLICY, hours=ALWAYS, attempts=4, now=MONDAY, jitter=1 - 1e-12)
    assert (early, late) == (MONDAY + 54 * MINUTE, MONDAY + 66 * MINUTE)


def test_an_attempt_waits_for_the_opening() -> None:
    evening = MONDAY + 18 * HOUR + 30 * MINUTE
    due = next_attempt(policy=POLICY, hours=OFFICE, attempts=4, now=evening, jitter=0.5)
    assert due == MONDAY + DAY + 7 * HOUR


@given(st.integers(1, 10), st.integers(MONDAY, MONDAY + 30 * DAY), st.floats(0, 1, exclude_max=True))
def test_the_next_attempt_is_later_and_open(attempts: int, now: int, jitter: float) -> None:
    due = next_attempt(policy=POLICY, hours=OFFICE, attempts=attempts, now=now, jitter=jitter)
    assert due > now
    assert is_open(OFFICE, due)


@pytest.mark.parametrize(
    ("pauses", "hours"),
    [
        ([], 12),
        ([(8, 10)], 10),
        ([(8, 10), (9, 11)], 9),
        ([(9, 11), (8, 10)], 9),
        ([(8, 12), (9, 10)], 8),
        ([(0, 8)], 11),
        ([(-50, 8)], 11),
        ([(-50, -40)], 12),
        ([(18, 90)], 11),
        ([(30, 40), (35, 50)], 12),
        ([(-50, 90)], 0),
        ([(10, 8)], 12),
        ([(9, 9)], 12),
    ],
)
def test_pauses_do_not_count(pauses: list[tuple[int, int]], hours: int) -> None:
    spans = [(MONDAY + start * HOUR, MONDAY + end * HOUR) for start, end in pauses]
    assert counted_time(hours=OFFICE, pauses=spans, since=MONDAY, now=MONDAY + DAY) == hours * HOUR


def test_a_clock_that_was_set_back_counts_nothing() -> None:
    assert counted_time(hours=OFFICE, pauses=[], since=MONDAY + DAY, now=MONDAY) == 0
    pause = (MONDAY + 8 * HOUR, MONDAY + 10 * HOUR)
    assert counted_time(hours=ALWAYS, pauses=[pause], since=MONDAY + DAY, now=MONDAY) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=5), st.integers(0, 200))
def test_counting_hour_by_hour_gives_the_same(pauses: list[tuple[int, int]], length: int) -> None:
    spans = [(MONDAY + start * HOUR, MONDAY + end * HOUR) for start, end in pauses]
    expected = sum(
        open_time(OFFICE, MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR)
        for hour in range(length)
        if not any(start <= hour < end for start, end in pauses)
    )
    assert counted_time(hours=OFFICE, pauses=spans, since=MONDAY, now=MONDAY + length * HOUR) == expected


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=5), st.integers(0, 200), st.integers(1, 99)
)
def test_since_when_so_much_has_passed_is_exact(pauses: list[tuple[int, int]], length: int, span: int) -> None:
    spans = [(MONDAY + start * HOUR, MONDAY + end * HOUR) for start, end in pauses]
    now = MONDAY + length * HOUR

    def counted(since: int) -> int:
        return counted_time(hours=OFFICE, pauses=spans, since=since, now=now)

    found = counted_since(hours=OFFICE, pauses=spans, span=span * HOUR, oldest=MONDAY, now=now)
    if found is None:
        assert counted(MONDAY) < span * HOUR
    else:
        assert counted(found) >= span * HOUR > counted(found + 1)


def test_giving_up() -> None:
    assert not has_expired(POLICY, POLICY.give_up_after - 1)
    assert has_expired(POLICY, POLICY.give_up_after)


@pytest.mark.parametrize(
    ("counted", "warned", "wanted"),
    [
        (4 * HOUR - 1, False, False),
        (4 * HOUR, False, True),
        (4 * HOUR, True, False),
        (3 * DAY - 1, False, True),
        (3 * DAY, False, False),
    ],
)
def test_one_warning_before_giving_up(counted: int, warned: bool, wanted: bool) -> None:
    assert wants_warning(POLICY, counted, warned=warned) is wanted
