import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.ids import is_id, make_id

times = st.integers(0, (1 << 48) - 1)
randoms = st.binary(min_size=10, max_size=10)


@given(earlier=times, later=times, one=randoms, other=randoms)
def test_ids_sort_as_their_times(earlier: int, later: int, one: bytes, other: bytes) -> None:
    first, second = make_id(earlier, one), make_id(later, other)
    assert is_id(first)
    if earlier != later:
        assert (first < second) == (earlier < later)


@given(time=times, one=randoms)
def test_an_id_is_a_uuid_of_version_7(time: int, one: bytes) -> None:
    value = 0
    for char in make_id(time, one):
        value = value << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(char)
    assert (value >> 80, value >> 76 & 15, value >> 62 & 3) == (time, 7, 2)


@pytest.mark.parametrize("text", ["", "x", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "u", "0" * 25 + "A"])
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_random_bytes_of_another_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        make_id(0, b"")
