from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.restraints import NARROW_SECONDS, Backoff, ConnectionLimit, DayQuota


def test_each_failure_in_a_row_doubles_the_wait_up_to_the_longest() -> None:
    backoff = Backoff(first=5.0, longest=60.0)
    assert [backoff.fail(0.0) for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert backoff.wait(0.0) == 60
    assert backoff.wait(59.0) == 1
    assert backoff.wait(61.0) == 0


def test_days_of_failures_end_in_the_longest_wait() -> None:
    backoff = Backoff(first=5.0, longest=60.0)
    assert {backoff.fail(n * 60.0) for n in range(5000)} == {5, 10, 20, 40, 60}


def test_a_success_begins_anew_and_only_a_reset_ends_the_wait() -> None:
    backoff = Backoff(first=5.0, longest=60.0)
    backoff.fail(0.0)
    backoff.fail(0.0)
    backoff.relax()
    assert (backoff.failures, backoff.wait(0.0)) == (0, 10)
    assert backoff.fail(0.0) == 5
    backoff.reset()
    assert (backoff.failures, backoff.wait(0.0)) == (0, 0)


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_a_wait_is_never_longer_than_the_longest(moments: list[float]) -> None:
    backoff = Backoff(first=1.0, longest=30.0)
    for now in sorted(moments):
        backoff.fail(now)
        assert 0 < backoff.wait(now) <= 30 + 1e-9


def test_as_many_as_are_configured_or_as_few_as_the_provider_allows_for_a_while() -> None:
    limit = ConnectionLimit(configured=5)
    assert limit.most == 5
    limit.narrow(2, 100.0)
    assert limit.most == 2
    limit.expire(100.0 + NARROW_SECONDS - 1)
    assert limit.most == 2
    limit.expire(100.0 + NARROW_SECONDS)
    assert (limit.most, limit.allowed) == (5, None)


def test_one_is_always_allowed_and_never_more_than_are_configured() -> None:
    limit = ConnectionLimit(configured=3)
    limit.narrow(0, 0.0)
    assert limit.most == 1
    limit.narrow(7, 0.0)
    assert limit.most == 3
    limit.narrow(1, 0.0)
    limit.lift()
    assert limit.most == 3


def test_a_day_that_is_full_waits_for_the_next_one_unless_something_is_given_back() -> None:
    quota = DayQuota()
    assert quota.wait(1_000) == 0
    quota.exhaust(5_000)
    assert quota.wait(1_000) == 4
    assert quota.wait(6_000) == 0
    quota.reset()
    assert quota.wait(1_000) == 0


def test_who_finds_no_room_waits_only_while_others_hold_some() -> None:
    quota = DayQuota()
    assert not quota.contend()
    quota.reserve()
    quota.reserve()
    assert quota.contend()
    assert quota.contended
    assert quota.release()
    assert not quota.contended
    assert not quota.release()
    assert quota.reservations == 0
