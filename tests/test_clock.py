import datetime as dt

from relay.clock import wall_clock


def test_it_is_the_time_of_this_machine_in_milliseconds() -> None:
    before = dt.datetime.now(dt.UTC)
    now = dt.datetime.fromtimestamp(wall_clock() / 1000, dt.UTC)
    assert before - dt.timedelta(milliseconds=1) <= now <= dt.datetime.now(dt.UTC)
