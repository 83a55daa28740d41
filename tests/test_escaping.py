import re

from hypothesis import given
from hypothesis import strategies as st

from relay.escaping import printable


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    shown = printable(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2028\ud800-\udfff]", shown)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_what_can_be_seen_stays(text: str) -> None:
    assert printable(text) == text


def test_lines_stay_where_they_are_wanted() -> None:
    assert printable("a\nb\x1b", keep_lines=True) == "a\nb\\u001b"
    assert printable("a\nb") == "a\\u000ab"


def test_what_is_beyond_four_digits_is_written_with_eight() -> None:
    assert printable("a\U000e0041\u202e") == "a\\U000e0041\\u202e"
