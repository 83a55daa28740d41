from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.mime import (
    MOST_DELIMITERS,
    MOST_DEPTH,
    MOST_HEADER,
    MOST_LOOK_ALIKES,
    MOST_PADDING,
    Literal,
    MimeReader,
    PartData,
    PartEnd,
    PartStart,
    Token,
)

MIXED = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'


def read(body: bytes, header: bytes = MIXED, cuts: list[int] | None = None) -> list[Token]:
    """Read a body in pieces; runs of tokens of one kind are joined, since only their octets count."""
    reader = MimeReader(header)
    edges = [0, *(cuts or []), len(body)]
    tokens = [token for start, stop in pairwise(edges) for token in reader.feed(body[start:stop])] + reader.close()
    joined: list[Token] = []
    for token in tokens:
        last = joined[-1] if joined else None
        match last, token:
            case Literal(before), Literal(after):
                joined[-1] = Literal(before + after)
            case PartData(before), PartData(after):
                joined[-1] = PartData(before + after)
            case _:
                joined.append(token)
    return joined


def bytes_of(tokens: list[Token]) -> bytes:
    pieces = []
    for token in tokens:
        match token:
            case Literal(data) | PartData(data):
                pieces.append(data)
            case PartStart():
                pieces.append(token.raw)
    return b"".join(pieces)


def parts(body: bytes, header: bytes = MIXED) -> list[tuple[str, bytes]]:
    """Give type and body of each leaf part."""
    found: list[tuple[str, bytes]] = []
    for token in read(body, header):
        match token:
            case PartStart(content):
                found.append((content.type, b""))
            case PartData(data):
                found[-1] = (found[-1][0], data)
    return found


def test_two_parts() -> None:
    body = b"preamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: a/b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n--b\r\n"
    assert parts(body) == [("text/plain", b"one"), ("a/b", b"two\r\n")]
    tokens = read(body)
    assert tokens[0] == Literal(b"preamble\r\n--b\r\n")
    assert tokens[-2:] == [PartEnd(), Literal(b"\r\n--b--\r\nepilogue\r\n--b\r\n")]
    assert bytes_of(tokens) == body


def test_a_mail_that_is_one_part() -> None:
    tokens = read(b"data\r\n", b"Content-Type: image/tiff\r\n")
    assert isinstance(tokens[0], PartStart)
    assert tokens[0].is_mail
    assert tokens[0].raw == b""
    assert tokens[1:] == [PartData(b"data\r\n"), PartEnd()]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(b"--b\r\n\r\none", [b"one"], id="nothing is closed"),
        pytest.param(b"--b\r\n\r\none\r\n--b--", [b"one"], id="no line end at the end"),
        pytest.param(b"--b\r\n\r\none\r\n--b", [b"one"], id="ends in a delimiter"),
        pytest.param(b"--b\r\n\r\none\r\n--b-", [b"one\r\n--b-"], id="ends in half a delimiter"),
        pytest.param(b"--b \t\r\n\r\none\r\n--b--\t \r\n", [b"one"], id="white space after it"),
        pytest.param(b"--b\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"", b"two"], id="an empty part"),
        pytest.param(b"--b\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"two"], id="a part without a header"),
        pytest.param(b"--b\r\nX: y\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"two"], id="a header without its end"),
        pytest.param(b"--b\r\nno field\r\n\r\nx\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"two"], id="no header at all"),
        pytest.param(b"--b\r\n\r\n--bX\r\n --b\r\nx--b\r\n--b--\r\n", [b"--bX\r\n --b\r\nx--b"], id="look-alikes"),
        pytest.param(b"--b\r\n\r\n--b--x\r\n--b---\r\n--b--\r\n", [b"--b--x\r\n--b---"], id="closing look-alikes"),
        pytest.param(b"--b\r\nX: y\r\n\r\n", [b""], id="ends after a header"),
        pytest.param(b"--b\r\nX: y\r\n", [], id="ends in a header"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_odd_ends(body: bytes, found: list[bytes]) -> None:
    assert [data for _, data in parts(body)] == found
    assert bytes_of(read(body)) == body


def multipart(boundary: str, *inner: bytes, kind: str = "mixed") -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    line = f"\r\n--{boundary}".encode()
    return head + b"".join(line + b"\r\n" + part for part in inner) + line + b"--\r\n"


def test_boundaries_that_begin_alike() -> None:
    inner = multipart("bX", b"\r\none", b"\r\ntwo")
    assert [data for _, data in parts(b"--b\r\n" + inner + b"\r\n--b\r\n\r\nthree\r\n--b--\r\n")] == [
        b"one",
        b"two",
        b"three",
    ]


def test_an_outer_boundary_ends_what_was_not_closed() -> None:
    body = (
        b"--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--c\r\n\r\n--b--\r\n"
    )
    assert [data for _, data in parts(body)] == [b"one", b"two\r\n--c\r\n"]


def test_the_outer_of_two_equal_boundaries_wins() -> None:
    body = b"--b\r\n" + multipart("b", b"\r\none") + b"\r\n--b\r\n\r\ntwo\r\n"
    assert [data for _, data in parts(body)] == [b"one"]


def test_messages_are_looked_into() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n" + multipart("c", b"Content-Type: a/b\r\n\r\none")
    assert parts(b"--b\r\n" + inner + b"\r\n--b--\r\n") == [("a/b", b"one")]
    assert parts(inner.partition(b"\r\n\r\n")[2], b"Content-Type: message/rfc822\r\n") == [("a/b", b"one")]


def test_a_digest_holds_messages() -> None:
    inner = multipart("c", b"\r\nContent-Type: a/b\r\n\r\none", b"Content-Type: c/d\r\n\r\ntwo", kind="digest")
    assert parts(b"--b\r\n" + inner + b"\r\n--b--\r\n") == [("a/b", b"one"), ("c/d", b"two")]


@pytest.mark.parametrize(
    "shut",
    [
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\none",
        b"Content-Type: message/delivery-status\r\n\r\none",
        b"Content-Type: multipart/mixed\r\n\r\none",
    ],
)
def test_what_is_not_looked_into(shut: bytes) -> None:
    body = b"--b\r\n" + shut + b"\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    assert parts(body) == [("text/plain", b"two")]
    assert bytes_of(read(body)) == body


@pytest.mark.parametrize(
    "sealed",
    [
        multipart("c", b"Content-Type: a/b\r\n\r\none", kind="signed"),
        multipart("c", b"Content-Type: a/b\r\n\r\none", kind="encrypted"),
        b"Content-Type: application/pkcs7-mime\r\n\r\none",
        b"Content-Type: application/pgp-signature\r\n\r\none",
        b"Content-Type: a/b; name=one.asc\r\n\r\none",
    ],
)
def test_nothing_is_read_behind_what_is_signed_or_encrypted(sealed: bytes) -> None:
    body = b"--b\r\n\r\nfirst\r\n--b\r\n" + sealed + b"\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    assert parts(body) == [("text/plain", b"first")]
    assert bytes_of(read(body)) == body
    head, _, rest = sealed.partition(b"\r\n\r\n")
    assert parts(rest, head + b"\r\n") == []


def test_the_depth_is_limited() -> None:
    def nest(depth: int) -> bytes:
        inner = b"Content-Type: a/b\r\n\r\nx"
        for level in range(depth, 1, -1):
            inner = multipart(f"level{level}", inner) if level % 2 else b"Content-Type: message/rfc822\r\n\r\n" + inner
        return b"--b\r\n" + inner + b"\r\n--b--\r\n"

    assert parts(nest(MOST_DEPTH)) == [("a/b", b"x")]
    assert parts(nest(MOST_DEPTH + 1)) == []


def test_the_header_of_a_part_is_limited() -> None:
    for length, found in ((MOST_HEADER, 2), (MOST_HEADER + 1, 0)):
        header = b"X: " + b"x" * (length - 5)
        body = b"--b\r\n" + header + b"\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
        assert len(parts(body)) == found
        whole = read(body)
        assert whole == read(body, cuts=list(range(0, len(body), 997)))
        assert whole == read(body, cuts=list(range(MOST_HEADER - 10, MOST_HEADER + 20)))


def test_a_header_without_an_end_is_not_kept() -> None:
    reader = MimeReader(MIXED)
    tokens = reader.feed(b"--b\r\n" + b"X: y\r\n" * 100_000)
    assert len(bytes_of(tokens)) > 599_000


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"--b\r\n\r\n" * (MOST_DELIMITERS + 1), id="parts"),
        pytest.param(b"--b\r\n" * (MOST_DELIMITERS + 1), id="parts without headers"),
        pytest.param(b"--b\r\n\r\n" + b"\r\n--bX" * (MOST_LOOK_ALIKES + 2), id="look-alikes"),
        pytest.param(b"--b\r\n\r\n\r\n--b" + b" " * (MOST_PADDING + 9), id="padding"),
    ],
)
def test_it_gives_up_on_what_no_mail_has(odd: bytes) -> None:
    reader = MimeReader(MIXED)
    tail = b"\r\n--b\r\n\r\nx\r\n--b--\r\n"
    tokens = reader.feed(odd) + reader.feed(tail) + reader.close()
    assert reader.gave_up
    assert bytes_of(tokens) == odd + tail


@pytest.mark.parametrize("line", [b"\r\n--", b"\r\n--b", b"-", b"\r\n--b--", b"\r\n", b"\r\n--b ", b"--b\r\nX:\r\n"])
def test_little_is_held_back(line: bytes) -> None:
    reader = MimeReader(MIXED)
    held = len(line) * 50_000 - len(bytes_of(reader.feed(line * 50_000)))
    assert held <= MOST_HEADER + 300


FRAGMENTS = [
    b"--b\r\n",
    b"--b--\r\n",
    b"\r\n--b",
    b"--bX\r\n",
    b"\r\n--bX--",
    b"--c\r\n",
    b"\r\n--c--\r\n",
    b"--b \t\r\n",
    b"--",
    b"\r\n",
    b"text",
    b" folded\r\n",
    b"X: y\r\n",
    b"Content-Type: multipart/mixed; boundary=c\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=bX\r\n\r\n",
    b"Content-Type: multipart/digest; boundary=c\r\n\r\n",
    b"Content-Type: multipart/signed; boundary=c\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join), st.data())
def test_tokens_hold_every_octet_and_do_not_depend_on_the_cuts(body: bytes, data: st.DataObject) -> None:
    whole = read(body)
    assert bytes_of(whole) == body
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))
    assert read(body, cuts=cuts) == whole
    assert read(body, cuts=list(range(len(body)))) == whole
