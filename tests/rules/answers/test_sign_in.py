"""Each AADSTS code and each OAuth error is told in a sentence, in both languages, with what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.answers.row import About
from relay.rules.answers.sign_in import MICROSOFT_ROWS, explain_sign_in, find_sign_in_row
from relay.rules.answers.sign_in_rows import STANDARD_ROWS

_AGAIN = "relay account authorize sales"


@pytest.mark.parametrize(
    ("code", "about", "english", "german"),
    [
        (50076, About.LOGIN, "browser", "Browser"), (50079, About.LOGIN, "browser", "Browser"),
        (50126, About.LOGIN, "password is wrong", "Passwort falsch"),
        (50034, About.CONFIGURATION, "tenant", "tenant"),
        (50020, About.CONFIGURATION, "personal", "persönliches"),
        (500208, About.CONFIGURATION, "personal", "persönliches"),
        (50053, About.LOGIN, "locked", "gesperrt"), (50055, About.LOGIN, "expired", "abgelaufen"),
        (50057, About.LOGIN, "switched off", "abgeschaltet"), (50105, About.CONFIGURATION, "assign", "zugewiesen"),
        (50173, About.LOGIN, _AGAIN, _AGAIN), (50194, About.CONFIGURATION, "tenant", "tenant"),
        (50196, About.LIMIT, "too often", "zu oft"),
        (50011, About.CONFIGURATION, "http://localhost", "http://localhost"),
        (53000, About.CONFIGURATION, "Conditional Access", "Bedingter Zugriff"),
        (53001, About.CONFIGURATION, "Conditional Access", "Bedingter Zugriff"),
        (53003, About.CONFIGURATION, "Conditional Access", "Bedingter Zugriff"),
        (530032, About.CONFIGURATION, "Conditional Access", "Bedingter Zugriff"),
        (530035, About.CONFIGURATION, "security defaults", "Sicherheitsstandards"),
        (65001, About.CONFIGURATION, "link", "Link"), (65004, About.LOGIN, "did not agree", "nicht zugestimmt"),
        (90094, About.CONFIGURATION, "administrator", "Administrator"),
        (90095, About.CONFIGURATION, "administrator", "Administrator"),
        (65002, About.CONFIGURATION, "Register an app", "eigene App"),
        (70000, About.LOGIN, _AGAIN, _AGAIN), (70008, About.LOGIN, "90 days", "90 Tage"),
        (700082, About.LOGIN, "90 days", "90 Tage"), (70043, About.LOGIN, 'flow = "app"', 'flow = "app"'),
        (70044, About.LOGIN, 'flow = "app"', 'flow = "app"'),
        (700016, About.CONFIGURATION, "client_id", "client_id"),
        (700025, About.CONFIGURATION, "client_secret out", "client_secret aus"),
        (7000215, About.CONFIGURATION, "not the Secret ID", "nicht die „Geheime ID“"),
        (7000218, About.CONFIGURATION, "Allow public client flows", "Clientflows zulassen"),
        (7000222, About.CONFIGURATION, "has expired", "ist abgelaufen"),
        (9001023, About.CONFIGURATION, "tenant", "tenant"), (9002332, About.CONFIGURATION, "consumers", "consumers"),
        (90002, About.CONFIGURATION, "tenant", "tenant"), (70016, About.TROUBLE, "not entered", "nicht eingegeben"),
        (70018, About.LOGIN, "not the one", "nicht der angezeigte"), (70019, About.LOGIN, "run out", "abgelaufen"),
    ],
)  # fmt: skip
def test_each_code_of_microsoft_is_explained(code: int, about: About, english: str, german: str) -> None:
    described = f"AADSTS{code}: Something in Microsoft's words. Trace ID: 0 Correlation ID: 1"
    row = find_sign_in_row("invalid_grant", described)
    assert row is not None
    assert row.about is about
    for language, part in (("en", english), ("de", german)):
        words = explain_sign_in("invalid_grant", language, account="sales", description=described)
        assert words is not None
        assert part in f"{words.what} {words.advice}"


@pytest.mark.parametrize(
    ("error", "about", "english", "german"),
    [
        ("invalid_grant", About.LOGIN, _AGAIN, _AGAIN),
        ("interaction_required", About.LOGIN, _AGAIN, _AGAIN),
        ("invalid_client", About.CONFIGURATION, "edit sales --client-secret", "edit sales --client-secret"),
        ("unauthorized_client", About.CONFIGURATION, "Admin console", "Admin-Konsole"),
        ("invalid_scope", About.CONFIGURATION, "permissions", "Berechtigungen"),
        ("access_denied", About.LOGIN, "did not agree", "nicht zugestimmt"),
        ("expired_token", About.LOGIN, "run out", "abgelaufen"),
        ("authorization_declined", About.LOGIN, "did not agree", "nicht zugestimmt"),
        ("bad_verification_code", About.LOGIN, "run out", "abgelaufen"),
        ("authorization_pending", About.TROUBLE, "not entered", "nicht eingegeben"),
        ("temporarily_unavailable", About.TROUBLE, "tried again by itself", "von selbst"),
    ],
)
def test_each_error_of_the_standards_is_explained(error: str, about: About, english: str, german: str) -> None:
    row = find_sign_in_row(error)
    assert row is not None
    assert row.about is about
    for language, part in (("en", english), ("de", german)):
        words = explain_sign_in(error, language, account="sales")
        assert words is not None
        assert part in f"{words.what} {words.advice}"


def test_a_code_says_more_than_the_error_and_one_without_a_row_says_nothing() -> None:
    row = find_sign_in_row("invalid_grant", "AADSTS50126: x")
    assert row is not None
    assert row.name == "aadsts_50126"
    assert find_sign_in_row("invalid_grant", "AADSTS99999: x") is find_sign_in_row("invalid_grant")
    both = find_sign_in_row("invalid_grant", "AADSTS99999: x AADSTS50053: y")
    assert both is not None
    assert both.name == "aadsts_50053"
    assert find_sign_in_row("something_else", "AADSTS99999: x") is None
    assert explain_sign_in("something_else", "de", account="a") is None


def test_all_rows_have_words_in_both_languages_and_a_name_of_their_own() -> None:
    rows = (*MICROSOFT_ROWS, *STANDARD_ROWS)
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        for language in ("de", "en"):
            words = row.words(language)
            assert words is not None
            assert words.what.endswith(".")
            assert words.advice


@given(st.text(max_size=50), st.text(max_size=300))
def test_whatever_a_server_says_is_told_or_not(error: str, description: str) -> None:
    words = explain_sign_in(error, "de", account="a", description=description)
    assert words is None or words.what
