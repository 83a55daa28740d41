import pytest

from bench.figures import percentile, rate, show, spread, tabulate


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 99) == 198
    assert percentile(values, 100) == 200
    assert percentile([3.0, 1.0, 2.0], 50) == 2
    assert percentile([7.0], 1) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 99)


def test_a_rate_is_that_between_the_first_and_the_last() -> None:
    seconds = ("01.500", "00.000", "02.000")
    assert rate([{"timestamp": f"2026-11-27T10:00:{second}Z"} for second in seconds]) == 1


def test_figures_have_three_digits_and_rounds_their_range() -> None:
    assert [show(value) for value in (0.123, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"
    assert spread([70.0]) == "70.0"


def test_a_table_compares_medians_and_has_a_dash_for_what_is_not_known() -> None:
    ours = [{"rate": 200.0}, {"rate": 100.0}, {"rate": 300.0}, {"memory": 70.0}]
    theirs = [{"rate": 100.0}]
    assert tabulate({"relay": ours, "Postfix": theirs}).splitlines() == [
        "| | relay | Postfix | relay / Postfix |",
        "|---|---|---|---|",
        "| rate | 200 (100 to 300) | 100 | 2.00 |",
        "| memory | 70.0 | - | - |",
    ]
