import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.quantities import parse_clock, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1 s", 1000),
        ("90s", 90_000),
        ("5 min", 300_000),
        ("1 h", 3_600_000),
        ("3 days", 259_200_000),
        ("2 weeks", 1_209_600_000),
        ("1500 ms", 1500),
    ],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "octets"),
    [("1 KiB", 1024), ("50 MiB", 50 << 20), ("10 MB", 10_000_000), ("2gib", 2 << 30), ("4096 b", 4096)],
)
def test_sizes(text: str, octets: int) -> None:
    assert parse_size(text) == octets


@pytest.mark.parametrize(
    "value",
    [
        5,
        1.5,
        True,
        None,
        "",
        "5",
        "min",
        "5 parsecs",
        "-1 s",
        "1.5 h",
        "0 s",
        "999 ms",
        "99999 days",
        "५ s",
        [],
        "1" * 13 + " s",
    ],
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        parse_duration(value)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            assert parse(text) > 0
        except ValueError as error:
            assert "must be" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(("written", "minutes"), [("00:00", 0), ("2:30", 150), ("23:59", 1439)])
def test_a_time_of_the_day(written: str, minutes: int) -> None:
    assert parse_clock(written) == minutes * 60_000


@pytest.mark.parametrize("written", ["24:00", "12:60", "12", "12:5", "", "noon", 2, None, True, "0x2:00"])
def test_what_is_no_time_of_the_day(written: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_clock(written)
