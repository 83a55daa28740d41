import click
import pytest

from relay.cli.account_oauth import complete_oauth, say_next, wants_client_secret
from relay.cli.account_options import Changes


def oauth(**keys: object) -> Changes:
    return {("oauth", key): value for key, value in keys.items()}


@pytest.mark.parametrize(("provider", "flow"), [("microsoft", "device"), ("google", "browser")])
def test_the_usual_flow_goes_without_saying(provider: str, flow: str) -> None:
    given = oauth(provider=provider, client_id="x")
    assert complete_oauth(given, {}) == given | oauth(flow=flow)
    assert complete_oauth(given | oauth(flow="app"), {}) == given | oauth(flow="app")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (oauth(client_id="x"), "--oauth is missing"),
        (oauth(provider="google"), r"--client-id is missing.*google\.md"),
        (oauth(provider="custom", client_id="x"), "--flow is missing"),
        (oauth(provider="custom", flow="app"), "--client-id is missing: .* at the provider$"),
    ],
)
def test_what_is_missing_is_said(given: Changes, said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        complete_oauth(given, {})


def test_what_the_table_has_is_not_missing() -> None:
    given = oauth(tenant="example.com")
    before = {"oauth": {"provider": "microsoft", "flow": "browser", "client_id": "x"}}
    assert complete_oauth(given, before) == given
    assert complete_oauth({("excluded",): True}, {}) == {("excluded",): True}
    assert complete_oauth({("oauth",): None, ("smtp", "port"): 1}, before) == {("oauth",): None, ("smtp", "port"): 1}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"provider": "google", "flow": "browser"}, True),
        ({"provider": "google", "flow": "browser", "client_secret_file": "f"}, False),
        ({"provider": "google", "flow": "app"}, False),
        ({"provider": "microsoft", "flow": "app"}, True),
        ({"provider": "microsoft", "flow": "app", "certificate": "f"}, False),
        ({"provider": "microsoft", "flow": "device"}, False),
        ({"provider": "custom", "flow": "app"}, True),
        ({}, False),
    ],
)
def test_who_needs_a_clients_secret(table: dict[str, object], expected: bool) -> None:
    assert wants_client_secret(table) is expected


def test_of_an_app_it_is_not_said_that_it_waits_for_somebody(capsys: pytest.CaptureFixture[str]) -> None:
    say_next("office", {"flow": "app"})
    shown = capsys.readouterr().out
    assert "The service gets the app's tokens by itself. To ask for one now, and see what the provider answers" in shown
    assert "relay account authorize office" in shown
    say_next("office", {"flow": "device"})
    assert "Sign in: relay account authorize office" in capsys.readouterr().out
