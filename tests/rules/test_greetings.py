"""A greeting tells the server's time, or nothing; whatever stands in it."""

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.rules.greetings import read_clock


@pytest.mark.parametrize(
    "greeting",
    [
        "mx.provider.example ESMTP Exim 4.96 Sat, 28 Nov 2026 07:00:00 +0100",
        "FR3P281.outlook.office365.com Microsoft ESMTP MAIL Service ready at Sat, 28 Nov 2026 06:00:00 +0000 [08DE]",
    ],
)
def test_what_exim_and_microsoft_say_is_read(greeting: str) -> None:
    assert read_clock(greeting) == dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "greeting", ["", "mx ESMTP Postfix", "Sat, 31 Feb 2026 07:00:00 +0100", "Fri, 31 Dec 9999 23:00:00 -0700"]
)
def test_what_tells_no_time_is_none(greeting: str) -> None:
    assert read_clock(greeting) is None


@given(st.datetimes(min_value=dt.datetime(1000, 1, 2)), st.text(), st.integers(-23, 23))  # noqa: DTZ001 - gets a zone
@example(dt.datetime(9999, 12, 31, 23, 59), "", -23)  # noqa: DTZ001
def test_any_time_is_found_and_nothing_fails(moment: dt.datetime, text: str, hours: int) -> None:
    there = moment.replace(microsecond=0, tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    read_clock(text)
    found = read_clock(f"mx ready at {format_datetime(there)}")
    assert found in (there, None)
    assert found is not None or there.year in (1000, 9999)
