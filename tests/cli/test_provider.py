"""How an account comes to know its provider: with a real DNS and a real web server where strangers are asked."""

import asyncio
import io
import re
from collections.abc import Callable

import click
import pytest

from relay.cli import provider
from relay.cli.account_options import Changes
from relay.cli.interview import Interview
from relay.cli.provider import Finder, Known, Wishes, describe_preset, find_known
from relay.model.address import Address
from relay.presets.asking import Dns
from relay.presets.finding import Found, Origin, find_provider
from relay.presets.preset import Words, find_preset
from tests.presets.test_autoconfig import file, server
from tests.presets.test_finding import CONFIG, Web, dns, web

__all__ = ["dns", "web"]
"""The fixtures of the finder's own test."""

ASK = Wishes()


class Typing(io.StringIO):
    """What a person types, at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Interview]:
    def types(text: str) -> Interview:
        monkeypatch.setattr("sys.stdin", Typing(text))
        return Interview("en")

    return types


@pytest.fixture(autouse=True)
def _nothing_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def looking(dns: Dns, web: Web) -> Finder:
    def look(address: Address, agrees: Callable[[], bool]) -> Found:
        return asyncio.run(find_provider(address, ask_database=agrees, resolver=dns, connect=web.connect))

    return look


def nobody() -> Interview:
    return Interview("en", terminal=False)


def refused(changes: Changes, wishes: Wishes = ASK, *, look: Finder = provider.look_up) -> str:
    with pytest.raises(click.UsageError) as raised:
        find_known(nobody(), changes, wishes, look=look)
    return raised.value.message


def preset_of(changes: Changes, person: Interview | None = None, *, look: Finder) -> str | None:
    preset = find_known(person or nobody(), changes, ASK, look=look).preset
    return None if preset is None else preset.name


def test_a_providers_own_domain_is_known_and_what_must_be_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    known = find_known(nobody(), {("address",): "anna@web.de"}, ASK)
    assert known.preset is find_preset("web.de")
    assert known.offered == ("smtp", "pop3")
    out = capsys.readouterr().out
    assert out.startswith("The provider is WEB.DE: the domain web.de is theirs.\nPreset web.de: WEB.DE, as of 2026-")
    for word in ("  Password: the password of your WEB.DE", "  Switch on first: In the WEB.DE", "  Limits: POP3"):
        assert word in out


def test_a_german_office_reads_it_in_german(capsys: pytest.CaptureFixture[str]) -> None:
    find_known(Interview("de", terminal=True), {("address",): "anna@web.de"}, ASK)
    out = capsys.readouterr().out
    assert out.startswith("Der Anbieter von web.de wird gesucht ...\nDer Anbieter ist WEB.DE: die Domain web.de gehört")
    for word in ("Voreinstellung web.de: WEB.DE, Stand 2026-", "  Zuerst einschalten: ", "  SMTP: smtp.web.de, Port"):
        assert word in out


def test_hosts_that_are_written_ask_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    changes: Changes = {("address",): "a@office.local", ("pop3", "host"): "h.example"}
    assert find_known(nobody(), changes, ASK) == Known(is_named=True)
    assert capsys.readouterr().out == ""
    assert refused(changes, Wishes(is_first=True)).startswith("no provider is known")  # which is to send as well


def test_a_preset_by_its_name_or_another_word_for_it() -> None:
    for name in ("ionos", "1und1"):
        assert find_known(nobody(), {("preset",): name}, ASK).preset is find_preset("ionos")
    assert re.match(
        "--preset: nobody: no provider is known by this name; known are .*ionos", refused({("preset",): "nobody"})
    )


def test_the_password_is_named_unless_somebody_signs_in(capsys: pytest.CaptureFixture[str]) -> None:
    cases: list[tuple[Changes, bool]] = [
        ({("preset",): "gmail"}, True),
        ({("preset",): "gmail", ("oauth", "provider"): "google"}, False),
        ({("preset",): "outlook.com"}, False),
    ]
    for changes, said in cases:
        find_known(nobody(), changes, ASK)
        assert ("  Password: " in capsys.readouterr().out) is said


@pytest.mark.parametrize("address", ["", "anna", "a@b@", "x" * 400 + "@b.example"])
def test_what_is_no_address_is_said(address: str) -> None:
    assert refused({("address",): address}).startswith("--address: ")


def test_nothing_is_known_and_the_ways_out_are_named() -> None:
    said = refused({("address",): "anna@office.local"})
    assert said.startswith("no provider is known for office.local:\n  The domain is not one of the internet.\nAdd one")
    for option in ("--preset NAME", "--smtp-host HOST", "--ask-thunderbird"):
        assert option in said


@pytest.mark.peer
def test_what_the_dns_says_must_be_agreed_to(
    dns: Dns, web: Web, types: Callable[[str], Interview], capsys: pytest.CaptureFixture[str]
) -> None:
    changes: Changes = {("address",): "info@ours.example.net"}
    said = refused(changes, look=looking(dns, web))
    assert "IONOS takes the mail of ours.example.net (mx00.kundenserver.de). Is the mailbox there?" in said
    assert said.endswith("If so, say it: add --preset ionos")
    assert preset_of(changes, types("y\n"), look=looking(dns, web)) == "ionos"
    assert preset_of(changes, types("n\n"), look=looking(dns, web)) is None
    out = capsys.readouterr().out
    assert "the DNS says that they take the mail of ours.example.net" in out
    assert "Then name the servers yourself" in out


@pytest.mark.peer
def test_who_signs_in_at_the_provider_that_was_found_has_agreed(dns: Dns, web: Web) -> None:
    changes: Changes = {("address",): "info@tenant.example.net", ("oauth", "provider"): "microsoft"}
    assert preset_of(changes, look=looking(dns, web)) == "microsoft365"
    changes["oauth", "provider"] = "google"
    assert "add --preset microsoft365" in refused(changes, look=looking(dns, web))


@pytest.mark.peer
def test_servers_that_a_web_server_names_are_known(
    dns: Dns, web: Web, types: Callable[[str], Interview], capsys: pytest.CaptureFixture[str]
) -> None:
    own = server(hostname="mail.own.example.net", username="%EMAILLOCALPART%")
    box = server("pop3", port="995", hostname="mail.own.example.net")
    web.files[CONFIG] = (200, file(own, box, domain="own.example.net"))
    changes: Changes = {("address",): "info@own.example.net"}
    found = {"host": "mail.own.example.net", "security": "tls"}
    assert find_known(nobody(), changes, ASK, look=looking(dns, web)) == Known(
        servers={
            "smtp": {**found, "port": 465, "username": "info"},
            "pop3": {**found, "port": 995, "username": "info@own.example.net"},
        }
    )
    said = "SMTP: server mail.own.example.net, port 465 (tls), user name info; the web server of own.example.net says"
    assert said in capsys.readouterr().out
    for issuer in ("microsoft", "google"):
        named: Changes = {**changes, ("oauth", "provider"): issuer}
        assert f"--oauth {issuer}: mail.own.example.net is no server of" in refused(named, look=looking(dns, web))
    web.files[CONFIG] = (200, file(server(), domain="own.example.net"))
    refusal = refused(changes, look=looking(dns, web))
    assert "mail.example.com is not part of own.example.net. Is it your provider's?" in refusal
    assert "add --smtp-host mail.example.com --smtp-port 465 --smtp-security tls --smtp-username" in refusal
    assert find_known(types("y\n"), changes, ASK, look=looking(dns, web)).offered == ("smtp",)
    web.files[CONFIG] = (200, file(box, domain="own.example.net"))
    assert "none to send by: add --smtp-host HOST" in refused(changes, look=looking(dns, web))
    assert find_known(types(""), changes, ASK, look=looking(dns, web)).offered == ("pop3",)


@pytest.mark.peer
def test_thunderbirds_database_is_asked_by_an_option_or_a_yes(
    dns: Dns, web: Web, types: Callable[[str], Interview], capsys: pytest.CaptureFixture[str]
) -> None:
    where = "live.thunderbird.net/autoconfig/v1.1/nothing.example.net"
    web.files[where] = (200, file(server(hostname="smtp.ionos.de"), domain="nothing.example.net"))
    changes: Changes = {("address",): "info@nothing.example.net"}
    assert "--ask-thunderbird" in refused(changes, look=looking(dns, web))
    assert find_known(types("n\n"), changes, ASK, look=looking(dns, web)) == Known()
    assert "Nothing is known of the provider" in capsys.readouterr().out
    assert web.asked == []
    person = types("y\n")
    assert preset_of(changes, person, look=looking(dns, web)) == "ionos"
    assert "Mozilla learns the name nothing.example.net" in capsys.readouterr().out
    known = find_known(nobody(), changes, Wishes(ask_database=True), look=looking(dns, web))
    assert known.preset is find_preset("ionos")
    assert web.asked == [where] * 2


def looked_up(person: Interview, found: Callable[[], Found]) -> list[bool]:
    """Ask for a provider and then for two things more, until "end"; return what each look-up was agreed to."""
    asked: list[bool] = []

    def look(_address: Address, agrees: Callable[[], bool]) -> Found:
        asked.append(agrees())
        return found()

    def questions() -> str:
        find_known(person, {("address",): "a@b.example"}, ASK, look=look)
        person.ask(Words("x", "x"), str, option="--x")
        return person.ask(Words("y", "y"), str, option="--y")

    assert person.conduct(questions) == "end"
    return asked


def test_a_provider_that_was_found_is_not_looked_up_twice(types: Callable[[str], Interview]) -> None:
    def found() -> Found:
        return Found(origin=Origin.DATABASE, preset=find_preset("ionos"))

    assert looked_up(types("n\n<\nn\n<\ny\nx\n<\nx\nend\n"), found) == [False, True]


def test_what_was_not_found_is_looked_up_anew_for_who_comes_back_to_that_question(
    types: Callable[[str], Interview],
) -> None:
    network = iter((Found(), Found(), Found(origin=Origin.EXCHANGER, preset=find_preset("ionos"))))
    person = types("n\nx\n<\nx\n<\n<\nn\n<\nn\n<\nn\nx\nend\n")
    assert looked_up(person, lambda: next(network)) == [False] * 3


def test_limits_and_filed_mail_are_said_of_a_preset() -> None:
    lines = {}
    for name in ("microsoft365", "hetzner"):
        preset = find_preset(name)
        assert preset is not None
        lines[name] = [words.en for words in describe_preset(preset)]
    assert "  Sent mail: put into the Sent folder by the provider itself" in lines["microsoft365"]
    assert not any("Sent mail" in line for line in lines["hetzner"])
