"""What the keeper of tokens says, in the words of people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.reply import Reply
from relay.rules.answers.reading import explain
from relay.rules.answers.row import Stage
from relay.rules.answers.token_rows import is_ours, nobody_signed_in, quotes_issuer, says_of_token


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        ("nobody has signed in yet: relay account authorize sales", "Nobody has signed in", "noch niemand angemeldet"),
        ("the key of the tokens is gone: put /x back, or sign in again: relay account authorize sales",
         "needs a person to sign in", "jemand anmelden"),
        ("the login is over: relay account authorize sales (invalid_grant: it is over)",
         "does not take the sign-in any more", "erkennt die Anmeldung nicht mehr an"),
        ("the login is over: relay account authorize sales (invalid_grant: AADSTS50173: revoked)",
         "Microsoft", "Microsoft"),
        ("no token: h.example refuses: invalid_client: no", "--client-secret", "--client-secret"),
        ("no token: h.example refuses: invalid_client: AADSTS7000222: The secret is expired",
         "has expired", "abgelaufen"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "the account is paused: 535 5.7.8 "])
def test_each_has_words_in_both_languages(before: str, text: str, english: str, german: str) -> None:
    reply = Reply(code=535, enhanced="5.7.8", text=before + text)
    assert is_ours(reply.text)
    for language, part in (("en", english), ("de", german)):
        for stage in (None, Stage.LOGIN):
            words = explain(reply, language, account="sales", stage=stage)
            assert words is not None
            assert part in f"{words.what} {words.advice}"
            if "authorize" in text:
                assert "relay account authorize sales" in words.advice


def test_what_the_issuer_says_for_now_is_not_of_the_login() -> None:
    assert says_of_token("no token: h.example can't be asked: h.example:443: Connection refused") is None


@pytest.mark.parametrize(
    ("text", "ours", "quotes"),
    [
        ("nobody has signed in yet: relay account authorize sales", True, False),
        ("the login is over: relay account authorize sales (invalid_grant: it is over)", True, True),
        ("no token: h.example refuses: invalid_client: no", True, True),
        ("password_file /x: can't be read: No such file or directory", True, False),
        ("Authentication failed: no token: given", False, False),
        ("password incorrect", False, False),
        ("the account is paused: 535 5.7.8 password incorrect", False, False),
    ],
)
def test_what_we_say_is_told_from_what_a_provider_says(text: str, ours: bool, quotes: bool) -> None:
    assert (is_ours(text), quotes_issuer(text)) == (ours, quotes)


@given(st.text())
def test_any_text_may_come(text: str) -> None:
    says_of_token(text)
    is_ours(text)
    quotes_issuer(text)
    assert is_ours(nobody_signed_in(text))
    says_of_token(f"no token: {text} refuses: {text}")
    says_of_token(f"relay account authorize {text} ({text}")
