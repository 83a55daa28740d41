from hypothesis import given
from hypothesis import strategies as st

from relay.intake.budget import ByteBudget, Share


def test_what_is_not_there_can_not_be_taken() -> None:
    budget = ByteBudget(10)
    assert budget.take(6)
    assert not budget.take(5)
    assert budget.free == 4
    budget.give(6)
    assert budget.free == 10


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=30))
def test_shares_never_take_more_than_there_is_and_give_everything_back(steps: list[tuple[int, int]]) -> None:
    budget = ByteBudget(100)
    shares = [Share(budget, 40) for _ in range(4)]
    for n, received in steps:
        shares[n].grow(received)
        assert 0 <= budget.free <= 100
    for share in shares:
        share.close()
    assert budget.free == 100
