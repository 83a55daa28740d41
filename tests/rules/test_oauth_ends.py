from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.oauth import Flow, OAuth, Provider, StoredLogin
from relay.rules.oauth_ends import DAY, end_of_login, is_in_testing, longest_rest, remark_on_end, renewed

NOW = 1_780_000_000_000
WEEK = 7 * 24 * 3600
LOGIN = StoredLogin(account="sales", binding="b", begun_at=NOW, got_at=NOW)
MICROSOFT = OAuth(provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="c")
GOOGLE = replace(MICROSOFT, provider=Provider.GOOGLE, flow=Flow.BROWSER)
CUSTOM = replace(MICROSOFT, provider=Provider.CUSTOM)
TESTING = replace(LOGIN, renewal_at=NOW, renewal_ends_at=NOW + 7 * DAY)


@pytest.mark.parametrize(
    ("oauth", "login", "days", "told"),
    [
        (MICROSOFT, LOGIN, 90, (60, 30, 7)),
        (GOOGLE, LOGIN, 180, (60, 30, 7)),
        (GOOGLE, TESTING, 7, (3, 1)),
        (CUSTOM, TESTING, 7, (3, 1)),
        (CUSTOM, replace(LOGIN, renewal_at=NOW, renewal_ends_at=NOW + 14 * DAY), 14, (7, 3, 1)),
        (CUSTOM, replace(LOGIN, renewal_at=NOW, renewal_ends_at=NOW + DAY), 1, (0,)),
    ],
)
def test_an_end_is_told_at_days_that_fit_its_life(
    oauth: OAuth, login: StoredLogin, days: int, told: tuple[int, ...]
) -> None:
    end = end_of_login(oauth, login)
    assert end is not None
    assert (end.at, end.days) == (NOW + days * DAY, told)
    first = end.at - told[0] * DAY
    assert not end.is_near(first - 1)
    assert end.is_near(first)
    assert end.again == tuple(end.at - one * DAY for one in told[1:])


@pytest.mark.parametrize(
    ("oauth", "login"),
    [
        (CUSTOM, LOGIN),
        (MICROSOFT, replace(LOGIN, ended="invalid_grant")),
        (replace(MICROSOFT, flow=Flow.APP), TESTING),
    ],
)
def test_of_others_no_end_is_known(oauth: OAuth, login: StoredLogin) -> None:
    assert end_of_login(oauth, login) is None


def test_an_end_that_stays_counts_from_its_beginning_and_one_that_moves_on_from_now() -> None:
    later = NOW + 5 * DAY
    assert renewed(TESTING, life=2 * 24 * 3600, is_new=False, now=later) == (NOW, NOW + 7 * DAY)
    assert renewed(TESTING, life=WEEK, is_new=True, now=later) == (later, later + 7 * DAY)
    assert renewed(TESTING, life=0, is_new=False, now=later) == (NOW, NOW + 7 * DAY)
    assert renewed(TESTING, life=0, is_new=True, now=later) == (0, 0)
    assert renewed(LOGIN, life=WEEK, is_new=False, now=later) == (later, later + 7 * DAY)


@given(st.integers(1, 4000))
def test_what_renews_a_login_is_used_before_it_ends(days: int) -> None:
    login = replace(LOGIN, renewal_at=NOW, renewal_ends_at=NOW + days * DAY)
    assert longest_rest(login, 7 * DAY) == min(7 * DAY, days * DAY // 2)
    assert longest_rest(LOGIN, 7 * DAY) == 7 * DAY


@pytest.mark.parametrize(("days", "said"), [(5, False), (6, True), (8, True), (9, False)])
def test_a_login_of_google_that_ends_after_seven_days_is_remarked_on(days: int, said: bool) -> None:
    assert bool(remark_on_end(GOOGLE, LOGIN, NOW + days * DAY)) is said
    assert not remark_on_end(MICROSOFT, LOGIN, NOW + days * DAY)


def test_seven_days_of_google_are_an_app_in_testing() -> None:
    assert is_in_testing(GOOGLE, WEEK - 1)
    assert not is_in_testing(GOOGLE, 0)
    assert not is_in_testing(GOOGLE, 90 * 24 * 3600)
    assert not is_in_testing(CUSTOM, WEEK)
