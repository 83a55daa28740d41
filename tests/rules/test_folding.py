"""Long lines: folded where nothing changes by it, cut between characters, and left alone where something is signed."""

import email
import email.policy
import itertools
import re
from bisect import bisect_right

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.rules.folding import LONGEST_LINE, BodyFolder, _fold_at_blanks, _places, fold_header


def unfold(block: bytes) -> bytes:
    return re.sub(rb"\r\n(?=[ \t])", b"", block)


def longest(block: bytes) -> int:
    return max(map(len, block.split(b"\r\n")))


def test_a_header_without_long_lines_is_the_same_object() -> None:
    block = b"Subject: " + b"x" * (LONGEST_LINE - 9) + b"\r\nFrom: a@x.example\r\n"
    assert fold_header(block) is block


def test_a_long_field_is_folded_at_white_space_and_unfolds_to_itself() -> None:
    block = b"A: b\r\nReferences: " + b" ".join(b"<%d@x.example>" % n for n in range(300)) + b"\r\nSubject: after\r\n"
    folded = fold_header(block)
    assert longest(folded) <= LONGEST_LINE
    assert unfold(folded) == block
    assert email.message_from_bytes(folded)["Subject"] == "after"


@pytest.mark.parametrize("separator", [b",", b", ", b"  ,\t"])
def test_an_address_list_is_folded_behind_commas(separator: bytes) -> None:
    addresses = [b"user%d@example.net" % n for n in range(200)]
    folded = fold_header(b"To: " + separator.join(addresses) + b"\r\n")
    assert longest(folded) <= LONGEST_LINE
    parsed = email.message_from_bytes(folded, policy=email.policy.default)["To"]
    assert [one.addr_spec for one in parsed.addresses] == [one.decode() for one in addresses]


def test_commas_within_names_comments_and_other_fields_are_no_places() -> None:
    name = b'"' + b'a,b\\",' * 200 + b'"'
    for block in (b"To: " + name + b"<a@x.example>\r\n", b"Cc: (" + b"a,b" * 400 + b")a@x.example\r\n",
                  b"X-List: " + b"a,b" * 400 + b"\r\n"):  # fmt: skip
        assert fold_header(block) is block
    whole = b"To: " + name + b"<a@x.example>,b@x.example\r\n"
    assert fold_header(whole) == whole.replace(b",b@x", b",\r\n b@x")


def test_what_has_no_place_to_fold_goes_as_it_is_and_the_next_field_is_whole() -> None:
    block = b"X-Long: " + b"x" * 1500 + b"\r\n" + b"y" * 1200 + b'\r\nX-Quoted: "a' + b"\\ b" * 400 + b'"\r\n'
    assert fold_header(block + b"Subject: after\r\n") is not None
    assert fold_header(block) is block


def test_no_line_of_blanks_alone_comes_about() -> None:
    block = b"Subject: a" + b" " * 1100 + b"b" + b" " * 1100 + b"\r\n"
    folded = fold_header(block)
    assert all(line.strip() for line in folded.split(b"\r\n")[:-1])
    assert unfold(folded) == block


words = st.lists(
    st.sampled_from([b" ", b"\t", b"x" * 300, b"x" * 997, b"\\", b'"', b",", "ä".encode() * 200]), max_size=20
)


@given(name=st.sampled_from([b"To", b"Subject"]), value=words.map(b"".join))
def test_any_field_unfolds_to_itself(name: bytes, value: bytes) -> None:
    block = name + b":" + value + b"\r\nNext: field\r\n"
    folded = fold_header(block)
    plain = unfold(folded)
    if name == b"To":
        plain, block = plain.replace(b", ", b","), block.replace(b", ", b",")
    assert plain == block
    assert folded.endswith(b"\r\nNext: field\r\n")


# Bodies


def fold(*chunks: bytes) -> tuple[bytes, bool]:
    folder = BodyFolder()
    return b"".join(map(folder.feed, chunks)) + folder.close(), folder.folded


def test_long_lines_are_cut_at_998() -> None:
    assert fold(b"x" * 998 + b"\r\ny\r\n") == (b"x" * 998 + b"\r\ny\r\n", False)
    assert fold(b"x" * 2000 + b"\r\n") == (b"x" * 998 + b"\r\n" + b"x" * 998 + b"\r\nxxxx\r\n", True)


@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize("character", ["ä", "€", "😀"])
def test_no_character_is_cut(before: int, character: str) -> None:
    folded, _ = fold(b"x" * before + character.encode() * 700 + b"\r\n")
    assert longest(folded) <= LONGEST_LINE
    assert "".join(line.decode() for line in folded.split(b"\r\n")) == "x" * before + character * 700


def test_octets_that_are_no_utf_8_are_cut_at_998() -> None:
    for octet in (b"\x80", b"\xe4", b"a\x80\x80\x80\x80"):
        folded, _ = fold(octet * 1500)
        assert longest(folded) <= LONGEST_LINE
        assert folded.replace(b"\r\n", b"") == octet * 1500


@pytest.mark.parametrize(
    "sign",
    [b"Content-Type: Multipart/Signed; x", b"content-type: application/x-PKCS7-mime", b"multipart/encrypted",
     b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256"],
)  # fmt: skip
def test_behind_the_sign_of_something_signed_nothing_is_cut(sign: bytes) -> None:
    before, signed = b"x" * 1500 + b"\r\n", sign + b"\r\n\r\n" + b"s" * 1500 + b"\r\n"
    for at in range(len(sign)):
        folded, _ = fold(before + signed[:at], signed[at:])
        assert folded == b"x" * 998 + b"\r\n" + b"x" * 502 + b"\r\n" + signed


pieces = st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"x" * 330, "ä".encode() * 160, b"\x80", b"\xc3", b"PKCS7-"])


@example(data=b"x" * 997 + b"\r\n", at=[998])
@given(data=st.lists(pieces, max_size=14).map(b"".join), at=st.lists(st.integers(0, 5000), max_size=6))
def test_the_cuts_make_no_difference(data: bytes, at: list[int]) -> None:
    edges = sorted({0, len(data), *(n % (len(data) + 1) for n in at)})
    assert fold(*(data[a:b] for a, b in itertools.pairwise(edges))) == fold(data)


@given(
    st.lists(
        st.sampled_from([b"a" * 300, b" ", b"  ", b"\t", b"\\", b"\\ ", b"b", b" " * 500, b"c" * 1_200]), max_size=40
    )
)
def test_the_short_way_at_blanks_is_the_long_way(parts: list[bytes]) -> None:
    line = b"Subject: " + b"".join(parts)
    places, n, folded, begin = _places(line, 9, []), 0, [], 0
    while len(line) - begin > 998 and n < len(places):
        n = max(n + 1, bisect_right(places, begin + 998))
        folded.append(line[begin : places[n - 1]])
        begin = places[n - 1]
    assert _fold_at_blanks(line, 9) == b"\r\n".join([*folded, line[begin:]])
