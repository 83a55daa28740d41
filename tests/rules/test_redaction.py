"""No address and nothing private is left in what was cleaned, and one can still follow who is who."""

import json

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
