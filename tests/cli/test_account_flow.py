from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner

from relay.cli.account_flow import Chosen, choose_account
from relay.cli.account_options import Changes
from relay.cli.interview import Interview
from relay.cli.provider import Wishes
from relay.model.address import Address
from relay.presets.finding import Found, Origin
from relay.presets.preset import Words
from tests.cli.test_init_account import by_autoconfig

KEPT = {"leave_on_server": "14 days"}


def changes(**keys: object) -> Changes:
    """Give keys of the account's table, each named as its option is."""
    return {("address",): "a@b.example"} | {tuple(key.split("_", 1)): value for key, value in keys.items()}


def choose(given: Changes, typed: str | None = None, *, found: Found | None = None, **wishes: Any) -> Chosen:  # noqa: ANN401 - of Wishes

    def look(_address: Address, _agrees: Callable[[], bool]) -> Found:
        assert found is not None
        return found

    with CliRunner().isolation(input=typed):
        return choose_account(Interview("en", terminal=typed is not None), given, Wishes(**wishes), look=look)


def table(given: Changes, typed: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of `choose`
    return choose(given, typed, **more).table


def test_of_hosts_that_are_written_nothing_is_asked() -> None:
    for typed in (None, ""):
        chosen = choose(changes(smtp_host="s.example"), typed)
        assert chosen.table == {"address": "a@b.example", "smtp": {"host": "s.example", "username": "a@b.example"}}
        assert chosen.logins == ("smtp",)
    assert table(changes(pop3_host="p.example")) == {
        "address": "a@b.example", "pop3": {"host": "p.example", "username": "a@b.example", **KEPT},
    }  # fmt: skip
    with pytest.raises(click.UsageError, match="--pop3-host is missing"):
        choose(changes(smtp_host="s.example"), collect=True)


def test_a_server_that_wants_no_login_has_none() -> None:
    chosen = choose(changes(smtp_host="s", pop3_host="p"), no_login=True, ca_file="/ca")
    assert chosen.logins == ("pop3",)
    assert chosen.table["smtp"] == {"host": "s", "ca_file": "/ca"}
    assert chosen.table["pop3"] == {"host": "p", "username": "a@b.example", "ca_file": "/ca", **KEPT}


def test_without_a_login_there_is_no_user_name_whether_the_server_is_found_or_typed() -> None:
    found = choose(changes(), found=by_autoconfig(), no_login=True, collect=True)
    assert found.logins == ("pop3",)
    assert found.table["smtp"] == {"host": "smtp.example.com", "port": 465, "security": "tls"}
    assert found.table["pop3"]["username"] == "login"
    typed = choose(changes(), "smtp.office.lan\n25\n", found=Found(), no_login=True)
    assert typed.logins == ()
    assert typed.table["smtp"] == {"host": "smtp.office.lan", "port": 25}
    asked = Found(origin=Origin.AUTOCONFIG, servers=by_autoconfig().servers, confirm=(Words("Is it?", "Ist es so?"),))
    with pytest.raises(click.UsageError, match=r"add --smtp-host \S+ --smtp-port 465 --smtp-security tls --pop3-host"):
        choose(changes(), found=asked, no_login=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"smtp_host": "s", "smtp_username": "hers"}, "--smtp-username: with --no-login there is no user name"),
        ({"preset": "ionos"}, "--no-login: IONOS wants a login to send"),
    ],
)
def test_without_a_login_what_would_log_in_is_refused(given: dict[str, str], said: str) -> None:
    keys = {name: value for name, value in given.items() if name != "preset"}
    named = preset(given["preset"], **keys) if "preset" in given else changes(**keys)
    with pytest.raises(click.UsageError, match=said):
        choose(named, no_login=True)


def test_a_key_of_collecting_means_collecting() -> None:
    given = preset("ionos", pop3_leave_on_server="3 days")
    assert table(given)["pop3"] == {"leave_on_server": "3 days"}
    with pytest.raises(click.UsageError, match="--pop3-leave: with --no-collect nothing is collected"):
        choose(given, collect=False)


def preset(name: str, **keys: object) -> Changes:
    return changes(**keys) | {("preset",): name}


def test_whether_to_collect_is_asked_at_a_terminal_where_it_is_possible() -> None:
    assert "pop3" not in table(preset("ionos"))
    assert "pop3" in table(preset("ionos"), "y\n")
    assert "pop3" not in table(preset("ionos"), "\n")
    assert "pop3" in table(preset("ionos"), "\n", is_first=True)
    assert "pop3" in table(preset("ionos"), is_first=True)
    assert "pop3" not in table(preset("icloud"), "")
    with pytest.raises(click.UsageError, match=r"--collect: iCloud Mail \(Apple\) offers no POP3"):
        choose(preset("icloud"), collect=True)


def test_a_host_of_the_accounts_own_must_be_said_and_it_is_told_where_it_stands() -> None:
    with pytest.raises(click.UsageError) as caught:
        choose(preset("all-inkl"), collect=True)
    said = caught.value.message
    assert "At ALL-INKL.COM each account has a host of its own: it is in the KAS" in said
    assert said.endswith("Add --preset all-inkl --smtp-host HOST --pop3-host HOST (such as w0123456.kasserver.com)")
    hosts = {"smtp_host": "w0.kasserver.com", "pop3_host": "w0.kasserver.com"}
    assert table(preset("all-inkl", **hosts))["pop3"] == {"host": "w0.kasserver.com", **KEPT}
    typed = "w0.kasserver.com\nw1.kasserver.com\n"
    assert table(preset("all-inkl"), typed, collect=True)["pop3"]["host"] == "w1.kasserver.com"
    assert table(preset("all-inkl"), "w0.kasserver.com\n\n", collect=True)["pop3"]["host"] == "w0.kasserver.com"


def test_a_provider_that_takes_no_password_is_signed_in_to() -> None:
    with pytest.raises(click.UsageError, match="takes no password for POP3: add --oauth microsoft --client-id ID"):
        choose(preset("microsoft365"), collect=True)
    assert "oauth" not in table(preset("microsoft365"))
    signed = choose(preset("microsoft365"), "\n\nclient\n", collect=True)
    assert signed.table["oauth"] == {
        "provider": "microsoft", "flow": "device", "client_id": "client", "tenant": "b.example",
    }  # fmt: skip
    assert signed.logins == ()
    with pytest.raises(click.UsageError, match="--password-file: whoever signs in needs no password"):
        choose(preset("gmail", oauth_provider="google", oauth_client_id="x"), password="--password-file")


def test_a_shared_mailbox_keeps_its_own_name() -> None:
    """A password is that of one login; whoever signs in may read the mailbox of another."""
    given = {"smtp_host": "smtp.office365.com", "pop3_host": "outlook.office365.com", "smtp_username": "me"}
    assert table(changes(**given))["pop3"]["username"] == "me"
    signed = table(changes(**given, oauth_provider="microsoft", oauth_client_id="x"))
    assert "username" not in signed["pop3"]


def test_servers_that_were_found_are_written_out() -> None:
    found = by_autoconfig()
    given = changes(smtp_username="hers", smtp_port=587)
    assert table(given, found=found, collect=True) == {
        "address": "a@b.example",
        "smtp": {"host": "smtp.example.com", "port": 587, "username": "hers"},
        "pop3": {"host": "pop3.example.com", "port": 995, "security": "tls", "username": "hers", **KEPT},
    }
