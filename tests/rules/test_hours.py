import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.rules.hours import OpeningHours, is_open, next_open, open_after, open_time, parse_hours

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ALWAYS = parse_hours(["Mon-Sun 00:00-24:00"], "Europe/Berlin")
OFFICE = parse_hours(["Mon-Fri 07:00-19:00", "Sat 09:00-12:00"], "Europe/Berlin")

DST_WEEKS = [  # (zone, a moment of the Sunday on which the clock changes)
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("UTC", "2026-03-29"),
]
AWKWARD = [
    ["Sun 02:15-02:45"],
    ["Sat 22:00-02:30"],
    ["Sun 01:00-03:00", "Mon 00:00-24:00"],
    ["Sun 01:45-02:15"],
    ["Sat-Mon 23:30-01:30", "Sun 02:30-24:00"],
]


def ms(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp() * 1000)


def shows(hours: OpeningHours, at: int) -> tuple[int, int]:
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(hours.timezone)
    return local.weekday(), local.hour * 60 + local.minute


def open_minutes(specs: list[str]) -> set[tuple[int, int]]:
    """Read the specs once more, minute by minute and without any cleverness."""
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    minutes = set()
    for spec in specs:
        days, times = spec.split(" ")
        begin, end = (int(t[:2]) * 60 + int(t[3:]) for t in times.split("-"))
        first, last = names.index(days[:3]), names.index(days[-3:])
        day = first
        while True:
            for minute in range(begin, end if end > begin else end + 1440):
                minutes.add(((day + minute // 1440) % 7, minute % 1440))
            if day == last:
                break
            day = (day + 1) % 7
    return minutes


@pytest.mark.parametrize(
    ("specs", "spans"),
    [
        (["Mon-Fri 07:00-19:00"], [(day * DAY + 7 * HOUR, day * DAY + 19 * HOUR) for day in range(5)]),
        (["mon,WED,Friday 8:00-12:00"], [(day * DAY + 8 * HOUR, day * DAY + 12 * HOUR) for day in (0, 2, 4)]),
        (["Mon , Wed - Thu 08:00 - 09:00"], [(day * DAY + 8 * HOUR, day * DAY + 9 * HOUR) for day in (0, 2, 3)]),
        (["Sat-Mon 08:00-09:00"], [(day * DAY + 8 * HOUR, day * DAY + 9 * HOUR) for day in (0, 5, 6)]),
        (["Tue-Tue 08:00-09:00"], [(DAY + 8 * HOUR, DAY + 9 * HOUR)]),
        (["Mon 22:00-02:00"], [(22 * HOUR, 26 * HOUR)]),
        (["Sun 22:00-02:00"], [(0, 2 * HOUR), (6 * DAY + 22 * HOUR, 7 * DAY)]),
        (["Mon 22:00-00:00"], [(22 * HOUR, 24 * HOUR)]),
        (["Mon 20:00-24:00", "Tue 00:00-01:00"], [(20 * HOUR, 25 * HOUR)]),
        (["Mon 08:00-12:00", "Mon 10:00-11:00"], [(8 * HOUR, 12 * HOUR)]),
        (["Mon-Sun 00:00-24:00"], [(0, 7 * DAY)]),
        (["Mon-Fri 00:00-24:00", "Sat,Sun 00:00-12:00", "sat-sunday 12:00-24:00"], [(0, 7 * DAY)]),
    ],
)
def test_periods_are_read(specs: list[str], spans: list[tuple[int, int]]) -> None:
    assert parse_hours(specs, "UTC").week == tuple(spans)


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("", "must look like"),
        ("Mon-Fri", "must look like"),
        ("07:00-19:00", "must look like"),
        ("Mon 7-19", "must look like"),
        ("Mon 07:00", "must look like"),
        ("Mon 07:00-19:00 Tue", "must look like"),
        ("Mo-Fr 07:00-19:00", "'Mo' is no day"),
        ("Mon,,Fri 07:00-19:00", "'' is no day"),
        ("Mon Tue 07:00-19:00", "'Mon Tue' is no day"),
        ("Mon-Wed-Fri 07:00-19:00", "'Mon-Wed-Fri' is no range"),
        ("Mon 07:60-19:00", "07:60 is no time"),
        ("Mon 07:00-24:01", "24:01 is no time"),
        ("Mon 25:00-26:00", "25:00 is no time"),
        ("Mon 24:00-02:00", "24:00 can only end"),
        ("Mon 08:00-08:00", "same time"),
        ("Mon \u0660\u0667:00-19:00", "must look like"),
    ],
)
def test_a_mistake_is_named(spec: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as error:
        parse_hours(["Mon-Fri 07:00-19:00", spec], "UTC")
    assert str(error.value).startswith(repr(spec))


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000"])
def test_a_text_that_is_longer_than_any_period_is_a_mistake_and_costs_nothing(blank: str) -> None:
    spec = f"Mon{blank * 50_000}x 07:00-19:00"
    begun = time.process_time()
    with pytest.raises(ValueError, match="can't have more than 200") as error:
        parse_hours([spec], "UTC")
    assert time.process_time() - begun < 0.5
    assert "50016 characters" in str(error.value)
    assert len(str(error.value)) < 400


def test_all_days_in_full_with_blanks_between_them_are_not_too_long() -> None:
    days = "Monday , Tuesday , Wednesday , Thursday , Friday , Saturday , Sunday"
    assert parse_hours([f"  {days}  00:00  -  24:00  "], "UTC").always


@pytest.mark.parametrize("zone", ["", "Europe/Berln", "Europe", "../etc/passwd", "\0", "Zürich", "x" * 300])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match="no such time zone"):
        parse_hours(["Mon 07:00-19:00"], zone)


def test_no_period_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no period"):
        parse_hours([], "UTC")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        hours = parse_hours([text], "UTC")
    except ValueError:
        return
    assert hours.week


def test_the_office_week() -> None:
    assert is_open(OFFICE, ms("2026-06-05T07:00"))
    assert not is_open(OFFICE, ms("2026-06-05T06:59:59.999"))
    assert not is_open(OFFICE, ms("2026-06-05T19:00"))
    assert next_open(OFFICE, ms("2026-06-05T19:00")) == ms("2026-06-06T09:00")
    assert next_open(OFFICE, ms("2026-06-06T12:00")) == ms("2026-06-08T07:00")
    assert next_open(OFFICE, ms("2026-06-08T10:00")) == ms("2026-06-08T10:00")
    assert open_time(OFFICE, ms("2026-06-01T00:00"), ms("2026-06-08T00:00")) == 63 * HOUR
    assert open_time(OFFICE, ms("2026-06-08T00:00"), ms("2026-06-01T00:00")) == 0


def test_a_night_over_the_end_of_the_week_is_one() -> None:
    night = parse_hours(["Sun 22:00-02:00"], "Europe/Berlin")
    assert open_time(night, ms("2026-06-07T23:00"), ms("2026-06-08T12:00")) == 3 * HOUR
    assert is_open(night, ms("2026-06-08T01:59"))
    assert not is_open(night, ms("2026-06-08T02:00"))


def test_always_open_never_closes() -> None:
    now = ms("2026-06-05T03:00")
    assert is_open(ALWAYS, now)
    assert next_open(ALWAYS, now) == now
    assert open_time(ALWAYS, now, now + 400 * DAY) == 400 * DAY
    assert open_time(ALWAYS, now, now - 1) == 0


def test_the_missing_hour_is_not_open() -> None:
    night = parse_hours(["Sun 01:00-04:00"], "Europe/Berlin")
    assert open_time(night, ms("2026-03-29T00:00"), ms("2026-03-30T00:00")) == 2 * HOUR


def test_the_repeated_hour_is_open_twice() -> None:
    night = parse_hours(["Sun 02:00-03:00"], "Europe/Berlin")
    assert open_time(night, ms("2026-10-25T00:00"), ms("2026-10-26T00:00")) == 2 * HOUR


def test_a_period_of_which_the_end_comes_twice_opens_twice() -> None:
    night = parse_hours(["Sun 01:00-02:30"], "Europe/Berlin")
    first, second = ms("2026-10-25T02:30"), ms("2026-10-25T02:30", fold=1)
    assert not is_open(night, first)
    assert next_open(night, first) == first + 30 * MINUTE
    assert is_open(night, second - 1)
    assert not is_open(night, second)


def test_a_period_that_begins_in_the_gap_opens_at_the_change() -> None:
    night = parse_hours(["Sun 02:30-05:00"], "Europe/Berlin")
    assert next_open(night, ms("2026-03-29T00:00")) == ms("2026-03-29T03:00")


def test_a_period_within_the_gap_waits_for_the_next_week() -> None:
    night = parse_hours(["Sun 02:15-02:45"], "Europe/Berlin")
    assert next_open(night, ms("2026-03-29T00:00")) == ms("2026-04-05T02:15")


def test_half_an_hour_of_summer_time() -> None:
    night = parse_hours(["Sun 01:00-03:00"], "Australia/Lord_Howe")
    zone = "Australia/Lord_Howe"
    assert open_time(night, ms("2026-04-05T00:00", zone), ms("2026-04-06T00:00", zone)) == 150 * MINUTE
    assert open_time(night, ms("2026-10-04T00:00", zone), ms("2026-10-05T00:00", zone)) == 90 * MINUTE


def test_a_day_that_a_country_skipped() -> None:
    samoa = parse_hours(["Fri 08:00-12:00"], "Pacific/Apia")
    thursday = ms("2011-12-29T12:00", "Pacific/Apia")
    assert next_open(samoa, thursday) == ms("2012-01-06T08:00", "Pacific/Apia")


@pytest.mark.parametrize(("zone", "sunday"), DST_WEEKS)
@pytest.mark.parametrize("specs", AWKWARD)
def test_every_minute_of_a_week_in_which_the_clock_changes(zone: str, sunday: str, specs: list[str]) -> None:
    hours, expected = parse_hours(specs, zone), open_minutes(specs)
    start = ms(sunday, zone) - 2 * DAY
    minutes = range(start, start + 4 * DAY, MINUTE)
    opened = [shows(hours, at) in expected for at in minutes]
    assert [is_open(hours, at) for at in minutes] == opened
    assert open_time(hours, start, start + 4 * DAY) == sum(opened) * MINUTE
    for at, state, following in zip(minutes, opened, opened[1:], strict=False):
        if following and not state:
            assert next_open(hours, at) == at + MINUTE


periods = st.builds(
    "{} {:02}:{:02}-{:02}:{:02}".format,
    st.sampled_from(["Mon", "Sun", "Fri-Mon", "Sat-Sun", "Mon-Sun"]),
    st.integers(0, 11),
    st.sampled_from([0, 15, 30]),
    st.integers(12, 23),
    st.sampled_from([0, 45]),
)
moments = st.integers(ms("2025-12-01", "UTC"), ms("2027-02-01", "UTC"))
weeks = st.builds(
    parse_hours, st.lists(periods, min_size=1, max_size=3), st.sampled_from([zone for zone, _ in DST_WEEKS])
)


@settings(max_examples=60, deadline=timedelta(seconds=2))
@given(weeks, st.tuples(moments, moments, moments))
@example(OFFICE, (ms("2026-03-01"), ms("2026-03-29T03:00"), ms("2026-11-01")))
def test_open_time_is_the_sum_of_its_parts(hours: OpeningHours, times: tuple[int, int, int]) -> None:
    first, middle, last = sorted(times)
    whole = open_time(hours, first, last)
    assert whole == open_time(hours, first, middle) + open_time(hours, middle, last)
    assert 0 <= whole <= last - first


@settings(max_examples=100)
@given(weeks, moments)
def test_the_next_opening(hours: OpeningHours, at: int) -> None:
    opening = next_open(hours, at)
    assert is_open(hours, opening)
    assert (opening == at) == is_open(hours, at)
    assert open_time(hours, at, opening) == 0


@settings(max_examples=60)
@given(st.sampled_from([ALWAYS, OFFICE, *(parse_hours(week, "Europe/Berlin") for week in AWKWARD)]),
       st.integers(0, 14 * 24 * 60), st.integers(1, 9 * 24 * 60))  # fmt: skip
def test_after_so_much_open_time(hours: OpeningHours, begin: int, span: int) -> None:
    at = ms("2026-03-23T00:00") + begin * MINUTE
    end = open_after(hours, at, span * MINUTE)
    assert open_time(hours, at, end) == span * MINUTE > open_time(hours, at, end - 1)


def test_after_no_time_at_all() -> None:
    sunday = ms("2026-06-07T12:00")
    assert open_after(OFFICE, sunday, 0) == open_after(OFFICE, sunday, -5) == sunday
