"""What a process knows of its claims: which it runs, whose leases are good, which nobody runs any more."""

import pytest

from relay.storage.claims import MARGIN, Claims


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_claim_is_good_until_shortly_before_its_lease_ends() -> None:
    clock = Clock()
    claims = Claims(lease=60, clock=clock)
    claims.hold("d", "t", claims.begin())
    assert claims.is_good("d", "t") is True
    clock.now += 60 - MARGIN
    assert claims.is_good("d", "t") is None  # the database must be asked
    claims.renewed({"d": "t"}, {"d"}, claims.begin())
    assert claims.is_good("d", "t") is True
    claims.renewed({"d": "t"}, set(), claims.begin())
    assert claims.is_good("d", "t") is False


def test_the_claim_of_another_or_one_that_ended_is_not_good() -> None:
    claims = Claims(lease=60)
    claims.hold("d", "t", claims.begin())
    assert claims.is_good("d", "u") is False
    claims.drop("d", "t")
    assert claims.is_good("d", "t") is False


def test_a_claim_that_is_just_being_made_is_run_by_somebody() -> None:
    claims = Claims(lease=60)
    with claims.making() as (token, _):
        assert claims.runs("d", token)
    assert not claims.runs("d", token)
    assert not claims.orphans
    with pytest.raises(ZeroDivisionError), claims.making() as (token, _):
        assert claims.runs("d", token) / 0
    assert not claims.runs("d", token)
    assert claims.orphans
    claims.hold("d", token, claims.begin())
    assert claims.runs("d", token)
    assert claims.running == {"d": token}
    assert not claims.runs("d", "other")


def test_what_is_abandoned_behind_its_dot_is_doubtful_until_that_is_written() -> None:
    claims = Claims(lease=60)
    assert not claims.orphans
    for delivery, doubtful in (("a", True), ("b", False)):
        claims.hold(delivery, "t", claims.begin())
        claims.abandon(delivery, "t", doubtful=doubtful)
    assert claims.orphans
    assert claims.doubts == {("a", "t")}
    asked = [("a", "t"), ("a", "another"), ("b", "t")]
    assert [claims.is_doubtful(*one) for one in asked] == [True, False, False]
    claims.forget_doubts(claims.doubts)
    assert not claims.is_doubtful("a", "t")


def test_what_was_settled_before_it_was_abandoned_is_in_no_doubt() -> None:
    claims = Claims(lease=60)
    claims.hold("d", "t", claims.begin())
    claims.drop("d", "t")
    claims.abandon("d", "t", doubtful=True)
    assert not claims.is_doubtful("d", "t")


def test_the_end_of_a_claim_is_not_that_of_the_one_after_it() -> None:
    claims = Claims(lease=60)
    claims.hold("d", "old", claims.begin())
    claims.hold("d", "new", claims.begin())
    claims.renewed({"d": "old"}, set(), claims.begin())
    claims.drop("d", "old")
    claims.abandon("d", "old", doubtful=True)
    assert claims.runs("d", "new")
    assert claims.is_good("d", "new")
    assert claims.doubts == frozenset()
