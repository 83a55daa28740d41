from typing import Any

import click
import pytest

from relay.presets.finding import Found
from tests.cli.test_init_account import ask, by_autoconfig

PRESET, FOUND, NEITHER = "preset", "found", "neither"
TYPED = {
    PRESET: "anna@gmx.de\n\nsecret\n",
    FOUND: "anna@example.com\n\nsecret\n",
    NEITHER: "anna@example.com\nsmtp.office.lan\n\n\n\npop.office.lan\nsecret\n",
}
OPTIONS = {
    "smtp_host": ("s.example", "s.example"),
    "smtp_port": ("25", 25),
    "smtp_security": ("none", "none"),
    "smtp_username": ("hers", "hers"),
    "pop3_host": ("p.example", "p.example"),
    "pop3_port": ("110", 110),
    "pop3_security": ("starttls", "starttls"),
    "pop3_username": ("hers", "hers"),
}
LINES = {"smtp_host": 0, "smtp_port": 1, "smtp_username": 2, "pop3_host": 4}
"""Which of what is typed an option takes the place of where nothing is known."""


def typed_beside(option: str, known: str) -> str:
    """Return what a person types who gives this option."""
    address, *lines = TYPED[known].splitlines(keepends=True)
    if known == NEITHER and option in LINES:
        lines.pop(LINES[option])
    if option.startswith("pop3"):  # nobody is asked whether to collect who names the mailbox
        lines.pop(-2 if known != NEITHER or option == "pop3_host" else -3)
    return address + "".join(lines)


@pytest.mark.parametrize("known", [PRESET, FOUND, NEITHER])
@pytest.mark.parametrize("option", OPTIONS)
def test_what_an_option_says_is_written_whatever_is_known(option: str, known: str) -> None:
    given, written = OPTIONS[option]
    found = {PRESET: None, FOUND: by_autoconfig(), NEITHER: Found()}[known]
    options: dict[str, Any] = {option: given, "ask_thunderbird": False}
    typed = typed_beside(option, known)
    if (option, known) == ("smtp_host", FOUND):  # nothing is looked up then
        typed = "anna@example.com\n\n\n\np.example\nsecret\n"
    if known == PRESET:
        options["preset"] = "gmx"
    account, secret, shown = ask(typed, found=found, **options)
    kind, _, key = option.partition("_")
    table = account.sending if kind == "smtp" else account.collecting
    assert table is not None
    assert table[key] == written
    assert secret == "secret"
    assert "{" not in shown


def test_who_says_the_port_or_the_security_need_not_say_the_other() -> None:
    def server(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - of click
        return {**ask(TYPED[FOUND], found=by_autoconfig(), **given)[0].sending}

    assert (server()["port"], server()["security"]) == (465, "tls")
    assert (server(smtp_port="587")["security"], server(smtp_security="starttls")["port"]) == ("starttls", 587)
    asked = ask("a@office.lan\nh\n\n\nn\nsecret\n", found=Found(), smtp_security="tls", ask_thunderbird=False)[0]
    assert (asked.sending["port"], asked.sending["security"]) == (465, "tls")


def test_all_that_is_said_of_a_server_is_written() -> None:
    given: dict[str, Any] = {"smtp_host": "s.example", "smtp_port": "465", "smtp_security": "none"}
    account, _, _ = ask("anna@gmx.de\n\nsecret\n", preset="gmx", **given)
    assert account.sending == {"host": "s.example", "port": 465, "security": "none"}


def test_a_user_name_for_sending_is_that_for_collecting_too() -> None:
    account, _, _ = ask("anna@gmx.de\n\nsecret\n", smtp_username="hers")
    assert account.collecting is not None
    assert (account.sending["username"], account.collecting["username"]) == ("hers", "hers")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"collect": False, "pop3_port": "995"}, "--pop3-port: with --no-collect nothing is collected"),
        ({"preset": "icloud", "pop3_host": "h"}, "--pop3-host: iCloud Mail offers no POP3|--pop3-host: iCloud"),
        ({"preset": "icloud", "collect": True}, "--collect: iCloud"),
    ],
)
def test_what_can_have_no_effect_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        ask("anna@gmx.de\n", **given)


@pytest.mark.parametrize(("option", "question"), [("pop3_port", "995 or 110"), ("smtp_port", "587 or 465")])
def test_a_wrong_port_is_asked_for_again_by_its_own_question(option: str, question: str) -> None:
    given: dict[str, Any] = {option: "many"}
    shown = ask("anna@gmx.de\n" + "2525\n" + "\nsecret\n" * 2, collect=True, **given)[2]
    assert "many: is no port" in shown
    assert f"({question})" in shown


def test_a_file_of_an_authority_that_is_not_there_is_asked_for_as_such() -> None:
    account, _, shown = ask("anna@gmx.de\n/dev/null\nsecret\n", ca_file="/none", collect=False)
    assert "The file with the authority that has signed" in shown
    assert account.sending == {"ca_file": "/dev/null"}
