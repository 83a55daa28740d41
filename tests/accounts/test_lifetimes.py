from hypothesis import given
from hypothesis import strategies as st

from relay.accounts.lifetimes import Lifetimes
from relay.model.oauth import StoredLogin

HOUR = 3_600_000
DAY = 24 * HOUR


class Clocks:
    """A wall clock that can be set, and one that can't."""

    def __init__(self) -> None:
        self.passed = 0
        self.skew = 1_780_000_000_000
        self.lifetimes = Lifetimes(lambda: self.passed + self.skew, lambda: self.passed / 1000)

    def login(self, sealed: str = "a") -> StoredLogin:
        now = self.passed + self.skew
        return StoredLogin(account="a", binding="", sealed=sealed, begun_at=now, got_at=now, ends_at=now + HOUR)


def test_a_clock_that_goes_right_says_it() -> None:
    clocks = Clocks()
    login = clocks.login()
    assert clocks.lifetimes.left(login) == HOUR
    clocks.passed += HOUR + 1
    assert clocks.lifetimes.left(login) == -1


def test_of_a_token_that_comes_from_the_future_nobody_knows_how_long_it_holds() -> None:
    clocks = Clocks()
    login = clocks.login()
    clocks.skew -= 60_000  # as of another node
    assert clocks.lifetimes.left(login) == HOUR + 60_000
    clocks.skew -= 1
    assert clocks.lifetimes.left(login) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(-2 * DAY, 2 * DAY)), max_size=8))
def test_a_token_never_holds_for_longer_than_the_time_that_really_passes(steps: list[tuple[bool, int]]) -> None:
    clocks = Clocks()
    login, begun = clocks.login(), clocks.passed
    assert clocks.lifetimes.left(login) == HOUR
    for is_jump, milliseconds in steps:
        if is_jump:
            clocks.skew += milliseconds
        else:
            clocks.passed += abs(milliseconds) // 48
        assert clocks.lifetimes.left(login) <= HOUR - (clocks.passed - begun)
    assert clocks.lifetimes.left(clocks.login("b")) == HOUR
