import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.ids import COPY_DIGITS, is_id, make_copy_ids, make_id, new_id, new_token

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


@given(time=times, one=randoms, count=st.integers(1, 40))
def test_the_copies_of_a_mail_differ_in_the_end_of_their_ids(time: int, one: bytes, count: int) -> None:
    ids = make_copy_ids(time, one, count)
    assert ids == sorted(set(ids))
    assert all(map(is_id, ids))
    assert {id_[:-COPY_DIGITS] for id_ in ids} == {make_id(time, one)[:-COPY_DIGITS]}


def test_a_mail_has_a_bounded_number_of_copies() -> None:
    assert len(set(make_copy_ids(0, bytes(10), 1 << 15))) == 1 << 15
    with pytest.raises(ValueError, match="at most 32768 copies"):
        make_copy_ids(0, bytes(10), (1 << 15) + 1)


def test_no_two_processes_make_the_same_ids() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, f"{new_id(1)} {new_token()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    there = os.read(reader, 100).decode().split()
    here = [new_id(1), new_token()]
    assert is_id(here[0])
    assert is_id(there[0])
    assert not {*here} & {*there}
    os.close(reader)
    os.close(writer)
