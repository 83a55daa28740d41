"""What stands in the files of the providers, and how one is chosen among them."""

import re
import tomllib

import pytest

from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.presets.preset import (
    FOLDER,
    IMPLICIT_TLS,
    Login,
    Preset,
    Words,
    all_presets,
    find_preset,
    is_below,
    meant_by,
    preset_names,
    preset_of,
    preset_of_domain,
    preset_of_exchanger,
    presets_of_hosts,
)
from relay.settings.hosts import is_host_name

PRESETS = all_presets()
KNOWN = {"title", "also", "domains", "mx", "example", "files_sent", "smtp", "pop3", "imap", "oauth"}
KNOWN |= {"password", "switch_on", "find_host", "limits", "source"}


def test_the_providers_that_offices_have_are_known() -> None:
    asked = "gmx web.de ionos strato t-online gmail google microsoft365 outlook.com yahoo zoho fastmail icloud all-inkl"
    assert set(asked.split()) <= set(preset_names())


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_is_whole(preset: Preset) -> None:
    assert set(tomllib.loads((FOLDER / f"{preset.name}.toml").read_text())) <= KNOWN
    assert preset.title
    assert preset.pages
    assert preset.checked.year >= 2026
    assert "smtp" in preset.servers
    for words in (preset.password, preset.switch_on, preset.find_host, preset.limits):
        assert words is None or (words.en and words.de and words.en != words.de)
        assert words is None or "\n" not in words.en + words.de
    own = [kind for kind, server in preset.servers.items() if server.host is None]
    assert bool(own) == (preset.find_host is not None) == (preset.example is not None)
    for server in preset.servers.values():
        assert all(is_host_name(host) and host == host.lower() for host in server.hosts)
        assert server.host is not None or not server.other_hosts
        assert set(server.ports) <= IMPLICIT_TLS | {587, 110, 143}
    for name in (*preset.domains, *preset.mx):
        assert is_host_name(name)
        assert name == name.lower()
    if preset.oauth:
        assert set(preset.oauth.needed) <= set(preset.servers)
        assert set(preset.oauth.flows) <= {"device", "browser", "app"}


def test_no_word_domain_or_exchanger_means_two() -> None:
    for kind in ("domains", "mx", "also"):
        said = [word for preset in PRESETS for word in getattr(preset, kind)]
        assert len(said) == len(set(said)), kind
    for preset in PRESETS:
        assert not set(preset.also) & {*preset_names()}
        assert all(re.fullmatch(r"[a-z0-9&.-]+", word) for word in preset.also)


@pytest.mark.parametrize("name", ["", "../gmx", "gmx/", "GMX", "nobody", "x" * 100, "gmx\0", "a.toml"])
def test_what_is_no_name_is_none(name: str) -> None:
    assert find_preset(name) is None


def name_of(preset: Preset | None) -> str | None:
    return None if preset is None else preset.name


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("gmx.de", "gmx"),
        ("googlemail.com", "gmail"),
        ("x.gmx.de", None),
        ("agmx.de", None),
        ("hotmail.de", "outlook.com"),
    ],
)
def test_found_by_domain(domain: str, expected: str | None) -> None:
    assert name_of(preset_of_domain(domain)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx00.kundenserver.de", "ionos"),
        ("smtpin.rzone.de", "strato"),
        ("example-com.mail.protection.outlook.com", "microsoft365"),
        ("example-com.k-v1.mx.microsoft", "microsoft365"),
        ("eur.olc.protection.outlook.com", "outlook.com"),
        ("aspmx.l.google.com", "google"),
        ("evilgoogle.com", None),
        ("google.com.evil.example", None),
        ("mail.protection.outlook.com.evil.example", None),
        ("x.protection.outlook.com", None),
    ],
)
def test_found_by_the_suffix_of_an_exchanger_at_a_dot(host: str, expected: str | None) -> None:
    assert name_of(preset_of_exchanger(host)) == expected


@pytest.mark.parametrize(
    ("hosts", "domain", "expected"),
    [
        (["imap.gmx.net"], "office.example", ["gmx"]),
        (["x.imap.gmx.net"], "office.example", []),
        (["imap.gmx.net", "smtp.gmail.com"], "office.example", []),
        ([], "office.example", []),
        (["smtp.gmail.com"], "gmail.com", ["gmail"]),
        (["smtp.gmail.com", "pop.gmail.com"], "office.example", ["google"]),
        (["smtp-relay.gmail.com", "pop.gmail.com"], "office.example", ["google"]),
        (["smtp.googlemail.com", "pop.googlemail.com"], "googlemail.com", ["gmail"]),
        (["outlook.office365.com"], "office.example", ["microsoft365"]),
        (["outlook.office365.com"], "hotmail.de", ["outlook.com"]),
        (["smtp-mail.outlook.com", "outlook.office365.com"], "office.example", ["outlook.com"]),
    ],
)
def test_found_by_all_its_servers_names_and_the_domain(hosts: list[str], domain: str, expected: list[str]) -> None:
    assert [one.name for one in presets_of_hosts(hosts, domain)] == expected


@pytest.mark.parametrize("domain", ["office.example", "outlook.de", "gmail.com", "zoho.com"])
def test_all_servers_of_a_provider_are_told_apart_from_those_of_others(domain: str) -> None:
    for preset in all_presets():
        for host in (host for server in preset.servers.values() for host in server.hosts):
            assert len(presets_of_hosts([host], domain)) == 1, (preset.name, host)


def account_at(smtp: str, pop3: str, preset: str | None = None, domain: str = "office.example") -> Account:
    return Account(
        name="a",
        address=Address(local="a", domain=domain),
        owner="anna",
        preset=preset,
        smtp=SmtpServer(host=smtp, port=587, security=Security.STARTTLS, username="a"),
        pop3=Pop3Server(host=pop3, port=995, security=Security.TLS, username="a"),
    )


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (account_at("smtp.office365.com", "Outlook.Office365.com."), ("microsoft365", "microsoft365")),
        (account_at("smtp-mail.outlook.com", "outlook.office365.com"), ("outlook.com", "outlook.com")),
        (account_at("smtp.gmail.com", "pop.gmail.com", "gmail"), ("gmail", "gmail")),
        (account_at("smtp.gmail.com", "pop.gmx.net"), ("google", "gmx")),
        (account_at("w0.kasserver.com", "pop.gmx.net", "all-inkl"), ("all-inkl", "gmx")),
        (account_at("mail.office.example", "192.0.2.1"), (None, None)),
    ],
)
def test_the_provider_of_each_of_an_accounts_servers(account: Account, expected: tuple[str | None, ...]) -> None:
    assert tuple(name_of(preset_of(account, server)) for server in account.servers) == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("1&1", "ionos"), ("Office365", "microsoft365"), ("allinkl", "all-inkl"), ("nobody", None)]
)
def test_what_people_mean(word: str, expected: str | None) -> None:
    assert meant_by(word) == expected


def test_a_word_that_is_a_domain_means_whose_domain_it_is() -> None:
    for one in PRESETS:
        for word in one.also:
            assert name_of(preset_of_domain(word)) in (None, one.name), word


def test_a_user_name_is_the_address_or_its_local_part() -> None:
    assert Login.ADDRESS.of("a@web.de") == "a@web.de"
    assert Login.LOCAL_PART.of("a@web.de") == "a"


def test_words_are_given_in_the_offices_language() -> None:
    assert [Words("one", "eins").by(language) for language in ("de", "en")] == ["eins", "one"]


def test_below_is_at_a_dot() -> None:
    assert is_below("a.b", "b")
    assert is_below("b", "b")
    assert not is_below("ab", "b")
