"""Long lines: folded where nothing changes by it, cut between characters, and left alone where something is signed."""

import email
import email.policy
import itertools
import re
from bisect import bisect_right

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.rules.folding import LONGEST_LINE, BodyFolder, _show_list_commas, fold_header
from tests.borders.steps import count_steps


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


def plain_commas(raw: bytes) -> list[int]:
    """Find the commas between addresses, one token after the other."""
    found, comments, angle = [], 0, False
    for match in re.finditer(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|\\.|[(),<>]', raw, re.DOTALL):
        token = match[0]
        comments = max(0, comments + (token == b"(") - (token == b")"))
        if not comments and token in (b"<", b">"):
            angle = token == b"<"
        if not comments and not angle and token == b",":
            found.append(match.start())
    return found


def plain_fold(line: bytes, start: int, commas: list[int]) -> bytes:
    """Look for all places first, then fold at the last one that fits, else at the next one."""
    first = len(line) - len(line[start:].lstrip(b" \t"))
    last = len(line.rstrip(b" \t"))
    blanks = [match.start() for match in re.finditer(rb"(?<![ \t\\])[ \t]++", line[:last])]
    places = sorted({*(n for n in blanks if n > first), *(n + 1 for n in commas if n + 1 < last)})
    n, folded, begin, blank = 0, [], 0, b""
    while len(blank) + len(line) - begin > LONGEST_LINE and n < len(places):
        n = max(n + 1, bisect_right(places, begin + LONGEST_LINE - len(blank)))
        folded.append(blank + line[begin : places[n - 1]])
        begin = places[n - 1]
        blank = b"" if line[begin : begin + 1] in (b" ", b"\t") else b" "
    return b"\r\n".join([*folded, blank + line[begin:]])


parts_of_lines = st.sampled_from(
    [b"a" * 300, b" ", b"  ", b"\t", b"\\", b"\\ ", b"b", b" " * 500, b"c" * 1_200, b",", b", ", b"x," * 90,
     b"(", b")", b"((", b"(d)", b"<", b">", b"<>", b'"', b'\\"', b'"e,"']
)  # fmt: skip


@given(st.lists(parts_of_lines, max_size=40).map(b"".join))
def test_the_short_way_is_the_long_way(value: bytes) -> None:
    for name, commas in ((b"Subject: ", []), (b"To: ", plain_commas(b"To: " + value))):
        line = name + value
        assert fold_header(line + b"\r\n") == plain_fold(line, len(name), commas) + b"\r\n"


@given(st.lists(parts_of_lines, max_size=60).map(b"".join))
def test_the_commas_of_a_list_are_those_between_addresses(value: bytes) -> None:
    shown = _show_list_commas(value)
    assert len(shown) == len(value)
    assert [n for n, octet in enumerate(shown) if octet == ord(",")] == plain_commas(value)


names = st.text(alphabet="abc.-", min_size=1, max_size=60).map(str.encode)
lists = st.lists(st.builds(b"%s@%s.example".__mod__, st.tuples(names, names)), min_size=1, max_size=200)


@given(lists, st.sampled_from([b",", b", ", b",\t"]))
def test_a_list_of_addresses_unfolds_to_itself_and_no_line_is_too_long(parts: list[bytes], separator: bytes) -> None:
    block = b"To: " + separator.join(parts) + b"\r\n"
    folded = fold_header(block)
    assert longest(folded) <= LONGEST_LINE
    # Where a list has no blank behind a comma, unfolding leaves one there.
    assert unfold(folded).replace(b", ", b",") == block.replace(b", ", b",")
    assert fold_header(folded) is folded


@pytest.mark.parametrize("pattern", [b",", b"a@b,", b", ", b"a ,", b"a@b.example, "])
def test_a_header_full_of_commas_takes_few_steps(pattern: bytes) -> None:
    block = (b"To: " + (pattern * 32_000)[:32_000] + b"\r\n") * 8
    folded: list[bytes] = []
    assert count_steps(lambda: folded.append(fold_header(block))) < 20_000
    assert longest(folded[0]) <= LONGEST_LINE
