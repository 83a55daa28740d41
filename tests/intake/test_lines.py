"""Lines out of bytes: the same however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.lines import LONGEST_COMMAND, LineBuffer, LineTooLongError


def take(buffer: LineBuffer) -> list[bytes]:
    """Take all lines; one that was too long is told by its beginning and an exclamation mark."""
    lines = []
    while True:
        try:
            line = buffer.take_line()
        except LineTooLongError as error:
            lines.append(error.beginning[:4] + b"!")
            continue
        if line is None:
            return lines
        lines.append(line)


_pieces = st.sampled_from([b"NOOP", b"\r\n", b"\n", b"\r", b"x" * 5000, b"y" * 13_000, b""])


@given(st.lists(_pieces, max_size=20), st.lists(st.integers(1, 9000), min_size=1))
def test_the_cuts_make_no_difference(pieces: list[bytes], sizes: list[int]) -> None:
    data = b"".join(pieces)
    whole, cut = LineBuffer(), LineBuffer()
    whole.add(data)
    lines, n = [], 0
    while n < len(data):
        size = sizes[n % len(sizes)]
        cut.add(data[n : n + size])
        n += size
        lines += take(cut)
        assert len(cut) <= LONGEST_COMMAND
    assert lines == take(whole)
    expected = [
        line[:4] + b"!" if len(line) > LONGEST_COMMAND else line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]
    ]
    assert lines == expected


def test_bytes_can_be_taken_as_they_are_and_put_back() -> None:
    buffer = LineBuffer()
    buffer.add(b"one\r\ntwo")
    assert buffer.take_line() == b"one"
    assert buffer.take(9) == b"two"
    buffer.add(b"\r\n")
    buffer.put_back(b"three")
    assert (buffer.take_line(), len(buffer)) == (b"three", 0)


class _Counting(bytearray):
    looked_at = 0

    def find(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]  # as it is called
        end = super().find(sub, start)
        self.looked_at += (len(self) if end < 0 else end + 1) - start
        return end


@pytest.mark.parametrize("data", [b"x" * 12_000 + b"\n", b"NOOP\n" * 2400])
@pytest.mark.parametrize("size", [1, 7, 12_000])
def test_each_octet_is_looked_at_once_however_it_comes(data: bytes, size: int) -> None:
    buffer = LineBuffer()
    buffer._bytes = counting = _Counting()
    for n in range(0, len(data), size):
        buffer.add(data[n : n + size])
        while buffer.take_line() is not None:
            pass
    assert counting.looked_at <= len(data) + 5 * (len(data) // size + 1)


def test_what_is_thrown_away_is_no_beginning_of_a_line() -> None:
    buffer = LineBuffer()
    buffer.add(b"x" * 20_000)
    assert buffer.take_line() is None
    buffer.clear()
    buffer.add(b"NOOP\r\n")
    assert buffer.take_line() == b"NOOP"
    buffer.add(b"BDAT" + b" " * 20_000 + b"\n")
    with pytest.raises(LineTooLongError) as caught:
        buffer.take_line()
    assert caught.value.beginning.startswith(b"BDAT")
