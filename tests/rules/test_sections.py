"""Header and body: found the same however the bytes are cut."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.sections import CHUNK, Sections, split_message

pieces = st.sampled_from([b"\r\n", b"a", b"A: b\r\n", b" c\r\n", b"From x", b":", b"\x00\xff", b"X" * 50, b"A :b\r\n"])
contents = st.lists(pieces, max_size=25).map(lambda parts: b"".join(parts) + b"\r\n")


def sections_of(content: bytes, at: list[int]) -> tuple[bytes, bytes]:
    sections, body = Sections(header_limit=10_000), []
    edges = sorted({0, len(content), *(n % (len(content) + 1) for n in at)})
    for start, stop in itertools.pairwise(edges):
        body += list(sections.feed(content[start:stop]))
    body.append(sections.close())
    assert sections.header is not None
    return sections.header, b"".join(body)


@given(content=contents, at=st.lists(st.integers(0, 400), max_size=10))
def test_the_cuts_make_no_difference(content: bytes, at: list[int]) -> None:
    header, body = sections_of(content, at)
    assert (header, body) == sections_of(content, [])
    lines = header.splitlines(keepends=True)
    assert all(re.match(rb"[!-9;-~]+[ \t]*:|[ \t]", line) for line in lines)
    assert not lines or not lines[0].startswith((b" ", b"\t"))
    rest = re.sub(rb"\A(From [^\n]*\n)*", b"", content)
    assert rest.startswith(header)
    assert body in (rest[len(header) :], rest[len(header) + 2 :])


@pytest.mark.parametrize(
    ("message", "header", "body"),
    [
        (b"A: b\r\n\r\nc\r\n", b"A: b\r\n", b"c\r\n"),
        (b"A: b\nB: c\n d\n\nc", b"A: b\r\nB: c\r\n d\r\n", b"c\r\n"),
        (b"From x Mon\nA: b\n\nc\n", b"A: b\r\n", b"c\r\n"),
        (b"no header\n", b"", b"no header\r\n"),
        (b" folded\nA: b\n", b"", b" folded\r\nA: b\r\n"),
        (b"A: b\nno field\nC: d\n", b"A: b\r\n", b"no field\r\nC: d\r\n"),
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
        sections = Sections(header_limit=1000)
        assert list(sections.feed(content)) == []
        assert sections.too_large


def test_chunks_are_bounded_and_never_tiny() -> None:
    sections = Sections(header_limit=100)
    chunks = list(sections.feed(b"A: b\r\n\r\n" + b"x" * (CHUNK * 2 + 1)))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK]
    assert sections.close() == b"x"


def test_a_body_in_tiny_pieces_takes_no_more_memory_than_one_in_large_ones() -> None:
    sections = Sections(header_limit=100)
    sections.feed(b"A: b\r\n\r\n")
    for _ in range(10_000):
        sections.feed(b"xy")
    assert len(sections._pieces) < 300
    assert sections.close() == b"xy" * 10_000
