from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.backoff import Backoff


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
