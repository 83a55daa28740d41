from typing import Any

import click
import pytest

from relay.presets.finding import Found
from tests.cli.test_init_account import ask, by_autoconfig

PRESET, FOUND, NEITHER = "preset", "found", "neither"
TYPED = {
    PRESET: "anna@gmx.de\n\nsecret\n",
    FOUND: "anna@example.com\n\nsecret\n",
    NEITHER: "anna@example.com\nsmtp.office.lan\n\n\n\npop.office.lan\n\n\nsecret\n",
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
LINES = {"smtp_host": 0, "smtp_port": 1, "smtp_username": 2, "pop3_host": 4, "pop3_port": 5, "pop3_username": 6}
"""Which of what is typed an option takes the place of where nothing is known."""


def typed_beside(option: str, known: str) -> str:
    """Return what a person types who gives this option."""
    address, *lines = TYPED[known].splitlines(keepends=True)
    if known == NEITHER:
        # who names a host names the rest of the server as well; nobody is asked whether to collect who names a mailbox
        taken = {"smtp_host": {0, 1, 2}, "pop3_host": {3, 4, 5, 6}}.get(option, {LINES.get(option)})
        taken |= {3} if option.startswith("pop3") else set()
        lines = [line for n, line in enumerate(lines) if n not in taken]
    elif option.startswith("pop3"):
        lines.pop(0)
    return address + "".join(lines)


@pytest.mark.parametrize("known", [PRESET, FOUND, NEITHER])
@pytest.mark.parametrize("option", OPTIONS)
def test_what_an_option_says_is_written_whatever_is_known(option: str, known: str) -> None:
    given, written = OPTIONS[option]
    found = {PRESET: None, FOUND: by_autoconfig(), NEITHER: Found()}[known]
    options: dict[str, Any] = {option: given, "ask_thunderbird": False}
    typed = typed_beside(option, known)
    if (option, known) == ("smtp_host", FOUND):  # nothing is looked up then
        typed = "anna@example.com\n\np.example\n\n\nsecret\n"
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
    for given in ({"smtp_port": "587"}, {"smtp_security": "starttls"}):  # the other one is the configuration's default
        assert not {"port": 465, "security": "tls"}.items() & server(**given).items()
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
        ({"preset": "icloud", "pop3_port": "995"}, "--pop3-port: iCloud.* offers no POP3 that is known"),
        ({"preset": "icloud", "collect": True}, "--collect: iCloud"),
    ],
)
def test_what_can_have_no_effect_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        ask("anna@gmx.de\n", **given)


@pytest.mark.parametrize(("option", "question"), [("pop3_port", "995 or 110"), ("smtp_port", "587 or 465")])
def test_a_wrong_port_is_asked_for_again_by_its_own_question(option: str, question: str) -> None:
    given: dict[str, Any] = {option: "99999"}
    shown = ask("anna@gmx.de\n2525\nsecret\n", collect=True, **given)[2]
    assert "99999: is no port" in shown
    assert f"({question})" in shown


def test_a_file_of_an_authority_is_for_all_its_servers() -> None:
    with pytest.raises(click.UsageError, match=r"^--ca-file: /none: there is no such file"):
        ask("", ca_file="/none")
    account, _, _ = ask("anna@gmx.de\nsecret\n", ca_file="/dev/null", collect=True)
    assert account.collecting is not None
    assert (account.sending["ca_file"], account.collecting["ca_file"]) == ("/dev/null", "/dev/null")
