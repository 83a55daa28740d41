import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from relay.cli.init import command
from relay.cli.init_account import ask_account, ask_secret, wants_secret
from relay.cli.interview import Interview
from relay.cli.provider import look_up
from relay.first_steps.answers import AccountAnswer
from relay.model.account import Security
from relay.model.address import Address
from relay.presets.finding import Found, FoundServer, Origin
from relay.presets.preset import Words, find_preset

ANNA = {"name": "anna", "address": "anna@example.com"}
BERT = {"name": "bert", "address": "bert@gmx.de"}


def options(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - of click
    """Give what click makes of these options and no other: an option's value by its words with _ between them."""
    words = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        else:
            words += [word for one in ([value] if isinstance(value, str) else value) for word in (option, one)]
    return command.make_context("init", words).params


def ask(
    typed: str,
    *,
    language: str = "en",
    users: Sequence[dict[str, str]] = (ANNA,),
    found: Found | None = None,
    **given: Any,  # noqa: ANN401 - of click
) -> tuple[AccountAnswer, str, str]:
    """Let a person answer; give the account, its secret, and what was shown."""
    with CliRunner().isolation(input=typed) as (_, _, shown):

        def look(_address: Address, agrees: Callable[[], bool]) -> Found:
            assert found is not None
            _ = found.origin or agrees()
            return found

        person = Interview(language, terminal=True)
        account = ask_account(person, options(**given), users, look=look_up if found is None else look)
        account, secret = ask_secret(person, account)
        return account, secret, shown.getvalue().decode()


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_provider_that_is_known_asks_for_little_and_says_much(language: str) -> None:
    preset = find_preset("gmx")
    assert preset is not None
    account, secret, shown = ask("anna@gmx.de\n\nsecret\n", language=language)
    assert (account.name, account.owner, account.preset, secret) == ("anna", "anna", "gmx", "secret")
    assert (account.sending, account.collecting, account.oauth) == ({}, {"leave_on_server": "14 days"}, None)
    assert "GMX" in shown
    switch_on = preset.switch_on
    assert switch_on is not None
    assert {"en": "Switch on first: ", "de": "Zuerst einschalten: "}[language] + switch_on.by(language) in shown
    assert {"en": "for 14 days", "de": "14 Tage"}[language] in shown
    assert {"en": "Which password: ", "de": "Welches Passwort: "}[language] in shown
    assert "secret" not in shown


def test_where_each_account_has_its_own_host_it_is_said_where_to_find_it() -> None:
    typed = "info@example.com\nw0123456.kasserver.com\ny\nw0123456.kasserver.com\nsecret\n"
    account, _, shown = ask(typed, preset="all-inkl")
    assert account.sending == {"host": "w0123456.kasserver.com"}
    assert account.collecting == {"host": "w0123456.kasserver.com", "leave_on_server": "14 days"}
    assert "each account has a server of its own: it is in the KAS" in shown


def test_of_an_unknown_provider_the_servers_are_asked_for() -> None:
    typed = "anna@office.lan\nsmtp.office.lan\n0\n465\nlogin\n\npop.office.lan\n110\n\nsecret\n"
    account, _, shown = ask(typed)
    assert account.preset is None
    assert account.sending == {"host": "smtp.office.lan", "port": 465, "security": "tls", "username": "login"}
    assert account.collecting == {
        "host": "pop.office.lan", "port": 110, "security": "starttls", "username": "login",
        "leave_on_server": "14 days",
    }  # fmt: skip
    assert "Nothing is known of the provider" in shown
    assert "0: is no port" in shown


def test_a_provider_without_pop3_is_not_collected() -> None:
    account, _, shown = ask("anna@icloud.com\nsecret\n")
    assert account.collecting is None
    assert "offers no POP3" in shown
    with pytest.raises(click.UsageError, match="--collect: iCloud"):
        ask("anna@icloud.com\n", collect=True)


def test_microsoft_365_is_signed_in_to() -> None:
    account, secret, shown = ask(
        "anna@example.com\ny\ndevice\n\nthe-client\n\n",
        preset="microsoft365",
        users=[ANNA, {"name": "b", "address": "b@example.com"}],
    )
    assert account.oauth == {
        "provider": "microsoft",
        "flow": "device",
        "tenant": "example.com",
        "client_id": "the-client",
    }
    assert secret == ""
    assert "takes no password here" in shown
    account, secret, _ = ask(
        "anna@example.com\ny\napp\ncontoso.example\nthe-client\nhush\n2027\n2027-06-30\n", preset="microsoft365"
    )
    assert account.oauth is not None
    assert (account.oauth["flow"], account.oauth["tenant"], secret) == ("app", "contoso.example", "hush")
    assert str(account.oauth["secret_expires"]) == "2027-06-30"


def test_where_both_are_possible_a_password_is_the_default() -> None:
    account, secret, _ = ask("anna@gmail.com\n\n\napp-password\n")
    assert (account.oauth, secret) == (None, "app-password")
    account, secret, _ = ask("anna@gmail.com\n\ny\nid\nhush\n\n")
    assert account.oauth == {"provider": "google", "flow": "browser", "client_id": "id"}
    assert secret == "hush"


def test_a_file_with_the_password_stays_where_it_is(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    file = tmp_path / "password"
    file.write_text("x\n")
    account, secret, _ = ask("anna@gmx.de\n\n", password_file=str(file))
    assert (account.sending["password_file"], secret) == (str(file), "")
    assert account.collecting is not None
    assert account.collecting["password_file"] == str(file)


def test_the_owner_is_whose_address_it_is_or_is_asked_for() -> None:
    users = [ANNA, BERT]
    assert ask("Bert@gmx.de\n\nsecret\n", users=users)[0].owner == "bert"
    account, _, shown = ask("info@gmx.de\ncarl\nbert\n\nsecret\n", users=users)
    assert account.owner == "bert"
    assert "anna, bert" in shown


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "--address is missing"),
        ({"address": "a@office.lan"}, "no provider is known for office.lan"),
        ({"address": "a@office.lan", "smtp_host": "h", "oauth": "custom"}, "--flow is missing"),
        ({"address": "a@office.lan", "smtp_host": "h", "oauth": "custom", "flow": "app"}, "--client-id is missing"),
        ({"address": "a@office.lan", "smtp_host": "h", "preset": "nobody"}, "--preset: nobody: .*known are .*ionos"),
        ({"address": "a@office.lan", "smtp_host": "h i"}, "--smtp-host: h i: is no server"),
        ({"address": "a@gmx.de", "owner": "carl"}, "--owner: Please answer one of: anna"),
        ({"address": "a@gmx.de"}, "--password-file is missing"),
        ({"address": "a@gmx.de", "password_file": "/none"}, "--password-file: /none: there is no such file"),
        ({"address": "a@outlook.com"}, "Outlook.com.* takes no password for SMTP and POP3: add --oauth microsoft"),
        (
            {"address": "a@gmail.com", "oauth": "google", "flow": "browser", "client_id": "c"},
            "--client-secret-file is missing",
        ),
    ],
)
def test_without_a_terminal_what_is_missing_is_named_with_its_option(given: dict[str, Any], missing: str) -> None:
    nobody = Interview("en", terminal=False)
    with CliRunner().isolation(input=""), pytest.raises(click.UsageError, match=f"^{missing}"):
        ask_secret(nobody, ask_account(nobody, options(**given), [ANNA]))


MINE = Words("IONOS takes the mail of example.com (mx). Is the mailbox there?", "IONOS ... Liegt das Postfach dort?")


def by_exchanger() -> Found:
    return Found(origin=Origin.EXCHANGER, preset=find_preset("ionos"), confirm=(MINE,))


def by_autoconfig() -> Found:
    servers = [
        FoundServer(kind=kind, host=f"{kind}.example.com", port=port, security=Security.TLS, username="login")
        for kind, port in (("smtp", 465), ("pop3", 995), ("imap", 993))
    ]
    return Found(origin=Origin.AUTOCONFIG, servers=tuple(servers))


def test_what_a_stranger_said_is_taken_once_the_person_agrees() -> None:
    account, _, shown = ask("anna@example.com\nperhaps\ny\n\nsecret\n", found=by_exchanger())
    assert account.preset == "ionos"
    assert shown.count(MINE.en) == 2
    typed = "anna@example.com\nn\nsmtp.office.lan\n\n\nn\nsecret\n"
    account, _, shown = ask(typed, found=by_exchanger())
    assert (account.preset, account.sending["host"], account.sending["port"]) == (None, "smtp.office.lan", 587)
    assert MINE.en in shown
    assert "Then name the servers yourself" in shown
    assert "Nothing is known" not in shown
    nobody = Interview("en", terminal=False)
    with pytest.raises(click.UsageError, match="If so, say it: add --preset ionos"):
        ask_account(nobody, options(address="a@example.com"), [ANNA], look=lambda _address, _agrees: by_exchanger())


def test_servers_that_the_domain_names_are_written_as_they_were_found() -> None:
    account, _, shown = ask("anna@example.com\n\nsecret\n", found=by_autoconfig())
    server = {"security": "tls", "username": "login"}
    assert account.sending == {"host": "smtp.example.com", "port": 465, **server}
    assert account.collecting == {"host": "pop3.example.com", "port": 995, **server, "leave_on_server": "14 days"}
    assert "SMTP: server smtp.example.com, port 465 (tls), user name login; the web server of example.com" in shown


def test_servers_that_the_domain_names_get_no_token_of_microsoft_or_google() -> None:
    for issuer in ("google", "microsoft"):
        with pytest.raises(click.UsageError, match=rf"--oauth {issuer}: smtp\.example\.com is no server of"):
            ask("anna@example.com\n\n\n\nclient\n\n", found=by_autoconfig(), oauth=issuer)


def test_thunderbirds_database_is_asked_only_if_the_person_agrees() -> None:
    asked = "Mozilla learns the name example.com"
    typed = "anna@example.com\ny\nsmtp.office.lan\n\n\nn\nsecret\n"
    assert asked in ask(typed, found=Found())[2]
    assert asked not in ask(typed.replace("y\n", "", 1), found=Found(), ask_thunderbird=False)[2]


def test_where_passwords_come_to_their_end_signing_in_is_what_enter_means() -> None:
    account, secret, shown = ask("anna@example.com\nn\n\n\n\nthe-client\n\n", preset="microsoft365")
    assert (account.collecting, secret) == (None, "")
    assert account.oauth is not None
    assert account.oauth["flow"] == "device"
    assert "Sign in with Microsoft 365 in a browser, in place of a password? [Y/n]" in shown
    with CliRunner().isolation(input="secret\n"):
        given = options(address="a@example.com", preset="microsoft365", collect=False)
        account = ask_account(Interview("en", terminal=False), given, [ANNA])
        assert ask_secret(Interview("en", terminal=False), account)[1] == "secret"


def test_an_apps_certificate_is_named_by_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("app.crt", "app.key"):
        (tmp_path / name).touch()
    account, secret, _ = ask(
        "anna@example.com\ny\n\nthe-client\n", preset="microsoft365", flow="app", certificate="app.crt",
        private_key="app.key",
    )  # fmt: skip
    assert account.oauth is not None
    assert (account.oauth["certificate"], account.oauth["private_key"]) == (
        str(tmp_path / "app.crt"),
        str(tmp_path / "app.key"),
    )
    assert secret == ""


def test_where_nothing_is_found_it_is_said_what_was_tried() -> None:
    tried = (Words("MX example.com: no known provider", "MX example.com: kein bekannter Anbieter"),)
    shown = ask("anna@example.com\nn\nsmtp.office.lan\n\n\nn\nsecret\n", language="de", found=Found(tried=tried))[2]
    assert "MX example.com: kein bekannter Anbieter\nZum Anbieter ist nichts bekannt" in shown


@pytest.mark.parametrize(
    ("given", "typed", "question"),
    [
        ({"preset": "nobody"}, "anna@gmx.de\ngmx\nn\nsecret\n", "Der Anbieter, etwa ionos oder gmx"),
        ({"name": "a/b"}, "anna@gmx.de\nanna\nn\nsecret\n", "Ein Name für dieses Konto, etwa vertrieb"),
        ({"smtp_host": "a b"}, "a@gmx.de\nh\nn\nsecret\n", "Der Server des Anbieters zum Senden (SMTP)"),
    ],
)
def test_what_an_option_says_wrong_is_asked_for_by_its_own_question(
    given: dict[str, Any], typed: str, question: str
) -> None:
    shown = ask(typed, language="de", **given)[2]
    assert question in shown
    assert "{" not in shown


def test_the_owner_that_is_named_is_the_owner() -> None:
    users = [ANNA, BERT]
    assert ask("bert@gmx.de\n\nsecret\n", users=users, owner="anna")[0].owner == "anna"


def test_what_is_still_to_be_asked_for_is_known() -> None:
    account = AccountAnswer(name="a", address="a@example.com", owner="anna")
    assert wants_secret(account)
    assert not wants_secret(account.with_secret_in("f"))
    assert not wants_secret(dataclasses.replace(account, oauth={"provider": "microsoft", "flow": "device"}))
    assert wants_secret(dataclasses.replace(account, oauth={"provider": "microsoft", "flow": "app"}))


def test_googles_app_password_loses_its_blanks() -> None:
    _, secret, shown = ask("anna@gmail.com\n\nn\nabcd efgh ijkl mnop\n", language="de")
    assert secret == "abcdefghijklmnop"
    assert "es wird ohne sie übernommen" in shown


def test_all_that_an_option_says_of_the_account_is_written() -> None:
    account, _, _ = ask("anna@gmx.de\nsecret\n", display_name="Anna", pop3_leave="3 days")
    assert (account.display_name, account.collecting) == ("Anna", {"leave_on_server": "3 days"})
