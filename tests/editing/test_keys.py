import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.editing import EditError
from relay.editing.keys import remove_key, set_key, write_table


def test_a_new_key_comes_last_with_the_blanks_of_the_one_before() -> None:
    assert set_key(["  a = 1", "  b = 2"], ("c",), "x") == ["  a = 1", "  b = 2", '  c = "x"']
    assert set_key([], ("a b",), True) == ['"a b" = true']


def test_quotes_and_comments_stay() -> None:
    assert set_key(["a = 'x'  # why"], ("a",), "y") == ["a = 'y'  # why"]
    assert set_key(["a = 'x'"], ("a",), "it's") == ['a = "it\'s"']
    assert set_key(['a = """x"""'], ("a",), "y") == ['a = "y"']
    assert remove_key(["a = 1 # one", "# two", "b = 2"], ("a",)) == ["# two", "b = 2"]


@pytest.mark.parametrize("path", [("b",), ("a", "b")])
def test_what_is_not_there_can_not_be_removed(path: tuple[str, ...]) -> None:
    with pytest.raises(EditError, match="can't be edited by a command as it is written here"):
        remove_key(["a = 1"], path)


@given(st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.lists(st.text()), st.dates()))
def test_any_value_is_written_as_what_it_is(value: object) -> None:
    if isinstance(value, date) and value.year < 1000:
        return
    assert tomllib.loads("\n".join(set_key(["k = 'old'"], ("k",), value))) == {"k": value}
    table = write_table(("account",), {"below": {"k": value}, "k": value}, listed=True)
    assert tomllib.loads("\n".join(table)) == {"account": [{"k": value, "below": {"k": value}}]}
