"""No address and nothing private is left in what was cleaned, and one can still follow who is who."""

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.redaction import Redactor

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+_-äß", min_size=1).filter(lambda word: word.strip(".") == word)


@pytest.mark.parametrize(
    "text",
    [
        "anna@example.com", "<anna@example.com>", "550 5.1.1 <anna@example.com>: no", "to=anna@example.com,",
        "(anna@example.com).", '"anna b"@example.com', "mailto:anna@example.com", "an\u00e4@b\u00fccher.example",
    ],
)  # fmt: skip
def test_an_address_is_gone_wherever_it_stands(text: str) -> None:
    cleaned = Redactor(b"key").text(text)
    assert "@" not in cleaned
    assert "anna" not in cleaned
    assert "address-" in cleaned


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("anna@[192.0.2.1].", "X."),
        ("anna@[IPv6:2001:db8::1] x", "X x"),
        ("https://h/a?login_hint=anna%40example.com&x=1", "https://h/a?login_hint=X&x=1"),
        ("%40a%40example.com", "X"),
        ("'o'brien@example.com'", "'X'"),
        ("a/b@example.com.", "X."),
        ("SRS0=abc=TT=customer.example=kunde@relay: x", "X: x"),
        ("bounce+kunde=example.com@list.example", "X"),
        ("kunde%40example.com@relay.example", "X"),
        ("a@b@c.example", "X"),
        ('"a\\"b c"@x.example,', "X,"),
        ("x @ y, 5% of 40%", "x @ y, 5% of 40%"),
    ],
)
def test_an_address_is_gone_as_a_whole(text: str, left: str) -> None:
    assert re.sub("address-[0-9a-f]{10}", "X", Redactor(b"key").text(text)) == left


ATEXT = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789!#$%&'*+-/=?^_`{|}~.äß", min_size=1, max_size=300)
LITERAL = st.ip_addresses().map(lambda one: f"[{'IPv6:' if one.version == 6 else ''}{one}]")
NAME = st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789-ü", min_size=1), min_size=1).map(".".join)
AROUND = st.sampled_from([*"<>\"',;:()\n= ", ""])


@given(local=ATEXT, domain=NAME | LITERAL, before=AROUND, after=AROUND)
def test_whatever_an_address_has_nothing_of_it_is_left(local: str, domain: str, before: str, after: str) -> None:
    cleaned = Redactor(b"key").text(f"{before}{local}@{domain}{after}")
    rest = re.sub("address-[0-9a-f]{10}", "", cleaned, count=1)
    assert re.sub("['=/]", "", rest) == re.sub("['=/]", "", f"{before}{after}")


@given(local=ATEXT, domain=NAME)
def test_nothing_is_left_of_one_that_is_coded_for_a_url(local: str, domain: str) -> None:
    cleaned = Redactor(b"key").text(f"to={quote(local, safe='')}%40{quote(domain)}&x")
    assert re.fullmatch("to=address-[0-9a-f]{10}&x", cleaned)


def test_long_words_take_no_time() -> None:
    for piece in ("a", "a.", "%", "%40", "a%40", "a@", "a@[", '"', '"a', "@", "=", "'", "http://", "\\"):
        Redactor(b"key").text(piece * 20_000)


def test_an_address_can_be_followed_within_a_report_and_in_no_other() -> None:
    one, other = Redactor(b"1"), Redactor(b"2")
    assert one.text("Anna@example.com") == one.text("anna@example.com")
    assert one.text("anna@example.com") != one.text("bert@example.com")
    assert one.text("anna@example.com") != other.text("anna@example.com")


def test_what_is_private_is_gone_in_all_of_it() -> None:
    value = {"sesame": ["open Sesame now", {"n": 1, "ok": None}, ("sesame",)], "url": "smtp://u:pw@host/x"}
    cleaned = Redactor(b"key", private=["sesame", "now"]).clean(value)
    assert cleaned["***"] == ["open *** now", {"n": 1, "ok": None}, ["***"]]  # what is short is looked for nowhere
    assert cleaned["url"].startswith("smtp://u:")
    assert "pw" not in cleaned["url"]


@given(WORD, WORD, JSON)
def test_no_address_survives_whatever_is_around_it(local: str, domain: str, value: object) -> None:
    address = f"{local}@{domain}.example"
    cleaned = Redactor(b"key").clean({"a": address, "b": [f"x <{address}> y", value], address: 1})
    assert address not in json.dumps(cleaned, ensure_ascii=False)


@given(st.text("xyz@. /:"), st.lists(st.text("xyzXYZ", min_size=4)))
def test_what_is_private_never_stays(text: str, private: list[str]) -> None:
    cleaned = Redactor(b"key", private=private).text(text).lower()
    assert not any(one.lower() in cleaned for one in private)


@given(st.text())
def test_nothing_fails(text: str) -> None:
    assert isinstance(Redactor(b"key", private=[text]).text(text), str)
