"""What is too long for a line of the control socket."""

import pytest

from relay.control.lines import LONGEST_LINE, Joiner, write


@pytest.mark.parametrize("text", ["", "x" * 100, '\n"\\\x00ä' * LONGEST_LINE])
def test_what_is_too_long_for_a_line_comes_in_parts(text: str) -> None:
    lines = [*write({"do": "x", "text": text})]
    assert all(len(line) <= LONGEST_LINE for line in lines)
    joiner = Joiner(1 << 25)
    *parts, whole = [joiner.read(line) for line in lines]
    assert parts == [None] * (len(lines) - 1)
    assert whole == {"do": "x", "text": text}


def test_parts_are_bounded() -> None:
    joiner = Joiner(1000)
    assert joiner.read(b'{"part": "%s"}' % (b"x" * 999)) is None
    with pytest.raises(ValueError, match="too long"):
        joiner.read(b'{"part": "xx"}')


def test_parts_of_nothing_are_bounded_as_well() -> None:
    joiner = Joiner(1000)
    for _ in range(15):
        joiner.read(b'{"part": ""}')
    with pytest.raises(ValueError, match="too long"):
        joiner.read(b'{"part": ""}')
