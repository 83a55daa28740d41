"""Each mistake with its words is in bad/oauth.toml; here, which combinations are none."""

import pytest

from relay.presets.preset import hosts_of_issuer
from relay.settings.document import Table
from relay.settings.oauth_checks import check_oauth, foreign_hosts

SMTP: dict[str, object] = {"host": "127.0.0.1"}


def mistakes(address: str = "box@example.com", /, **keys: object) -> list[str]:
    smtp = {key[5:]: keys.pop(key) for key in list(keys) if key.startswith("smtp_")}
    account = {"address": address, "smtp": SMTP | smtp, "oauth": {"client_id": "0", **keys}}
    return [str(finding.place[-1]) for finding in check_oauth(Table(content=account))]


MICROSOFT: dict[str, object] = {"provider": "microsoft"}
GOOGLE: dict[str, object] = {"provider": "google"}
CUSTOM: dict[str, object] = {"provider": "custom", "token_url": "https://h.example/"}
CERTIFICATE: dict[str, object] = {"certificate": "c", "private_key": "k"}


@pytest.mark.parametrize(
    "keys",
    [
        {**MICROSOFT, "flow": "device"},
        {**MICROSOFT, "flow": "browser", "client_secret_file": "f", "tenant": "consumers"},
        {**MICROSOFT, "flow": "app", "tenant": "example.com", **CERTIFICATE},
        {**GOOGLE, "flow": "browser", "client_secret_env": "X"},
        {**GOOGLE, "flow": "app", "private_key": "k", "client_id": "robot@p.iam.gserviceaccount.com"},
        {**CUSTOM, "flow": "device", "device_url": "https://h.example/d", "client_secret": "x"},
        {**CUSTOM, "flow": "browser", "authorize_url": "https://h.example/a"},
        {**CUSTOM, "flow": "app", "client_secret_command": "c"},
    ],
)
def test_what_a_provider_offers_is_no_mistake(keys: dict[str, object]) -> None:
    assert mistakes(**keys) == []


@pytest.mark.parametrize("address", ["a@outlook.com", "a@hotmail.co.uk", "a@LIVE.de"])
def test_a_personal_account_has_no_app(address: str) -> None:
    keys = {**MICROSOFT, "flow": "app", "tenant": "example.com", "client_secret": "x"}
    assert mistakes(address, **keys) == ["flow"]
    assert mistakes("a@live.example.com", **keys) == []
    assert mistakes(**{**keys, "tenant": "consumers"}) == ["flow"]


def test_who_signs_in_decides_and_not_whose_mailbox_it_is() -> None:
    keys = {**GOOGLE, "flow": "app", "private_key": "k", "client_id": "robot@p.iam.gserviceaccount.com"}
    assert mistakes("a@gmail.com", **keys) == ["flow"]
    assert mistakes("a@gmail.com", user="a@example.com", **keys) == []


@pytest.mark.parametrize("provider", ["microsoft", "google"])
def test_each_provider_that_is_known_has_its_own_hosts(provider: str) -> None:
    keys: dict[str, object] = {"provider": provider, "flow": "browser", "client_secret_env": "X"}
    own = hosts_of_issuer(provider)
    asked = {"microsoft": {"smtp.office365.com"}, "google": {"smtp.gmail.com", "smtp-relay.gmail.com"}}
    assert asked[provider] < own
    for host in (*own, "127.0.0.1", "::1", "localhost", "SMTP.Office365.COM." if provider == "microsoft" else "::1"):
        assert mistakes(smtp_host=host, **keys) == []
    others = hosts_of_issuer("google" if provider == "microsoft" else "microsoft")
    for host in (*others, "smtp.evil.example", "smtp.office365.com.evil.example", "x.smtp.gmail.com", "192.0.2.1"):
        assert mistakes(smtp_host=host, **keys) == ["host"]
    assert foreign_hosts("custom", ["smtp.evil.example"]) == foreign_hosts(None, ["smtp.evil.example"]) == []


def test_no_token_goes_in_clear_or_to_who_proves_nothing_but_on_this_machine() -> None:
    for keys in (
        {**MICROSOFT, "flow": "device", "smtp_host": "smtp.office365.com"},
        {**CUSTOM, "flow": "app", "client_secret": "x", "smtp_host": "mail.office.example"},
    ):
        assert mistakes(**keys, smtp_security="starttls", smtp_verify=True) == []
        assert mistakes(**keys, smtp_security="none", smtp_verify=False) == ["security", "verify"]
        assert mistakes(**{**keys, "smtp_host": "127.0.0.1"}, smtp_security="none", smtp_verify=False) == []


def test_what_is_no_word_hides_nothing_else() -> None:
    assert mistakes(provider=1, flow=[]) == []
    assert mistakes(provider="custom", flow="device") == ["token_url", "device_url"]
