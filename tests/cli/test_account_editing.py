"""The account commands that change relay.toml, with and without a service."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.conftest import Run, change, serve
from tests.cli.test_init_terminal import terminal
from tests.editing.test_tables import changed_lines
from tests.peers.relay_process import ROOT

SMTP = ("--address", "new@example.com", "--smtp-host", "smtp.example")
ENTRA = (
    "--preset", "microsoft365", "--oauth", "microsoft", "--flow", "app", "--client-id", "x", "--tenant", "example.com",
)  # fmt: skip


def _account(config: Path, name: str) -> dict[str, Any]:
    return next(one for one in tomllib.loads(config.read_text())["account"] if one["name"] == name)


def test_an_account_is_added_with_its_password_in_a_file_of_its_own(run: Run, config: Path) -> None:
    before = config.read_text()
    said = run("account", "add", "new", *SMTP, "--pop3-host", "pop.example", stdin="geheim\n")
    assert (said.status, said.err) == (0, "")
    file = config.parent / "secrets" / "new"
    assert said.out == (
        f"new is in {config} now, and its password in {file}\n"
        "Collected mail stays at the provider for 14 days, so that no trial empties a mailbox (--pop3-leave)\n"
        f"The service is not running. Start it: systemctl start relay, or relay serve -c {config}\n"
        f"Try it: relay account test new -c {config}\n"
    )
    assert file.read_text() == "geheim\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "geheim" not in config.read_text()
    assert _account(config, "new") == {
        "name": "new", "address": "new@example.com", "owner": "anna",
        "smtp": {"host": "smtp.example", "username": "new@example.com", "password_file": str(file)},
        "pop3": {
            "host": "pop.example", "username": "new@example.com", "leave_on_server": "14 days",
            "password_file": str(file),
        },
    }  # fmt: skip
    assert all(line.startswith("+") for line in changed_lines(before, config.read_text()))


def test_a_running_service_takes_it_over_and_its_words_are_shown(run: Run, config: Path) -> None:
    with serve(config):
        said = run("account", "add", "new", *SMTP, "--no-login")
        assert (said.status, said.err) == (0, "")
        assert "The service has read the configuration anew.\n" in said.out
        assert "new" in {row["name"] for row in run("account", "list", "--json").json}
        assert run("account", "edit", "new", "--set", "excluded=true").status == 0
        assert {row["name"]: row["state"] for row in run("account", "list", "--json").json}["new"] == "excluded"
        assert run("account", "remove", "new").status == 0
        assert "new" not in {row["name"] for row in run("account", "list", "--json").json}


def test_each_mistake_is_named_and_nothing_is_left_of_what_was_refused(run: Run, config: Path) -> None:
    before = config.read_bytes()
    wrong = ("--set", "smtp.connections=0", "--set", "nam=1", "--set", "excluded=2")
    said = run("account", "add", "new", *SMTP, *wrong)  # and no password is read
    assert said.status == 2
    lines = said.err.splitlines()
    assert {line.split(": ")[1] for line in lines} == {
        "account[new].excluded", "account[new].smtp.connections", "account[new].nam", "nothing was changed",
    }  # fmt: skip
    assert said.out == ""
    assert config.read_bytes() == before
    assert not (config.parent / "secrets").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new",), "--address is missing"),
        (("new", "--address", "a@b.local"), "no provider is known for b.local"),
        (("new", "--address", "a@b.example", "--preset", "netcup"), "Add --preset netcup --smtp-host HOST"),
        (("new", *SMTP, "--flow", "device"), "--oauth is missing"),
        (("new", "--address", "@", *SMTP[2:]), "--address: @: is no mail address"),
        (("new", *SMTP, "--owner", "ann"), "--owner: Please answer one of: anna"),
        (("new", *SMTP, "--oauth", "google", "--client-id", "x", "--pop3-password"), "needs no password"),
        (("new", *SMTP, "--oauth", "google", "--client-id", "x"), "smtp.example is no server of Google"),
        (
            ("new", "--address", "a@gmail.com", "--oauth", "google", "--client-id", "x"),
            "Client secret of new: an empty password is none",
        ),
        (
            ("new", *SMTP, "--oauth", "custom", "--client-id", "x", "--flow", "app"),
            "--token-url is missing",
        ),
        (("new", *SMTP, "--secret-expires", "soon"), "must be a day such as 2027-06-30"),
        (("sales", *SMTP), "the account sales is there already"),
        (("new", *SMTP, "--set", "smtp.password=geheim"), "smtp.password is a secret"),
        (("new", *SMTP, "--set", "oauth.client_secret=geheim"), "oauth.client_secret is a secret"),
        (("new", *SMTP, "--set", "smtp.port"), "'smtp.port' has no value"),
        (("new", *SMTP, "--set", ".=1"), "'.' is no key"),
        (("new", *SMTP), "an empty password is none"),
    ],
)
def test_wrong_usage_changes_nothing(run: Run, config: Path, arguments: tuple[str, ...], said: str) -> None:
    before = config.read_bytes()
    found = run("account", "add", *arguments)
    assert found.status == 2
    assert said in found.err.replace("\n", " ")
    assert "geheim" not in found.err
    assert config.read_bytes() == before
    assert not (config.parent / "secrets").exists()


def test_a_name_that_is_there_already_is_edited_in_the_same_file(run: Run, config: Path) -> None:
    said = run("account", "add", "sales", *SMTP).err
    assert f"relay account edit sales -c {config}, or choose another name" in said


def test_an_address_and_a_password_are_enough(run: Run, config: Path) -> None:
    before = config.read_text()
    said = run("account", "add", "new", "--address", "anna@web.de", "--collect", stdin="geheim\n")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("The provider is WEB.DE: the domain web.de is theirs.\nPreset web.de: WEB.DE")
    file = str(config.parent / "secrets" / "new")
    assert _account(config, "new") == {
        "name": "new", "address": "anna@web.de", "preset": "web.de", "owner": "anna",
        "smtp": {"password_file": file}, "pop3": {"leave_on_server": "14 days", "password_file": file},
    }  # fmt: skip
    assert all(line.startswith("+") for line in changed_lines(before, config.read_text()))
    found = run("account", "list", "--json").json
    assert "smtp.web.de" in str([row for row in found if row["name"] == "new"])


def test_what_is_probably_not_meant_is_said_of_this_account_alone(run: Run) -> None:
    said = run("account", "add", "new", "--address", "a@firma.example", "--preset", "microsoft365", stdin="x\n")
    (warning,) = [line for line in said.out.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: relay.toml: account[new]: Microsoft takes passwords for sending until 2026-12")
    assert "relay account edit new --oauth microsoft" in warning
    run("account", "add", "web", "--address", "b@web.de", "--collect", stdin="x\n")
    said = run("account", "edit", "web", "--set", "pop3.interval=5 min")
    assert "warning: relay.toml: account[web].pop3.interval: " in said.out
    assert "WEB.DE refuses logins that come more often" in said.out
    assert "account[new]" not in said.out


def test_an_account_goes_back_to_a_password(run: Run, config: Path) -> None:
    sign_in = ("--oauth", "google", "--client-id", "1")
    assert run("account", "add", "b", "--address", "b@gmail.com", *sign_in, stdin="secret\n").status == 0
    said = run("account", "edit", "b", "--unset", "oauth", "--password", stdin="app\n")
    assert (said.status, said.err) == (0, "")
    account = _account(config, "b")
    assert "oauth" not in account
    assert Path(account["smtp"]["password_file"]).read_text() == "app\n"
    assert run("account", "add", "open", *SMTP, "--no-login").status == 0
    assert run("account", "edit", "open", "--password", stdin="now\n").status == 0
    assert _account(config, "open")["smtp"]["username"] == "new@example.com"


def test_a_mailbox_is_collected_later_with_the_login_that_is_there(run: Run, config: Path) -> None:
    said = run("account", "add", "new", "--address", "anna@web.de", stdin="geheim\n")
    assert f"Its mailbox is not collected; for that: relay account edit new -c {config} --collect\n" in said.out
    before = config.read_text()
    said = run("account", "edit", "new", "--collect")
    assert (said.status, said.err) == (0, "")
    file = str(config.parent / "secrets" / "new")
    assert _account(config, "new")["pop3"] == {"leave_on_server": "14 days", "password_file": file}
    assert all(line.startswith("+") for line in changed_lines(before, config.read_text()))
    assert "say what is to change" in run("account", "edit", "new", "--collect").err
    run("account", "add", "apart", *SMTP, "--smtp-username", "me", stdin="one\n")
    arguments = ("--pop3-host", "pop.example", "--pop3-leave", "3 days", "--pop3-username", "box")
    assert run("account", "edit", "apart", *arguments, "--pop3-password", stdin="two\n").status == 0
    mailbox = _account(config, "apart")["pop3"]
    assert Path(mailbox.pop("password_file")).read_text() == "two\n"
    assert mailbox == {"host": "pop.example", "leave_on_server": "3 days", "username": "box"}


def test_an_account_that_signs_in_is_added_and_what_comes_next_is_said(run: Run, config: Path) -> None:
    arguments = ("--address", "sales@firma.example", "--preset", "microsoft365", "--collect", "--oauth", "microsoft")
    more = ("--client-id", "0-0", "--tenant", "firma.example", "--sign-in-as", "anna@firma.example")
    said = run("account", "add", "new mail", *arguments, *more)
    assert (said.status, said.err) == (0, "")
    assert "Password:" not in said.out
    assert said.out.endswith(
        f"Sign in: relay account authorize 'new mail' -c {config}\n"
        f"Then try it: relay account test 'new mail' -c {config}\n"
    )
    assert _account(config, "new mail") == {
        "name": "new mail", "address": "sales@firma.example", "preset": "microsoft365", "owner": "anna",
        "oauth": {
            "provider": "microsoft", "flow": "device", "client_id": "0-0", "tenant": "firma.example",
            "user": "anna@firma.example",
        },
        "smtp": {}, "pop3": {"leave_on_server": "14 days"},
    }  # fmt: skip
    assert not (config.parent / "secrets").exists()
    google = ("--address", "b@gmail.com", "--oauth", "google", "--client-id", "1", "--secret-expires", "2027-06-30")
    said = run("account", "add", "b", *google, stdin="GOCSPX\n")
    assert (said.status, said.err) == (0, "")
    file = config.parent / "secrets" / "b.client"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("GOCSPX\n", 0o600)
    assert _account(config, "b")["oauth"]["client_secret_file"] == str(file)
    assert f"b is in {config} now, and the client's secret in {file}\n" in said.out
    assert "Google refuses its device login" in run("account", "edit", "b", "--flow", "device").err.replace("\n", " ")
    assert f"Its client secret is still in {file}" in run("account", "remove", "b").out


def test_an_account_signs_in_from_now_on_and_its_passwords_are_no_longer_named(run: Run, config: Path) -> None:
    microsoft = ("--address", "a@firma.example", "--preset", "microsoft365")
    run("account", "add", "new", *microsoft, stdin="old\n")
    file = config.parent / "secrets" / "new"
    arguments = ("--oauth", "microsoft", "--client-id", "0-0")
    assert "leave it away" in run("account", "edit", "new", *arguments, "--password", stdin="x\n").err
    said = run("account", "edit", "new", *arguments, "--collect")
    assert (said.status, said.err) == (0, "")
    account = _account(config, "new")
    assert (account["smtp"], account["pop3"]) == ({}, {"leave_on_server": "14 days"})
    assert account["oauth"] == {"provider": "microsoft", "flow": "device", "client_id": "0-0"}
    assert f"Its old password is still in {file}: remove that" in said.out
    assert f"Sign in: relay account authorize new -c {config}\n" in said.out


@pytest.mark.parametrize("name", ['a "q" b', "it's", "a.b.c", "Büro ☎", "#h", "[x]", '"""'])
def test_a_name_may_hold_what_toml_writes_otherwise(run: Run, config: Path, name: str) -> None:
    before = config.read_bytes()
    assert run("account", "add", name, *SMTP, stdin="x\n").status == 0
    assert Path(_account(config, name)["smtp"]["password_file"]).read_text() == "x\n"
    assert run("account", "edit", name, "--set", "excluded=true").status == 0
    assert _account(config, name)["excluded"] is True
    assert run("account", "remove", name).status == 0
    assert config.read_bytes() == before


@pytest.mark.parametrize("name", ["../x", "a\\b", "-x", "", " ", "x\ny", "\u202ex"])
def test_a_name_that_is_none_is_said(run: Run, config: Path, name: str) -> None:
    before = config.read_bytes()
    for command in (("add", *SMTP), ("edit", "--set", "excluded=true"), ("remove",)):
        said = run("account", *command, "-c", str(config), "--", name, stdin="x\n", config_file=None)
        assert said.status in (1, 2)
        assert said.out == ""
    assert config.read_bytes() == before
    assert not (config.parent / "secrets").exists()


def test_in_a_configuration_that_has_no_account_yet_none_can_be_changed(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "first.toml"
    config.write_text(
        '[server]\nhostname = "h.example"\npostmaster = "anna"\n[[user]]\nname = "anna"\naddress = "a@b.example"\n'
    )
    for command in (("edit", "sales", "--set", "excluded=true"), ("remove", "sales")):
        said = run("account", *command, config_file=config)
        assert (said.status, said.err) == (1, "there is no account 'sales'; there are: none\n")
    assert run("account", "add", "sales", *SMTP, stdin="x\n", config_file=config).status == 0


def test_other_places_of_a_password(run: Run, config: Path) -> None:
    assert run("account", "add", "a", *SMTP, "--password-in-configuration", stdin="x\n").status == 0
    assert _account(config, "a")["smtp"]["password"] == "x"
    file = config.with_name("given")
    file.write_text("y\n")
    assert run("account", "add", "b", "--address", "b@b.example", *SMTP[2:], "--password-file", str(file)).status == 0
    assert _account(config, "b")["smtp"]["password_file"] == str(file)
    arguments = ("--address", "c@b.example", *SMTP[2:], "--pop3-host", "p.example", "--pop3-password")
    assert run("account", "add", "c", *arguments, stdin="one\ntwo\n").status == 0
    account = _account(config, "c")
    passwords = [Path(account[server]["password_file"]).read_text() for server in ("smtp", "pop3")]
    assert passwords == ["one\n", "two\n"]
    environment = ("--set", "smtp.password_env=PATH", "--smtp-port", "465", "--pop3-leave", "3 days")
    assert run("account", "add", "d", "--address", "d@b.example", *SMTP[2:], *environment).status == 2  # no pop3.host
    assert run("account", "add", "d", "--address", "d@b.example", *SMTP[2:], *environment[:4]).status == 0
    assert _account(config, "d")["smtp"] == {
        "host": "smtp.example", "port": 465, "security": "tls", "username": "d@b.example", "password_env": "PATH",
    }  # fmt: skip


def test_an_edit_changes_its_lines_alone(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "relay.toml"
    config.write_text((ROOT / "config" / "relay.example.toml").read_text())
    before = config.read_text()
    note = "              # the name that rules 2 and 3 write; default: the name that the mail had"
    edited = run("account", "edit", "sales", "--display-name", "Sales", "--smtp-port", "465", config_file=config)
    assert (edited.status, edited.err) == (0, "")
    assert changed_lines(before, config.read_text()) == [
        f'-display_name = "Example Sales"{note}',
        f'+display_name = "Sales"{note}',
        "-port = 587",
        '-security = "starttls"                       # "tls" (port 465), "starttls" (587), "none" (25)',
        "+port = 465",
        '+security = "tls"                       # "tls" (port 465), "starttls" (587), "none" (25)',
    ]
    said = run("account", "edit", "sales", "--smtp-port", "465", config_file=config)
    assert (said.status, said.out) == (0, f"sales is so in {config} already\n")
    back = ("--display-name", "Example Sales", "--smtp-port", "587")
    assert run("account", "edit", "sales", *back, config_file=config).status == 0
    assert config.read_text() == before
    assert run("account", "edit", "sales", "--unset", "pop3", config_file=config).status == 0
    assert "pop3" not in _account(config, "sales")


def test_an_edit_that_says_nothing_or_renames_is_wrong_usage(run: Run) -> None:
    assert "say what is to change" in run("account", "edit", "sales").err
    assert "by its name an account's mail is known" in run("account", "edit", "sales", "--set", "name=x").err.replace(
        "\n", " "
    )
    said = run("account", "edit", "sale", "--set", "excluded=true")
    assert (said.status, said.err) == (1, "there is no account 'sale'; did you mean 'sales'?\n")
    assert "no server that wants this password" in run("account", "edit", "sales", "--pop3-password").err


def test_another_client_secret_takes_the_place_of_the_old_one(run: Run, config: Path) -> None:
    assert run("account", "add", "new", *SMTP[:2], *ENTRA, stdin="old\n").status == 0
    file = config.parent / "secrets" / "new.client"
    said = run("account", "edit", "new", "--secret-expires", "2028-01-01", stdin="other\n")
    assert said.status == 0
    another = f"relay account edit new -c {config} --client-secret"
    assert f"The secret itself stays as it is; for another one: {another}\n" in said.out
    assert file.read_text() == "old\n"
    said = run("account", "edit", "new", "--client-secret", "--secret-expires", "2029-01-01", stdin="other\n")
    assert (said.status, said.err) == (0, "")
    assert f"the client's secret is in {file}\n" in said.out
    assert file.read_text() == "other\n"
    assert str(_account(config, "new")["oauth"]["secret_expires"]) == "2029-01-01"
    file.unlink()
    assert run("account", "edit", "new", "--client-secret", stdin="third\n").status == 0
    assert file.read_text() == "third\n"


@pytest.mark.parametrize(
    ("account", "option", "said"),
    [
        ("sales", ("--client-secret",), "sales logs in by a password, and has no client secret"),
        ("new", ("--password",), "another secret of the client: `relay account edit new --client-secret`"),
        ("new", ("--client-secret", "--client-secret-file", "f"), "give either --client-secret"),
    ],
)
def test_what_an_account_does_not_log_in_by_is_not_asked_for(
    run: Run, config: Path, account: str, option: tuple[str, ...], said: str
) -> None:
    assert run("account", "add", "new", *SMTP[:2], *ENTRA, stdin="old\n").status == 0
    before = config.read_bytes()
    found = run("account", "edit", account, *option, stdin="x\n")
    assert found.status == 2
    assert said in " ".join(found.err.split())
    assert config.read_bytes() == before


def test_another_password_takes_the_place_of_the_old_one(run: Run, config: Path) -> None:
    run("account", "add", "new", *SMTP, "--pop3-host", "pop.example", stdin="old\n")
    before, file = config.read_bytes(), config.parent / "secrets" / "new"
    said = run("account", "edit", "new", "--password", stdin="other\n")
    assert (said.status, said.out.splitlines()[0]) == (0, f"new is changed in {config}; the new password is in {file}")
    assert (file.read_text(), config.read_bytes()) == ("other\n", before)
    # One that others use as well, or that stood in the configuration, gets a file of its own.
    assert run("account", "edit", "new", "--pop3-password", stdin="third\n").status == 0
    assert file.read_text() == "other\n"
    assert Path(_account(config, "new")["pop3"]["password_file"]).read_text() == "third\n"
    assert run("account", "edit", "new", "--password", "--password-in-configuration", stdin="in\n").status == 0
    assert _account(config, "new")["smtp"]["password"] == "in"
    assert run("account", "edit", "new", "--password", stdin="out\n").status == 0
    assert "password" not in _account(config, "new")["smtp"]


def test_mail_that_still_waits_is_said_before_an_account_goes(run: Run, config: Path, queued: list[str]) -> None:
    assert queued
    said = run("account", "remove", "sales")
    assert said.status == 2
    assert "2 mails still wait for sales: add --yes" in said.err
    assert f"relay queue move --from-account sales --account OTHER -c {config}" in said.err.replace("\n", " ")
    change(config, "UPDATE delivery SET state = 'held'")
    assert "2 mails still wait" in run("account", "remove", "sales").err
    said = run("account", "remove", "sales", "--yes")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"sales is no longer in {config}\n")
    assert "sales" not in [one["name"] for one in tomllib.loads(config.read_text())["account"]]


def test_the_password_of_an_account_that_goes_is_named(run: Run, config: Path) -> None:
    before = config.read_bytes()
    run("account", "add", "new", *SMTP, stdin="old\n")
    said = run("account", "remove", "new")
    assert f"Its password is still in {config.parent / 'secrets' / 'new'}" in said.out
    assert config.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_beside_a_configuration_of_the_package_the_service_can_read_the_password(run: Run, config: Path) -> None:
    os.chown(config, 0, 54321)
    config.chmod(0o640)
    assert run("account", "add", "new", *SMTP, stdin="old\n").status == 0
    found = (config.parent / "secrets" / "new").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 54321, 0o640)
    assert (config.stat().st_gid, stat.S_IMODE(config.stat().st_mode)) == (54321, 0o640)


def test_a_custom_sign_in_is_added_by_options_and_what_is_missing_is_named_by_its_option(
    run: Run, config: Path
) -> None:
    before = config.read_bytes()
    custom = ("--oauth", "custom", "--client-id", "x", "--flow")
    said = run("account", "add", "new", *SMTP, *custom, "device")
    assert (said.status, said.out) == (2, "")
    assert [line.partition(": ")[0] for line in said.err.splitlines()] == [
        "--token-url is missing", "--device-url is missing", "relay.toml",
    ]  # fmt: skip
    assert config.read_bytes() == before
    urls = ("--token-url", "https://login.example/token", "--device-url", "https://login.example/device")
    scopes = ("--scope", "smtp", "--scope", "offline_access")
    said = run("account", "add", "new", *SMTP, *custom, "device", *urls, *scopes)
    assert (said.status, said.err) == (0, "")
    assert _account(config, "new")["oauth"] == {
        "provider": "custom", "flow": "device", "client_id": "x", "token_url": urls[1], "device_url": urls[3],
        "scopes": ["smtp", "offline_access"],
    }  # fmt: skip
    page = "https://login.example/authorize"
    assert "--authorize-url is missing: " in run("account", "edit", "new", "--flow", "browser").err
    assert run("account", "edit", "new", "--flow", "browser", "--authorize-url", page).status == 0
    assert _account(config, "new")["oauth"]["authorize_url"] == page
    said = run("account", "edit", "new", "--flow", "app")
    assert said.status == 2
    assert said.err.startswith("--client-secret-file is missing: an app proves itself by client_secret_file")


def test_the_authority_of_its_servers_is_named_for_those_that_it_has(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = config.parent / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    monkeypatch.chdir(config.parent)
    assert run("account", "add", "new", *SMTP, "--no-login", "--ca-file", "authority.pem").status == 0
    assert _account(config, "new")["smtp"]["ca_file"] == str(authority)
    box = ("--pop3-host", "pop.example", "--pop3-username", "box", "--pop3-password")
    assert run("account", "edit", "new", *box, "--ca-file", str(authority), stdin="x\n").status == 0
    assert _account(config, "new")["pop3"]["ca_file"] == str(authority)
    assert run("account", "edit", "new", "--unset", "smtp.ca_file", "--unset", "pop3.ca_file").status == 0
    assert run("account", "edit", "new", "--ca-file", "authority.pem").status == 0
    account = _account(config, "new")
    assert (account["smtp"]["ca_file"], account["pop3"]["ca_file"]) == (str(authority), str(authority))
    said = run("account", "edit", "new", "--ca-file", "nowhere.pem")
    assert said.status == 2
    assert "nowhere.pem" in said.err
    assert "inbox has no server" in run("account", "edit", "inbox", "--ca-file", "authority.pem").err


@pytest.mark.peer
def test_at_a_terminal_the_way_leads_back_from_each_question_to_the_one_before(config: Path) -> None:
    words = ("account", "add", "shop", "--preset", "gmx")
    with terminal(config, words=words) as person:
        person.answer("The address whose mailbox", "wrong@gmx.de")
        person.answer("Shall mail be collected", "<")
        person.answer("The address whose mailbox", "shop@gmx.de")
        person.answer("Shall mail be collected", "n")
        person.answer("Password of shop", "<")
        person.answer("Shall mail be collected", "y")
        person.answer("Password of shop", "geheim")
        person.read("Try it: relay account test shop")
        assert person.process.wait(20) == 0
    made = _account(config, "shop")
    assert (made["address"], "pop3" in made) == ("shop@gmx.de", True)
    assert (config.parent / "secrets" / "shop").read_text() == "geheim\n"


@pytest.mark.peer
@pytest.mark.parametrize(
    "words",
    [("account", "add", "shop", "--preset", "gmx", "--address", "s@gmx.de", "--no-collect"),
     ("account", "edit", "sales", "--password")],
)  # fmt: skip
def test_who_ends_it_at_the_secret_is_told_that_nothing_was_written(config: Path, words: tuple[str, ...]) -> None:
    before = config.read_bytes()
    with terminal(config, words=words) as person:
        person.read(f"assword of {words[2]}: ")
        person.press(b"\x03", "Nothing was written.")
        assert person.process.wait(20) == 1
        assert "Aborted" not in person.shown
    assert config.read_bytes() == before
    assert not (config.parent / "secrets").exists()


@pytest.mark.peer
def test_where_one_secret_alone_is_asked_for_nothing_leads_back(config: Path) -> None:
    before = config.read_bytes()
    with terminal(config, words=("account", "edit", "sales", "--password")) as person:
        person.answer("New password of sales", "<")
        person.read("there is no question before it to which < could lead back")
        assert person.process.wait(20) == 2
    assert config.read_bytes() == before
