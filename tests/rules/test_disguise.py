"""An address is found whatever it is dressed up as, and in ordinary mail nothing is."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.address import parse_addr_spec
from relay.rules.disguise import find_disguised

BOSS, UMLAUT = parse_addr_spec("boss@example.com"), parse_addr_spec("Jürgen@Büro.example")


def found(*values: str | bytes) -> set[str]:
    octets = [value if isinstance(value, bytes) else value.encode() for value in values]
    return {str(one) for one in find_disguised(octets, [BOSS, UMLAUT])}


ENCODED = [
    "=?utf-8?q?boss?=@example.com",
    "=?utf-8?q?boss?= @example.com",
    "boss@=?utf-8?q?example.com?=",
    "boss@=?utf-8?b?ZXhhbXBsZQ==?=.com",
    "=?utf-8*de?Q?b=6Fss?= @ =?us-ascii?b?ZXhhbXBsZS5jb20?=",
    "=?utf-8?q?bo?= =?utf-8?q?ss?=@example.com",
    "bo=?utf-8?q?ss?=@example.com",
    "=?utf-8?q?bo=00ss?=@example.com",
    "=?utf-8?q?boss ?=@example.com",
    "=\x00?utf-8?q?boss?=@example.com",
    "=?utf-8?q?Anna?=boss@example.com",
    "=?utf-8?q?boss=40example.com?=",
    "=?utf-8?q?boss=40example.com?= <>",
    "=?utf-8?q? , 'boss@example.com' ?=",
]
CONTROLS = [
    "\x00boss@example.com",
    "bo\x00ss@example.com",
    "boss\x00@example.com",
    "boss@\x00example.com",
    "\x7fboss@example.com",
    "\x08boss@example.com",
    "\x1b[2Kboss@example.com",
    "Anna <\x01boss@example.com>",
    "x\x00boss@example.com",
    "Anna Q. bo\x00ss@example.com",
]
BROKEN = [
    "'boss@example.com'",
    "''boss@example.com",
    "Anna <'boss@example.com'>",
    "{boss@example.com}",
    "[boss@example.com]",
    "`boss@example.com`",
    "boss\\@example.com",
    "b\\oss@example.com",
    "\\boss@example.com",
    "boss@exam\r\n ple.com",
    "Anna\r\n boss@exam\r\n\tple.com",
    "boss@@example.com",
    '"boss"@@example.com',
    "boss @ @ example.com",
    "boss@example..com",
    "boss.@example.com",
    "boss@.example.com",
    "boss@<example.com>",
    "<boss>@example.com",
    "boss@example.com <>",
    "<anna@example.com> <boss@example.com>",
    "boss@example.com>, anna@example.com",
    "boss@example.com: anna@example.com;",
    "<@x,boss@example.com,@y:anna@example.com>",
    "anna@example.com (x <boss@example.com>",
    "(a (b) boss@example.com)",
]
INVISIBLE = [
    "\u00a0boss@example.com",
    b"\xa0boss@example.com",
    "\u200bboss@example.com",
    "\ufeffboss@example.com",
    "boss@\u00a0example.com",
    b"boss@\xa0example.com",
    "bo\u200dss@exam\u00adple.com",
    "bo\u034fss\ufe0f@example.com",
    "x\u2003boss@example.com",
    "boss@example\u3002com",
    "boss\uff20example.com",
    "\u201cboss@example.com\u201d",
    b"\xffboss@example.com",
]
QUOTED = [
    '"x\\" <boss@example.com> \\"',
    '"x <boss@example.com>',
    '\\"boss@example.com"',
    '\\"x" boss@example.com "y"',
    "(boss@example.com \\)",
    '"x" (")") boss\\@example.com',
    "=?utf-8?q?a\"b?= <anna@example.com>, 'boss@example.com' =\"",
    "=?utf-8?q?a(b?= <anna@example.com>, 'boss@example.com' )",
]
NO_NAMES = [
    '"boss@example.com"',
    '<"boss@example.com">',
    '"Anna <boss@example.com>"',
    '"Anna, boss@example.com"',
    '"=?utf-8?q?boss@example.com?="',
    '"=?utf-8?q?boss=40example.com?="',
    '"boss@example.com" <>',
    '"boss@example.com" x@',
    '"boss@example.com" @x.example',
    '"boss@example.com" x@y z',
    '"boss@example.com" <x@y@z>',
    '"boss@example.com" x@-',
    '"boss@example.com" x@=?utf-8?q?y?=',
    '"boss@example.com": anna@example.com;',
    '<@x:"boss@example.com">',
    '"boss@example.com",@x:anna@example.com',
    '"boss@example.com"@x.example',
    "=?utf-8?q?boss=40example.com?= x@",
    "=?utf-8?q?boss=40example.com?= @x",
    "=?utf-8?q?boss=40example.com?=@x.example",
    "=?utf-8?q?boss=40example.com?= <x@y z>",
    f"=?utf-8?q?boss=40example.com?= <{'x' * 65}@y.example>",
]
BLANKS = [
    "boss@exam ple.com",
    "<boss@exam ple.com>",
    "boss@exam\tple.com",
    "boss@exam(x)ple.com",
    "boss@exam (x) ple.com",
    "boss@ exam ple. com",
    "boss@e x a m p l e . c o m",
]
CHARSETS = [
    f"=?{charset}?q?boss=40example.com?="
    for charset in ("csISOLatin1", "l1", "us", "x-sjis", "windows-31j", "ANSI_X3.4-1968", "gb_2312-80", "latin-9")
]


@pytest.mark.parametrize("value", [*ENCODED, *CONTROLS, *BROKEN, *INVISIBLE, *QUOTED, *NO_NAMES, *BLANKS, *CHARSETS])
def test_a_disguise_is_seen_through(value: str | bytes) -> None:
    octets = value if isinstance(value, bytes) else value.encode()
    assert found(octets) == {"boss@example.com"}
    assert found(octets.replace(b"boss", b"BoSS").replace(b"com", b"COM")) == {"boss@example.com"}
    assert found(b"anna@example.com, " + octets) == {"boss@example.com"}


@pytest.mark.parametrize("dot", [".", "\u3002"])
@pytest.mark.parametrize("local", ["jürgen", "Ju\u0308rgen", "JÜRGEN", "=?iso-8859-1?q?j=FCrgen?="])
@pytest.mark.parametrize("domain", ["büro", "bu\u0308ro", "xn--bro-hoa"])
def test_letters_of_other_alphabets_are_compared_as_addresses_are(local: str, domain: str, dot: str) -> None:
    value = f"'{local}@{domain}{dot}example'"
    assert found(value) == {"Jürgen@Büro.example"}
    wire = parse_addr_spec("jürgen@xn--bro-hoa.example")
    assert list(find_disguised([value.encode()], [wire])) == [wire]


@pytest.mark.parametrize(
    "value",
    ["=?x-unknown?q?boss?=@example.com", "boss@=?utf-7?q?example.com?=", "x=?utf-8?b?a?=@example.com",
     "=?u\x00tf-8?q?boss?=@example.com", "=??q?boss?=@example.com", "=?*de?q?boss?=@example.com",
     "=?utf-16?b?AGIAbwBzAHM=?=@example.com", "=?utf-16be?b?AGIAbwBzAHM=?=@example.com",
     f"=?{'x' * 80}?q?boss?=@example.com", "=?utf-7?q?boss+AEA-example.com?=, anna@example.com",
     "anna@example.com, =?utf-7?q?boss+AEA-example.com?=", "<=?utf-7?q?boss+AEA-example.com?=>",
     "=?x-unknown?q?boss=40example.com?= <>", "=?x-unknown?q?boss=40example.com?= x@",
     '"=?x-unknown?q?boss=40example.com?=", anna@example.com', "=?x-unknown?q?boss?=: anna@example.com;"],
)  # fmt: skip
def test_an_encoded_word_in_an_address_that_nobody_can_decode_may_be_any(value: str) -> None:
    assert found(value) == {"None"}


@pytest.mark.parametrize(
    "value",
    [
        "'boss@o\ufb00ice.example'",
        "'boss@\uff4fffice.example'",
        "boss @ O\ufb00ice.example <>",
        "'boss@=?utf-8?q?o=EF=AC=80ice?=.example'",
        "boss@o\ufb00ice\u3002example <>",
        "boss@o\ufb00 ice.example",
        "'boss@\u24deffice.example'",
    ],
)
def test_a_domain_is_compared_as_it_is_looked_up(value: str) -> None:
    office = parse_addr_spec("boss@office.example")
    assert list(find_disguised([value.encode()], [office])) == [office]
    telephone = parse_addr_spec("boss@tele.example")
    assert list(find_disguised(["'boss@\u2121e.example'".encode()], [telephone])) == [telephone]


NAMES = [
    "",
    "Anna ",
    "Anna Q. ",
    '"boss@example.com" ',
    '"Anna \\"boss@example.com\\" <boss@example.com>"',
    '"Boss"',
    "=?utf-8?q?boss=40example.com?= ",
    "=?utf-8?b?Ym9zc0BleGFtcGxlLmNvbQ==?=\r\n ",
    "=?utf-8?q?boss@example.com?= ",
    "=?utf-8?q?=3Cboss=40example=2Ecom=3E=2C?= ",
    "=?x-unknown?q?Anna?=",
    "=?utf-7?q?Anna?= =??q?Anna?=\r\n ",
    '"Anna, boss@example.com: <boss@example.com>" ',
    '"boss@example.com"',
    "=?utf-8?q?Schmidt,_Anna?= ",
    "=?utf-8?q?Schmidt_(Anna)?= ",
    "M\u00fcller\u00a0GmbH ",
    "Example\\Anna ",
    "O'Boss ",
    "(boss@example.com) ",
    "bo\r\n ",
]
ADDRESSES = [
    "anna@example.com",
    "bigboss@example.com",
    "big.boss@example.com",
    "o'boss@example.com",
    "ss@example.com",
    "boss+x@example.com",
    "boss@example.com.example",
    "boss@sub.example.com",
    "boss@example.co",
    "x=boss@example.com",
    '"big boss"@example.com',
    "boss=example.com@list.example",
    "_boss@example.com",
    "boss.@x.example",
    "anna@[192.0.2.1]",
    "anna@[IPv6:2001:db8::1]",
    "anna@b\u00fcro.example",
    "anna @ office . example",
    "anna(\u00e4: x;)@(y)example.com",
    "anna(a (nested <x@example.com>) \\) one,)@(a (b) c,)example.com",
]
BEHIND = ["", " (boss@example.com)", " (a (nested <boss@example.com>) \\) b)"]


@pytest.mark.parametrize(("name", "address", "behind"), list(product(NAMES, ADDRESSES, BEHIND)))
def test_ordinary_mail_is_left_alone(name: str, address: str, behind: str) -> None:
    value = f"{name}<{address}>{behind}"
    assert found(f" {value}", f"{name}<@relay.example,@other.example:{address}>", f"{value},\r\n {value}") == set()
    if name.strip() in ("", "Anna", "Anna Q."):
        assert found(f"{name}{address}{behind}", f"Team: {name}{address};") == set()


def test_where_nothing_is_in_question_nothing_is_read() -> None:
    assert list(find_disguised([b"'boss@example.com'"], [])) == []


@given(before=st.text(max_size=40), behind=st.text(max_size=40))
def test_any_text_can_be_looked_at(before: str, behind: str) -> None:
    value = f"{before}boss@example.com{behind}".encode("utf-8", "replace")
    assert found(value, value.replace(b"@", b"")) <= {"boss@example.com", "None"}


@given(st.lists(st.sampled_from("\x00\x01\x0b\x7f\\\u00a0\u200b\ufeff\u2003[]()"), max_size=8), st.integers(0, 16))
def test_what_can_not_be_seen_hides_nothing_wherever_it_stands(signs: list[str], at: int) -> None:
    hidden = "".join(signs).replace("(", "()")
    assert found(f"{BOSS}"[:at] + hidden + f"{BOSS}"[at:]) == {"boss@example.com"}
