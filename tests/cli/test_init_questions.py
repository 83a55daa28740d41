from pathlib import Path
from typing import Any

import click
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from relay.cli.init_questions import ask
from relay.cli.interview import Interview
from relay.first_steps.answers import Answers
from tests.cli.test_init_account import options

LONG = "en\nmail.office.lan\nanna\nanna@gmx.de\n"


def answer(
    typed: str,
    *,
    terminal: bool = True,
    before: str = "",
    **given: Any,  # noqa: ANN401 - of click
) -> tuple[Answers, str, str]:
    with CliRunner().isolation(input=typed) as (_, _, shown):
        person = Interview("en", terminal=terminal)
        rehearsed: list[Answers] = []
        answers, secret = person.conduct(
            lambda: ask(person, options(**given), Path("/x/relay.toml"), before, rehearsed.append)
        )
        assert [user.name for user in rehearsed[-1].users] == [user.name for user in answers.users]
        return answers, secret, shown.getvalue().decode()


def test_a_person_is_asked_for_everything_in_her_language() -> None:
    typed = (
        "fr\nde\nmail_x\nmail.buero.lan\nanna\nanna\nanna@gmx.de\nanna\nbert\nbert@gmx.de\n\n"
        "\n\narchiv@gmx.de\nx\n192.168.1.0/24\nmake\nsecret\nhers\nhers\n\n"
    )
    answers, secret, shown = answer(typed)
    assert (answers.language, answers.hostname) == ("de", "mail.buero.lan")
    assert [(user.name, user.address) for user in answers.users] == [("anna", "anna@gmx.de"), ("bert", "bert@gmx.de")]
    assert (answers.account.address, answers.account.owner, secret) == ("anna@gmx.de", "anna", "secret")
    assert (answers.archive, answers.networks) == (("archiv@gmx.de",), ("192.168.1.0/24",))
    assert answers.certificate is not None
    assert answers.certificate.certificate == ""
    hers, his = (user.password_hash for user in answers.users)
    assert hers is not None
    assert PasswordHasher().verify(hers, "hers")
    assert his is None
    for reason in ("fr", "ist kein Rechnername", "ist keine E-Mail-Adresse", "anna: gibt es schon", "x: ist kein Netz"):
        assert reason in shown


def test_enter_means_this_machine_alone_where_it_has_no_network_and_no_archive() -> None:
    answers, _, _ = answer(LONG + "\n\n\n\n-\nsecret\n")
    assert (answers.archive, answers.networks, answers.certificate) == ((), (), None)


def test_without_a_terminal_the_options_are_enough(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem", "his"):
        (tmp_path / name).write_text("password\n")
    answers, secret, shown = answer(
        "secret\n",
        terminal=False,
        hostname="mail.office.lan",
        user=("anna=anna@gmx.de", "bert=bert@gmx.de"),
        user_password_file=(f"bert={tmp_path / 'his'}",),
        address="anna@gmx.de",
        archive=("a@gmx.de", "b@gmx.de"),
        network=("192.168.1.0/24", "10.0.0.0/8"),
        listener_certificate="files",
        listener_certificate_file=str(tmp_path / "c.pem"),
        listener_key_file=str(tmp_path / "k.pem"),
    )
    assert secret == "secret"
    assert shown.startswith("The provider is GMX: ")  # and no question
    assert (answers.archive, answers.networks) == (("a@gmx.de", "b@gmx.de"), ("192.168.1.0/24", "10.0.0.0/8"))
    assert answers.certificate is not None
    assert answers.certificate.private_key == str(tmp_path / "k.pem")
    assert answers.users[1].password_hash is not None
    assert PasswordHasher().verify(answers.users[1].password_hash, "password")


@pytest.mark.parametrize(
    ("given", "before", "said"),
    [
        ({"hostname": "h.lan"}, "", "--user is missing"),
        ({"hostname": "h.lan", "user": ("anna",)}, "", "--user: anna: write a user as"),
        ({"hostname": "h.lan", "user": ("a=a@gmx.de", "A=a@gmx.de")}, "", "--user: A: can't be a short name|is there"),
        ({"hostname": "h_lan"}, "", "--hostname: h_lan"),
        ({"user": ("a=a@gmx.de",), "network": ("x",), "hostname": "h.lan", "address": "a@gmx.de"}, "", "--network: x"),
        (
            {"user": ("a=a@gmx.de",), "network": ("10.0.0.0/8",), "hostname": "h.lan", "address": "a@gmx.de"},
            "[[listener]]\nport = 25\n",
            "has a .*listener.* already",
        ),
        (
            {
                "user": ("a=a@gmx.de",),
                "hostname": "h.lan",
                "address": "a@gmx.de",
                "user_password_file": ("b=/dev/null",),
            },
            "",
            "there is no --user b",
        ),
        (
            {"user": ("a=a@gmx.de",), "hostname": "h.lan", "address": "a@gmx.de", "listener_certificate": "make"},
            "",
            "--listener-certificate: is for listeners that --network opens",
        ),
        (
            {
                "user": ("a=a@gmx.de",),
                "hostname": "h.lan",
                "address": "a@gmx.de",
                "network": ("10.0.0.0/8",),
                "listener_certificate": "make",
                "listener_key_file": "/dev/null",
            },
            "",
            "--listener-key-file: is for --listener-certificate files",
        ),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_named(given: dict[str, Any], before: str, said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        answer("secret\n", terminal=False, before=before, **given)


def test_users_of_the_file_are_enough() -> None:
    before = '[server]\nhostname = "h.lan"\n[[user]]\nname = "carl"\naddress = "carl@gmx.de"\n'
    answers, _, _ = answer("secret\n", terminal=False, before=before, address="carl@gmx.de")
    assert (answers.hostname, answers.users, answers.account.owner) == ("h.lan", (), "carl")


def test_a_file_of_a_certificate_means_that_there_is_one() -> None:
    given: dict[str, Any] = {
        "listener_certificate_file": "/dev/null",
        "listener_key_file": "/dev/null",
        "network": ("10.0.0.0/8",),
    }
    answers, _, _ = answer(LONG + "\n\n\n\n\nsecret\n\n", **given)
    assert answers.certificate is not None
    assert answers.certificate.private_key == "/dev/null"


def test_a_user_that_an_option_says_wrong_is_asked_for_as_a_pair() -> None:
    typed = LONG.replace("anna\nanna@gmx.de\n", "anna=anna@gmx.de\n") + "\n\n\n-\nsecret\n"
    answers, _, shown = answer(typed, user=("anna",))
    assert answers.users[0].address == "anna@gmx.de"
    assert "A user: short name and mail address" in shown


def test_who_types_a_sign_comes_to_the_question_before_and_what_was_right_is_not_asked_again() -> None:
    typed = "en\nmail.office.lan\nann\n<\nanna\n<\n<\n<\nde\nmail.buero.lan\nanna\nanna@gmx.de\n\n\n\n\n-\n"
    answers, secret, shown = answer(f"{typed}<\n-\nsecret\n")
    assert (answers.language, answers.hostname, secret) == ("de", "mail.buero.lan", "secret")
    assert [(one.name, one.address) for one in answers.users] == [("anna", "anna@gmx.de")]
    assert shown.count("The mail address of ann:") == 1
    assert shown.count("Die E-Mail-Adresse von anna:") == 1
    assert "< führt zur vorigen Frage" in shown


@pytest.mark.parametrize("file", ["anna=/none", "anna", "anna=/"])
def test_a_file_of_a_password_that_can_not_be_read_is_said_before_anything_is_asked(file: str) -> None:
    with pytest.raises(click.UsageError, match=r"--user-password-file: .*can't be read; write NAME=FILE"):
        answer("", user_password_file=(file,))
