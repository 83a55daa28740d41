from relay.delivery.day_quota import DayQuota


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
