import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.sasl import BY_TOKEN, ENDS_ERROR, token_response

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


def said(mechanism: str, user: str, token: str) -> str:
    return base64.b64decode(
        token_response(mechanism, token, username=user, host="h.example", port=587), validate=True
    ).decode()


def test_what_googles_page_and_rfc_7628_show() -> None:
    assert said("xoauth2", "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") == (
        "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    )
    assert said("oauthbearer", "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") == (
        "n,a=user@example.com,\x01host=h.example\x01port=587\x01"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert ENDS_ERROR == {"xoauth2": b"", "oauthbearer": b"AQ=="}


@given(st.sampled_from(BY_TOKEN), TEXT, TEXT)
def test_the_token_stands_in_a_field_of_its_own(mechanism: str, user: str, token: str) -> None:
    fields = said(mechanism, user, token).split("\x01")
    assert len(fields) == (4 if mechanism == "xoauth2" else 6)
    assert fields[-3:] == [f"auth=Bearer {token}", "", ""]


@given(st.sampled_from(BY_TOKEN), TEXT, TEXT, st.characters(max_codepoint=31))
def test_nothing_begins_another_field(mechanism: str, before: str, after: str, sign: str) -> None:
    for user, token in ((before + sign + after, "t"), ("u", before + sign + after)):
        with pytest.raises(ValueError, match="control character"):
            said(mechanism, user, token)


@given(TEXT)
def test_a_user_name_of_oauthbearer_ends_where_it_ends(user: str) -> None:
    header, _, _ = said("oauthbearer", user, "t").partition("\x01")
    _, name, empty = header.split(",")
    assert empty == ""
    assert name.removeprefix("a=").replace("=2C", ",").replace("=3D", "=") == user
