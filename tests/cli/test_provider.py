"""How an account comes to know its provider: with a real DNS and a real web server where strangers are asked."""

import asyncio
import io
from collections.abc import Callable

import click
import pytest

from relay.cli import provider
from relay.cli.provider import Changes, Chosen, Finder, Wishes, choose_provider, describe_preset
from relay.model.address import Address
from relay.presets.asking import Dns
from relay.presets.finding import Found, find_provider
from relay.presets.preset import find_preset
from tests.presets.test_autoconfig import file, server
from tests.presets.test_finding import CONFIG, Web, dns, web

__all__ = ["dns", "web"]
"""The fixtures of the finder's own test."""

ASK = Wishes()


class Terminal(io.StringIO):
    """Answers of a person."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def looking(dns: Dns, web: Web) -> Finder:
    def look(address: Address, agrees: Callable[[], bool]) -> Found:
        return asyncio.run(find_provider(address, ask_database=agrees, resolver=dns, connect=web.connect))

    return look


def refused(changes: Changes, wishes: Wishes = ASK, *, look: Finder = provider.look_up) -> str:
    with pytest.raises(click.UsageError) as raised:
        choose_provider(changes, wishes, look=look)
    return raised.value.message


def choose(address: str, wishes: Wishes = ASK, **more: object) -> Chosen:
    changes = {("address",): address} | {tuple(key.split("_", 1)): value for key, value in more.items()}
    return choose_provider(changes, wishes)


def test_a_providers_own_domain_is_known_and_what_must_be_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = choose("anna@web.de", Wishes(collect=True))
    assert chosen.changes == {("address",): "anna@web.de", ("preset",): "web.de"}
    assert chosen.servers == ("smtp", "pop3")
    out = capsys.readouterr().out
    assert out.startswith("The provider is WEB.DE: the domain web.de is theirs.\nPreset web.de: WEB.DE, as of 2026-")
    for word in ("  Password: the password of your WEB.DE", "  Switch on first: In the WEB.DE", "  Limits: POP3"):
        assert word in out


def test_hosts_that_are_written_ask_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    changes: Changes = {("address",): "a@b.example", ("pop3", "host"): "h.example"}
    assert choose_provider(changes, ASK) == Chosen(changes, ("pop3",))
    assert capsys.readouterr().out == ""
    assert "--pop3-host is missing" in refused({("smtp", "host"): "h.example"}, Wishes(collect=True))


def test_a_preset_by_its_name() -> None:
    chosen = choose_provider({("address",): "a@b.example", ("preset",): "ionos", ("smtp", "port"): 587}, ASK)
    assert chosen.changes["smtp", "port"] == 587
    assert (chosen.servers, chosen.offered) == (("smtp",), ("smtp", "pop3"))
    assert refused({("preset",): "1und1"}).startswith("--preset 1und1: no provider is known by this name; did you mean")
    assert "iCloud Mail (Apple) offers no POP3" in refused({("preset",): "icloud"}, Wishes(collect=True))


def test_a_key_of_collecting_means_collecting_and_no_collect_wins() -> None:
    changes: Changes = {("address",): "a@b.example", ("preset",): "ionos", ("pop3", "leave_on_server"): "3 days"}
    assert choose_provider(changes, ASK).servers == ("smtp", "pop3")
    chosen = choose_provider(changes, Wishes(collect=False))
    assert chosen.servers == ("smtp",)
    assert ("pop3", "leave_on_server") not in chosen.changes


def test_a_host_of_the_accounts_own_must_be_written_and_it_is_said_where_it_stands() -> None:
    said = refused({("preset",): "all-inkl"}, Wishes(collect=True))
    assert "At ALL-INKL.COM each account has a host of its own: it is in the KAS" in said
    assert said.endswith("Add --preset all-inkl --smtp-host HOST --pop3-host HOST (such as w0123456.kasserver.com)")
    hosts: Changes = {("smtp", "host"): "w0.kasserver.com", ("pop3", "host"): "w0.kasserver.com"}
    assert choose_provider({("preset",): "all-inkl", **hosts}, ASK).servers == ("smtp", "pop3")


def test_a_provider_that_takes_no_password_says_what_to_add() -> None:
    said = refused({("address",): "anna@outlook.com"}, Wishes(collect=True))
    assert "takes no password for SMTP and POP3: add --oauth microsoft --client-id ID" in said
    assert "takes no password for POP3" in refused({("preset",): "microsoft365"}, Wishes(collect=True))
    assert choose_provider({("preset",): "microsoft365"}, ASK).servers == ("smtp",)
    assert choose("anna@outlook.com", Wishes(collect=True), oauth_provider="microsoft").servers == ("smtp", "pop3")


@pytest.mark.parametrize("address", ["", "anna", "a@b@", "x" * 400 + "@b.example"])
def test_what_is_no_address_is_said(address: str) -> None:
    assert refused({("address",): address}).startswith("--address ")


def test_nothing_is_known_and_the_ways_out_are_named() -> None:
    said = refused({("address",): "anna@office.local"})
    assert said.startswith("no provider is known for office.local:\n  The domain is not one of the internet.\nAdd one")
    for option in ("--preset NAME", "--smtp-host HOST", "--ask-thunderbird"):
        assert option in said


@pytest.mark.peer
def test_what_the_dns_says_must_be_agreed_to(
    dns: Dns, web: Web, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    changes: Changes = {("address",): "info@ours.example.net"}
    said = refused(changes, look=looking(dns, web))
    assert "IONOS takes the mail of ours.example.net (mx00.kundenserver.de). Is the mailbox there?" in said
    assert said.endswith("If so, say it: add --preset ionos")
    types("y\n")
    chosen = choose_provider(changes, Wishes(collect=False), look=looking(dns, web))
    assert chosen.changes["preset",] == "ionos"
    types("n\n")
    with pytest.raises(click.Abort):
        choose_provider(changes, ASK, look=looking(dns, web))
    types("y\ny\n")  # it is there, and it is collected
    assert choose_provider(changes, ASK, look=looking(dns, web)).servers == ("smtp", "pop3")
    assert "the DNS says that they take the mail of ours.example.net" in capsys.readouterr().out


@pytest.mark.peer
def test_who_signs_in_at_the_provider_that_was_found_has_agreed(dns: Dns, web: Web) -> None:
    changes: Changes = {("address",): "info@tenant.example.net", ("oauth", "provider"): "microsoft"}
    assert choose_provider(changes, ASK, look=looking(dns, web)).changes["preset",] == "microsoft365"
    changes["oauth", "provider"] = "google"
    assert "add --preset microsoft365" in refused(changes, look=looking(dns, web))


@pytest.mark.peer
def test_servers_that_a_web_server_names_are_written_out(
    dns: Dns, web: Web, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    own = server(hostname="mail.own.example.net", username="%EMAILLOCALPART%")
    web.files[CONFIG] = (
        200,
        file(own, server("pop3", port="995", hostname="mail.own.example.net"), domain="own.example.net"),
    )
    chosen = choose_provider({("address",): "info@own.example.net"}, Wishes(collect=True), look=looking(dns, web))
    assert chosen.preset is None
    assert chosen.changes == {
        ("address",): "info@own.example.net",
        ("smtp", "host"): "mail.own.example.net", ("smtp", "port"): 465, ("smtp", "security"): "tls",
        ("smtp", "username"): "info",
        ("pop3", "host"): "mail.own.example.net", ("pop3", "port"): 995, ("pop3", "security"): "tls",
        ("pop3", "username"): "info@own.example.net",
    }  # fmt: skip
    said = "SMTP is at mail.own.example.net, port 465 (tls), as info: the web server of own.example.net says so."
    assert said in capsys.readouterr().out
    for issuer in ("microsoft", "google"):
        named: Changes = {("address",): "info@own.example.net", ("oauth", "provider"): issuer}
        assert f"--oauth {issuer}: mail.own.example.net is no server of" in refused(named, look=looking(dns, web))
    web.files[CONFIG] = (200, file(server(), domain="own.example.net"))
    refusal = refused({("address",): "info@own.example.net"}, look=looking(dns, web))
    assert "mail.example.com is not part of own.example.net. Is it your provider's?" in refusal
    assert "add --smtp-host mail.example.com --smtp-port 465 --smtp-security tls --smtp-username" in refusal
    types("y\n")
    assert choose_provider({("address",): "info@own.example.net"}, ASK, look=looking(dns, web)).servers == ("smtp",)
    web.files[CONFIG] = (
        200,
        file(server("pop3", port="995", hostname="mail.own.example.net"), domain="own.example.net"),
    )
    assert "none to send by: add --smtp-host HOST" in refused(
        {("address",): "i@own.example.net"}, look=looking(dns, web)
    )


@pytest.mark.peer
def test_thunderbirds_database_is_asked_by_an_option_or_a_yes(
    dns: Dns, web: Web, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "live.thunderbird.net/autoconfig/v1.1/nothing.example.net"
    web.files[where] = (200, file(server(hostname="smtp.ionos.de"), domain="nothing.example.net"))
    changes: Changes = {("address",): "info@nothing.example.net"}
    assert "--ask-thunderbird" in refused(changes, look=looking(dns, web))
    types("n\n")
    refused(changes, look=looking(dns, web))
    assert web.asked == []
    types("y\nn\n")
    assert choose_provider(changes, ASK, look=looking(dns, web)).changes["preset",] == "ionos"
    assert "Mozilla is then told the domain nothing.example.net" in capsys.readouterr().out
    chosen = choose_provider(changes, Wishes(ask_database=True, collect=False), look=looking(dns, web))
    assert chosen.changes["preset",] == "ionos"
    assert web.asked == [where] * 2


def test_limits_and_filed_mail_are_said_of_a_preset() -> None:
    lines = {}
    for name in ("microsoft365", "hetzner"):
        preset = find_preset(name)
        assert preset is not None
        lines[name] = describe_preset(preset)
    assert "  Sent mail: put into the Sent folder by the provider itself" in lines["microsoft365"]
    assert not any("Sent mail" in line for line in lines["hetzner"])
