import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.moments import parse_moment, utc_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = int(dt.datetime(2026, 11, 27, 14, 0, tzinfo=BERLIN).timestamp() * 1000)


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(dt.datetime(year, month, day, hour, minute, second, tzinfo=BERLIN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("2 h", NOW - 7_200_000),
        ("2h ago", NOW - 7_200_000),
        ("3 days", NOW - 3 * 86_400_000),
        ("10:15", local(2026, 11, 27, 10, 15)),
        ("14:30", local(2026, 11, 26, 14, 30)),  # the last one that was
        ("8:15 Uhr", local(2026, 11, 27, 8, 15)),
        ("today", local(2026, 11, 27)),
        ("Yesterday", local(2026, 11, 26)),
        ("yesterday 17:02", local(2026, 11, 26, 17, 2)),
        ("2026-11-20", local(2026, 11, 20)),
        ("2026-7-1", local(2026, 7, 1)),  # summer time
        ("2026-11-20 08:00", local(2026, 11, 20, 8)),
        ("2026-11-20T08:00:05", local(2026, 11, 20, 8, 0, 5)),
        ("20.11.2026", local(2026, 11, 20)),
        ("20.11.", local(2026, 11, 20)),
        ("24.12.", local(2025, 12, 24)),
        ("29.2.", local(2024, 2, 29)),
        ("20.11. 8:15", local(2026, 11, 20, 8, 15)),
        ("2026-11-27T10:00:00.123456Z", local(2026, 11, 27, 11) + 123),  # as the log writes it
        ("2026-11-27 10:00+00:00", local(2026, 11, 27, 11)),
    ],
)
def test_what_people_write_is_a_moment_of_the_office(text: str, moment: int) -> None:
    assert parse_moment(text, now=NOW, zone=BERLIN) == moment


def test_until_a_day_includes_it() -> None:
    assert parse_moment("20.11.", now=NOW, zone=BERLIN, end=True) == local(2026, 11, 21)
    assert parse_moment("yesterday", now=NOW, zone=BERLIN, end=True) == local(2026, 11, 27)
    assert parse_moment("20.11. 8:00", now=NOW, zone=BERLIN, end=True) == local(2026, 11, 20, 8)


def test_programs_read_a_moment_as_the_log_writes_it() -> None:
    assert utc_time(NOW + 7) == "2026-11-27T13:00:00.007Z"
    assert utc_time(None) is utc_time(0) is None
    assert parse_moment(utc_time(NOW + 7) or "", now=NOW, zone=BERLIN) == NOW + 7


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "must be like"),
        ("", "must be like"),
        ("5 fortnights", "no unit"),
        ("25:00", "no time 25:00"),
        ("2026-02-30", "no day 2026-02-30"),
        ("31.2.", "no day 31.2."),
        ("2026-11-20 noon", "'noon' is no time"),
        ("9999-12-31", "range"),
    ],
)
def test_what_is_no_moment_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_moment(text, now=NOW, zone=BERLIN, end=True)


@given(st.text() | st.from_regex(r"[0-9.:\- tzT+]{1,25}"), st.booleans())
def test_any_text_is_a_moment_or_a_plain_mistake(text: str, end: bool) -> None:
    try:
        assert parse_moment(text, now=NOW, zone=BERLIN, end=end) >= 0
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either is right


@given(st.integers(631_152_000, 4_102_444_800))
def test_a_moment_that_is_written_is_read_again(seconds: int) -> None:
    written = dt.datetime.fromtimestamp(seconds, BERLIN).replace(fold=0)
    moment = int(written.timestamp()) * 1000
    assert parse_moment(f"{written:%Y-%m-%d %H:%M:%S}", now=NOW, zone=BERLIN) == moment
    assert parse_moment(written.isoformat(), now=NOW, zone=BERLIN) == moment
