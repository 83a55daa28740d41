import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.oauth_claims import read_names, stranger


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({"upn": "anna@example.com", "email": "a@example.com", "name": "Anna"}, ("anna@example.com", "a@example.com")),
        ({"preferred_username": "anna@example.com", "upn": "anna@example.com"}, ("anna@example.com",)),
        ({"upn": 1, "email": "no address", "preferred_username": "x\x1b@example.com"}, ()),
        ({"upn": "a" * 250 + "@example.com"}, ()),
        (["upn"], ()),
    ],
)
def test_names_are_those_by_which_somebody_signs_in(claims: object, names: tuple[str, ...]) -> None:
    assert read_names(jwt(claims)) == names


@given(st.text() | st.text(alphabet="ab.=-_", max_size=20) | st.binary().map(str) | st.none())
def test_what_is_no_jwt_names_nobody(token: str | None) -> None:
    assert read_names(token) == ()


def test_a_token_that_is_too_long_or_nested_names_nobody() -> None:
    assert read_names(jwt({"upn": "anna@example.com", "x": "y" * 40_000})) == ()
    deep = base64.urlsafe_b64encode(b"[" * 20_000).rstrip(b"=").decode()
    assert read_names(f"a.{deep}.b") == ()


@pytest.mark.parametrize(
    ("names", "who"),
    [
        ((), None),
        (("Anna@Example.com",), None),
        (("other@example.com", "anna@example.com"), None),
        (("other@example.com",), "other@example.com"),
    ],
)
def test_a_stranger_is_who_bears_none_of_the_names(names: tuple[str, ...], who: str | None) -> None:
    assert stranger(names, "anna@example.com") == who
