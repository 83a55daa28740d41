from typing import Any

import click
import pytest

from tests.cli.test_init_account import ask


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "gmx", "client_id": "c"}, "--client-id: is for signing in: add --oauth"),
        ({"preset": "gmx", "scope": ("s",)}, "--scope: is for signing in"),
        (
            {"preset": "microsoft365", "password_file": "/dev/null", "collect": True},
            "--password-file: whoever signs in",
        ),
        ({"preset": "gmail", "oauth": "google", "password_file": "/dev/null"}, "--password-file: whoever signs in"),
        (
            {"preset": "microsoft365", "oauth": "microsoft", "flow": "device", "secret_expires": "2027-06-30"},
            "--secret-expires: there is no client secret",
        ),
    ],
)
def test_what_can_have_no_effect_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        ask("anna@example.com\n\nclient\n\n\n", **{"collect": False, **given})


def test_an_option_that_is_for_signing_in_means_that_somebody_signs_in() -> None:
    account, secret, shown = ask("anna@gmail.com\n\nhush\n\n", client_id="c")
    assert account.oauth == {"provider": "google", "flow": "browser", "client_id": "c"}
    assert secret == "hush"
    assert "in place of a password?" not in shown


@pytest.mark.parametrize(
    ("option", "question"),
    [("certificate", "The app's certificate"), ("private_key", "The app's private key")],
)
def test_a_file_that_is_not_there_is_asked_for_by_what_it_is(option: str, question: str) -> None:
    given: dict[str, Any] = {"certificate": "/dev/null", "private_key": "/dev/null", option: "/none"}
    typed = "anna@example.com\n\nclient\n/dev/zero\n"
    account, _, shown = ask(typed, preset="microsoft365", oauth="microsoft", flow="app", collect=False, **given)
    assert question in shown
    assert account.oauth is not None
    assert account.oauth[option] == "/dev/zero"


def test_where_google_has_no_preset_its_usual_flow_is_what_enter_means() -> None:
    account, secret, _ = ask("anna@example.com\n\nclient\nhush\n\n", preset="gmx", oauth="google", collect=False)
    assert account.oauth == {"provider": "google", "flow": "browser", "client_id": "client"}
    assert secret == "hush"


def test_a_public_client_is_asked_for_no_secret() -> None:
    shown = ask("anna@example.com\n\nclient\n", preset="microsoft365", oauth="microsoft", flow="device", collect=False)[
        2
    ]
    assert "client secret" not in shown
