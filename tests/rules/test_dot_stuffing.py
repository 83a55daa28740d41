"""Dot-stuffed data, read and written: the same however the bytes are cut, and as a plain reader would read them."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.dot_stuffing import (
    LONGEST_LINE,
    BareDotReader,
    DataEncoder,
    DotReader,
    has_long_line,
    normalise_lines,
    read_lines,
)

pieces = st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"A: b\r\n", b"\x00\xff", b"\r\n.\r\n"])
wires = st.lists(pieces, max_size=25).map(lambda parts: b"".join(parts) + b"\r\n.\r\nNEXT")


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(n % (len(data) + 1) for n in at)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def read_plainly(wire: bytes) -> tuple[bytes, bytes]:
    """Read up to CRLF.CRLF, line by line, as RFC 5321 says it; gives the mail and what is behind it."""
    lines, rest = [], wire
    while True:
        line, _, rest = rest.partition(b"\r\n")
        if line == b".":
            break
        lines.append(line.removeprefix(b".") + b"\r\n")
    return re.sub(rb"\r\n|\r|\n", b"\r\n", b"".join(lines)), rest


@given(wire=wires, at=st.lists(st.integers(0, 200), max_size=10))
def test_the_cuts_make_no_difference(wire: bytes, at: list[int]) -> None:
    reader, content, rest = DotReader(), b"", b""
    for piece in cut(wire, at):
        if reader.ended:
            rest += piece
        else:
            content += reader.feed(piece)
    assert (content, reader.rest + rest) == read_plainly(wire)


@given(wire=wires)
def test_byte_by_byte_is_the_same(wire: bytes) -> None:
    reader, content, n = DotReader(), b"", 0
    while not reader.ended:
        content += reader.feed(wire[n : n + 1])
        n += 1
    assert (content, wire[n:]) == read_plainly(wire)


@pytest.mark.parametrize("size", [1 << 14, 1 << 18, 1 << 22])
@pytest.mark.parametrize(("length", "too_long"), [(LONGEST_LINE, False), (LONGEST_LINE + 1, True)])
def test_a_line_beyond_the_limit_is_noticed_however_it_comes(size: int, length: int, too_long: bool) -> None:
    reader = DotReader()
    data = b"short\r\n" + b"x" * length + b"\r\nshort\r\n.\r\n"
    for n in range(0, len(data), size):
        reader.feed(data[n : n + size])
    assert reader.too_long == too_long


@given(st.binary(max_size=50))
def test_line_ends_are_all_crlf(data: bytes) -> None:
    lines = normalise_lines(data)
    assert lines.count(b"\n") == lines.count(b"\r\n") == lines.count(b"\r")


@given(data=st.lists(pieces, max_size=25).map(b"".join))
def test_the_last_line_of_a_whole_mail_has_an_end_too(data: bytes) -> None:
    assert read_lines(data) == normalise_lines(data + b"\n" if data and data[-1:] not in b"\r\n" else data)


@pytest.mark.parametrize(("length", "too_long"), [(LONGEST_LINE, False), (LONGEST_LINE + 1, True)])
def test_a_line_beyond_the_limit_is_noticed_without_dots_too(length: int, too_long: bool) -> None:
    assert has_long_line(read_lines(b"short\n" + b"x" * length + b"\nshort")) == too_long


def read_bare(wire: bytes) -> tuple[bytes, bytes] | None:
    """Read what comes from a device with bare line feeds as a whole: the mail, and what stands behind it."""
    found = re.search(rb"(?:(?<=\n)|\A)\.\r?\n", wire)
    if found is None:
        return None
    return normalise_lines(re.sub(rb"(?:(?<=\n)|\A)\.", b"", wire[: found.start()])), wire[found.end() :]


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\n.\n"])).map(b"".join), st.lists(st.integers(0, 30))
)
def test_bare_line_feeds_end_a_device_s_mail_however_it_is_cut(wire: bytes, at: list[int]) -> None:
    cuts = sorted({0, *(n for n in at if n < len(wire)), len(wire)})
    reader, content, rest = BareDotReader(), b"", b""
    for begin, end in itertools.pairwise(cuts):
        if reader.ended:
            rest += wire[begin:end]
        else:
            content += reader.feed(wire[begin:end])
            rest = reader.rest
    expected = read_bare(wire)
    assert reader.ended == (expected is not None)
    if expected is not None:
        assert (content, rest) == expected


def test_a_long_line_is_noticed_between_bare_line_feeds_too() -> None:
    reader = BareDotReader()
    reader.feed(b"x" * (LONGEST_LINE + 1) + b"\n.\n")
    assert reader.ended
    assert reader.too_long


texts = st.sampled_from([b"\r\n", b".", b"a", b"..", b"x" * 400, b"\r\n.\r\n"])


@given(chunks=st.lists(st.lists(texts, max_size=5).map(b"".join), max_size=8), fold=st.booleans())
def test_what_is_stuffed_reads_back(chunks: list[bytes], fold: bool) -> None:
    encoder = DataEncoder(fold=fold)
    wire = b"".join(encoder.feed(chunk) for chunk in chunks) + encoder.close()
    content = b"".join(chunks)
    reader = DotReader()
    read = reader.feed(wire)
    assert reader.ended
    assert reader.rest == b""
    whole = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    if fold:
        assert all(len(line) <= 998 for line in read.split(b"\r\n"))
        assert read.replace(b"\r\n", b"") == whole.replace(b"\r\n", b"")
        if all(len(line) <= 998 for line in whole.split(b"\r\n")):
            assert read == whole
    else:
        assert read == whole


@given(
    data=st.lists(texts, max_size=12).map(b"".join), at=st.lists(st.integers(0, 3000), max_size=6), fold=st.booleans()
)
def test_the_cuts_of_what_is_written_make_no_difference(data: bytes, at: list[int], fold: bool) -> None:
    whole = DataEncoder(fold=fold)
    expected = whole.feed(data) + whole.close()
    cut = DataEncoder(fold=fold)
    edges = sorted({0, len(data), *(n % (len(data) + 1) for n in at)})
    found = b"".join(cut.feed(data[a:b]) for a, b in itertools.pairwise(edges)) + cut.close()
    assert found == expected
