from hypothesis import given
from hypothesis import strategies as st

from relay.storage.rows import clean


@given(st.text())
def test_what_is_cleaned_can_be_stored_by_both_databases(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert clean(cleaned) == cleaned
