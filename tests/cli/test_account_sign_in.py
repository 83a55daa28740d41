from typing import Any

import click
import pytest

from tests.cli.test_init_account import ask


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "gmx", "client_id": "c"}, "--oauth is missing: where somebody signs in, for which --client-id is"),
        ({"preset": "gmx", "scope": ("s",)}, "--oauth is missing: .* --scope"),
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
        ask("anna@example.com\nclient\n\n\n", **{"collect": False, **given})


def test_an_option_that_is_for_signing_in_means_that_somebody_signs_in() -> None:
    account, secret, shown = ask("anna@gmail.com\n\nhush\n\n", client_id="c")
    assert account.oauth == {"provider": "google", "flow": "browser", "client_id": "c"}
    assert secret == "hush"
    assert "in place of a password?" not in shown


@pytest.mark.parametrize("option", ["certificate", "private_key", "client_secret_file"])
def test_a_file_that_is_not_there_is_said_before_anything_is_asked(option: str) -> None:
    named = f"--{option.replace('_', '-')}"
    given: dict[str, Any] = {option: "/none"}
    with pytest.raises(click.UsageError, match=f"^{named}: /none: there is no such file"):
        ask("", preset="microsoft365", oauth="microsoft", flow="app", **given)


def test_who_names_the_provider_is_asked_for_what_has_no_usual_answer() -> None:
    account, _, shown = ask("anna@example.com\nclient\n", preset="microsoft365", oauth="microsoft", collect=False)
    assert account.oauth == {
        "provider": "microsoft", "flow": "device", "tenant": "example.com", "client_id": "client",
    }  # fmt: skip
    assert "Your organisation's domain" not in shown
    own = ask("anna@outlook.com\nclient\n", oauth="microsoft", collect=False)[0].oauth
    assert own is not None
    assert "tenant" not in own  # the domain is Microsoft's


def test_where_google_has_no_preset_its_usual_flow_is_taken() -> None:
    account, secret, _ = ask("anna@gmx.de\nclient\nhush\n\n", smtp_host="smtp.gmail.com", oauth="google", collect=False)
    assert account.oauth == {"provider": "google", "flow": "browser", "client_id": "client"}
    assert secret == "hush"


def test_a_public_client_is_asked_for_no_secret() -> None:
    shown = ask("anna@example.com\nclient\n", preset="microsoft365", oauth="microsoft", flow="device", collect=False)[2]
    assert "client secret" not in shown


@pytest.mark.parametrize(("flow", "key"), [("device", "device_url"), ("browser", "authorize_url"), ("app", None)])
def test_a_custom_provider_is_asked_for_its_addresses_and_permissions(flow: str, key: str | None) -> None:
    token, page = "https://login.example/token", "https://login.example/page"
    secret = {"device": "\n", "browser": "hush\n\n", "app": "hush\n\n"}[flow]
    typed = "\n".join((flow, "client", "login.example", token, *([page] if key else []), "mail.send mail.read", secret))
    given: dict[str, Any] = {"address": "anna@office.lan", "smtp_host": "smtp.office.lan"}
    account, _, shown = ask(typed, oauth="custom", collect=False, **given)
    assert account.oauth == {
        "provider": "custom", "flow": flow, "client_id": "client", "token_url": token,
        **({key: page} if key else {}), "scopes": ["mail.send", "mail.read"],
    }  # fmt: skip
    assert "It must be an address such as https://" in shown


def test_what_options_say_of_a_custom_provider_is_not_asked_and_there_may_be_no_permissions() -> None:
    token = "https://login.example/token"
    given: dict[str, Any] = {"address": "anna@office.lan", "smtp_host": "smtp.office.lan"}
    account, _, _ = ask(
        "\nhush\n\n", flow="app", client_id="c", token_url=token, oauth="custom", collect=False, **given
    )
    assert account.oauth == {"provider": "custom", "flow": "app", "client_id": "c", "token_url": token}
