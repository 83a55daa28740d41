"""Inputs as an attacker builds them: long runs of one pattern, behind each other, within each other, cut anywhere.

Short random inputs find none of what costs more than its length.
"""

import itertools
from typing import Final

from hypothesis import strategies as st

from tests.siege.inputs import RUNS

_PATTERNS: Final = [
    *RUNS.values(),
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\n.",
        b"\r\n.",
        b"\r\n.\r\n",
        b"\n.\r\n",
        b".\r\n",
        b"\0",
        b"--b\r\n",
        b"--b--\r\n",
        b"--\r\n",
    ),
    *(b"\t", b"=20", b"=\r\n", b"\x1b[2J", "\u202e".encode(), b"\xc2\x85", b"1", b"99999999999999999999 ", b"\xb2"),
]
_FIELDS: Final = [
    *(b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc", b"Resent-From", b"Resent-To", b"Resent-Bcc", b"Subject"),
    *(b"Message-ID", b"Received", b"Content-Type", b"Content-Transfer-Encoding", b"Content-Disposition", b"X-Other"),
    *(b"DKIM-Signature", b"Return-Path", b"Delivered-To", b"Resent-Sender"),
]
_ADDRESSES: Final = [
    *(b"sales@example.com", b"Sales <SALES@example.com>", b"anna@example.com", b"x@elsewhere.example", b"anna"),
    *(b'"a@b" <x@y.example>', b"g: anna@example.com, sales@example.com;", b"(c) sales@example.com (d)", b"<>", b""),
    *("wei\u00df@ex\u00e4mple.com".encode(), b"=?utf-8?q?a?= <sales@example.com>"),
]
_MARKUP: Final = [
    b"multipart/mixed; boundary=b", b"image/tiff; name=a.tif", b"text/plain", b"message/rfc822", b"base64",
    b"quoted-printable", b"x-uuencode", b"multipart/signed; boundary=b", b'attachment; filename="a.tif"',
    b"SUkqAAgAAAAPAP4ABAABAAAA", b"II*\0",
]  # fmt: skip


def times(one: bytes, count: int, limit: int) -> bytes:
    """Repeat something, but not beyond so many octets."""
    return one * min(count, limit // max(1, len(one)) + 1)


def runs(limit: int) -> st.SearchStrategy[bytes]:
    """Give up to so many octets, most of which repeat."""
    pattern = st.one_of(st.sampled_from(_PATTERNS), st.binary(min_size=1, max_size=4))
    counts = st.sampled_from([1, 2, 3, 30, 1_000, 10_000, limit])
    run = st.builds(lambda one, count: times(one, count, limit), pattern, counts)
    alternating = st.builds(lambda one, two, count: times(one + two, count, limit), pattern, pattern, counts)
    nested = st.builds(
        lambda one, two, count: times(one, count, limit) + times(two, count, limit), pattern, pattern, counts
    )
    joined = st.lists(st.one_of(run, alternating, nested), min_size=1, max_size=5).map(b"".join)
    return joined.map(lambda data: data[:limit])


def values(limit: int) -> st.SearchStrategy[bytes]:
    """Give the value of a field: sometimes an ordinary one, sometimes with runs before, within or behind it."""
    ordinary = st.sampled_from([*_ADDRESSES, *_MARKUP])
    parts = st.lists(st.one_of(ordinary, runs(limit)), min_size=1, max_size=4)
    return st.builds(lambda found, by: by.join(found), parts, st.sampled_from([b"", b" ", b", ", b"\r\n "]))


def headers(limit: int) -> st.SearchStrategy[bytes]:
    """Give a header, without the empty line; often not a good one."""
    name = st.one_of(st.sampled_from(_FIELDS), st.binary(max_size=3))
    colon = st.sampled_from([b": ", b":", b" : ", b"\t:", b"", b":\r\n "])
    field = st.builds(lambda one, by, value: one + by + value + b"\r\n", name, colon, values(limit))
    many = st.builds(lambda one, count: times(one, count, limit), field, st.sampled_from([1, 1, 1, 2, 100, 10_000]))
    first = st.sampled_from([b"", b"", b"From anna Mon\r\n", b"From : anna@example.com\r\n", b"\r\n", b" x\r\n"])
    block = st.builds(lambda begin, fields: begin + b"".join(fields), first, st.lists(many, max_size=6))
    return block.map(lambda data: data[:limit])


def mails(limit: int) -> st.SearchStrategy[bytes]:
    """Give a mail, its dots not stuffed."""
    body = st.lists(
        st.one_of(headers(limit), runs(limit), st.sampled_from([b"--b\r\n", b"\r\n", *_MARKUP])), max_size=8
    )
    return st.builds(
        lambda header, by, rest: (header + by + b"".join(rest))[:limit],
        headers(limit),
        st.sampled_from([b"\r\n", b"\r\n\r\n", b""]),
        body,
    )


def cuts(data: bytes, places: list[float]) -> list[bytes]:
    """Cut octets at some places, each between 0 and 1; joined, they are the same again."""
    ends = sorted({int(place * len(data)) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)] or [b""]


PLACES: Final = st.lists(st.floats(0, 1, allow_nan=False), max_size=6)
