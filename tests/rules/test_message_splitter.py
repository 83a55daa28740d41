"""Header and body: found the same however the bytes are cut."""

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.message_splitter import CHUNK, MessageSplitter, split_message

pieces = st.sampled_from(
    [b"\r\n", b"a", b"A: b\r\n", b" c\r\n", b"\tc\r\n", b"From x", b"From ", b"From : x\r\n", b"From\t: x\r\n",
     b"From", b":", b" ", b"\x00\xff", b"X" * 50, b"A :b\r\n", b"no field\r\n", b"stray\r\n", b"http://x\r\n",
     b"Bcc: secret\r\n"]
)  # fmt: skip
contents = st.lists(pieces, max_size=25).map(lambda parts: b"".join(parts) + b"\r\n")

Parted = tuple[bytes, bytes, int | None]


def sections_of(content: bytes, at: list[int]) -> Parted:
    splitter, body = MessageSplitter(header_limit=10_000), []
    edges = sorted({0, len(content), *(n % (len(content) + 1) for n in at)})
    for start, stop in itertools.pairwise(edges):
        body += list(splitter.feed(content[start:stop]))
    body.append(splitter.close())
    assert splitter.header is not None
    return splitter.header, b"".join(body), splitter.stray_line


def _is_field(line: bytes) -> bool:
    return re.match(rb"[!-9;-~]+[ \t]*:", line) is not None


def _part_plainly(content: bytes) -> Parted:
    """Say again, line by line, where header and body part."""
    lines = [line + b"\r\n" for line in content.split(b"\r\n")[:-1]]
    dropped = 0
    if lines[0].startswith(b"From ") and not lines[0].removeprefix(b"From ").lstrip(b" \t").startswith(b":"):
        lines, dropped = lines[1:], 1
    n = 0
    while n < len(lines) and (_is_field(lines[n]) or (n > 0 and lines[n].startswith((b" ", b"\t")))):
        n += 1
    header, rest = b"".join(lines[:n]), lines[n:]
    if rest[:1] == [b"\r\n"]:
        return header, b"".join(rest[1:]), None
    before_the_empty_line = itertools.takewhile(lambda line: line != b"\r\n", rest)
    stray = header and any(map(_is_field, before_the_empty_line))
    return header, b"".join(rest), n + 1 + dropped if stray else None


@given(content=contents, at=st.lists(st.integers(0, 400), max_size=10))
def test_header_and_body_part_by_the_rules_and_the_cuts_make_no_difference(content: bytes, at: list[int]) -> None:
    expected = _part_plainly(content)
    assert sections_of(content, []) == expected
    assert sections_of(content, at) == expected
    assert sections_of(content, list(range(len(content)))) == expected


@pytest.mark.parametrize(
    ("content", "stray"),
    [
        (b"A: b\r\nno field\r\nBcc: c\r\n\r\nbody\r\n", 2),
        (b"A: b\r\nno field\r\n folded\r\nnone\r\nBcc : c\r\n", 2),
        (b"From x Mon\r\nA: b\r\n c\r\nno field\r\nBcc: c\r\n", 4),
        (b"A: b\r\nno field\r\nmore text\r\n\r\nBcc: c\r\n", None),
        (b"A: b\r\nno field\r\n Bcc: c\r\n\r\n", None),
        (b"A: b\r\nsome words: no field\r\n", None),
        (b"A: b\r\n\r\nno field\r\nBcc: c\r\n", None),
        (b"no field\r\nBcc: c\r\n", None),
        (b"\r\nBcc: c\r\n", None),
        (b"A: b\r\n\tc\r\n \r\nBcc: c\r\n", None),
    ],
)
def test_a_line_that_is_no_field_is_told_where_a_field_follows_it_in_the_header(
    content: bytes, stray: int | None
) -> None:
    assert sections_of(content, [])[2] == stray


@pytest.mark.parametrize(
    ("message", "header", "body"),
    [
        (b"A: b\r\n\r\nc\r\n", b"A: b\r\n", b"c\r\n"),
        (b"A: b\nB: c\n d\n\nc", b"A: b\r\nB: c\r\n d\r\n", b"c\r\n"),
        (b"From x Mon\nA: b\n\nc\n", b"A: b\r\n", b"c\r\n"),
        (b"no header\n", b"", b"no header\r\n"),
        (b" folded\nA: b\n", b"", b" folded\r\nA: b\r\n"),
        (b"A: b\nno field\nC: d\n", b"A: b\r\n", b"no field\r\nC: d\r\n"),
        (b"From : a\n\nb\n", b"From : a\r\n", b"b\r\n"),
        (b"From : a\n folded\nBcc: c\n\nb\n", b"From : a\r\n folded\r\nBcc: c\r\n", b"b\r\n"),
        (b"From \t: a\n\nb\n", b"From \t: a\r\n", b"b\r\n"),
        (b"From\n\nb\n", b"", b"From\r\n\r\nb\r\n"),
        (b"From x Mon\nFrom y Tue\n\nc\n", b"", b"From y Tue\r\n\r\nc\r\n"),
        (b"From x Mon\n\nc\n", b"", b"c\r\n"),
        (b"From x Mon\n", b"", b""),
        (b"\nA: b\n", b"", b"A: b\r\n"),
        (b"A : b\n\n", b"A : b\r\n", b""),
        (b"A: b", b"A: b\r\n", b""),
        (b"", b"", b""),
    ],
)
def test_messages_of_files(message: bytes, header: bytes, body: bytes) -> None:
    assert split_message(message) == (header, body)


def test_a_long_header_is_too_large_also_without_a_line_end() -> None:
    for content in (b"A: " + b"x" * 2000, b"A: b\r\n" * 400, b"A: b\r\n" * 400 + b"\r\n"):
        splitter = MessageSplitter(header_limit=1000)
        assert list(splitter.feed(content)) == []
        assert splitter.too_large


def test_chunks_are_bounded_and_never_tiny() -> None:
    splitter = MessageSplitter(header_limit=100)
    chunks = list(splitter.feed(b"A: b\r\n\r\n" + b"x" * (CHUNK * 2 + 1)))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK]
    assert splitter.close() == b"x"


def test_a_body_in_tiny_pieces_takes_no_more_memory_than_one_in_large_ones() -> None:
    splitter = MessageSplitter(header_limit=100)
    splitter.feed(b"A: b\r\n\r\n")
    for _ in range(10_000):
        splitter.feed(b"xy")
    assert len(splitter._pieces) < 300
    assert splitter.close() == b"xy" * 10_000


LINE = 1_048_576


@pytest.mark.parametrize(
    "unit",
    [b"x", b" ", b"\r\n ", b"x\r\n", b"x:\r\n", b"x \r\n", b"\t", b":", b"From \r\n", b"From", b"\r", b"\n", b"x y"],
)
@pytest.mark.parametrize("before", [b"", b"From ", b"A: b\r\n", b"A: b\r\nstray\r\n", b"A: b\r\nx"])
def test_no_input_makes_it_slow(before: bytes, unit: bytes) -> None:
    content = (before + unit * (LINE // len(unit)))[:LINE]
    for size in (LINE, 4096, 16):
        splitter, spent = MessageSplitter(header_limit=LINE), time.process_time()
        for at in range(0, LINE // (16 if size == 16 else 1), size):
            splitter.feed(content[at : at + size])
        splitter.close()
        assert time.process_time() - spent < 2
