"""A file by which an account logs in and that is gone: whose trouble it is, and what makes it anew."""

from pathlib import Path
from typing import Any

import pytest

from relay.accounts.assertions import read_key_file
from relay.model.errors import CredentialError
from relay.model.reply import Reply
from relay.rules.answers.reading import explain
from relay.settings import ConfigurationError, load_settings
from relay.settings.login_sources import LENIENT, STRICT, Lenience, find_command, lenient_to
from relay.settings.secrets import read_secret
from tests.peers.relay_process import ANNA, make_account, write_config


@pytest.mark.parametrize(
    ("account", "key", "command"),
    [
        ({"smtp": {"password_file": "p"}}, "password_file", "--password"),
        ({"smtp": {"password_file": "p"}, "pop3": {"password_file": "p"}}, "password_file", "--password"),
        (
            {"smtp": {"password_file": "p"}, "pop3": {"password_file": "q"}},
            "password_file",
            "--password --pop3-password",
        ),
        (
            {"smtp": {"password": "", "username": "a"}, "pop3": {"password": "", "username": "b"}},
            "password",
            "--password --pop3-password",
        ),
        (
            {"smtp": {"password": "", "username": "a"}, "pop3": {"password": "", "username": "a"}},
            "password",
            "--password",
        ),
        ({"smtp": {}, "pop3": {"password_file": "q"}}, "password_file", "--pop3-password"),
        ({"oauth": {"client_secret_file": "q"}}, "client_secret_file", "--client-secret"),
        ({"oauth": {"private_key": "q"}}, "private_key", ""),
    ],
)
def test_the_command_asks_for_what_is_gone(account: dict[str, Any], key: str, command: str) -> None:
    found = find_command({"name": "the office", **account}, key)
    assert found == (f"relay account edit 'the office' {command}" if command else "")


def test_it_is_a_mistake_unless_it_may_be_gone(tmp_path: Path) -> None:
    account = make_account("sales", 9, smtp={"username": "u", "password_file": "gone"})
    path = write_config(tmp_path, accounts=[account], users=[ANNA])
    for strict in (Lenience(), Lenience([str(tmp_path / "other")])):
        with pytest.raises(ConfigurationError, match="No such file"):
            load_settings(path, lenience=strict)
    for lenient in (LENIENT, Lenience([str(tmp_path / "gone")])):
        (warning,) = load_settings(path, lenience=lenient).warnings
        assert warning == (
            f"relay.toml: account[sales].smtp.password_file: gone: there is no such file ({tmp_path}/gone): this"
            " account alone can't log in until it is there: relay account edit sales --password"
        )
    (tmp_path / "gone").write_text("")
    with pytest.raises(ConfigurationError, match="its first line is empty"):
        load_settings(path, lenience=LENIENT)


@pytest.mark.parametrize(
    ("server", "key", "strict", "reason"),
    [
        ({"password": ""}, "password", "is empty, as after a restore without secrets: relay account edit",
         "is empty, as after a restore without secrets"),
        ({"password_command": ["", ""]}, "password_command", "is empty",
         "is empty, as after a restore without secrets"),
        ({"password_command": ""}, "password_command", "is empty", "is empty, as after a restore without secrets"),
        ({"password_env": "NO_SUCH_VARIABLE"}, "password_env", "is not set: the unit reads it",
         "NO_SUCH_VARIABLE: this environment variable is not set"),
    ],
)  # fmt: skip
def test_an_empty_value_and_a_variable_that_is_not_set_are_like_a_file_that_is_gone(
    server: dict[str, Any], key: str, strict: str, reason: str, tmp_path: Path
) -> None:
    account = make_account("sales", 9, smtp={"username": "u", **server})
    path = write_config(tmp_path, accounts=[account], users=[ANNA])
    with pytest.raises(ConfigurationError, match=strict):
        load_settings(path, lenience=STRICT)
    assert load_settings(path, secrets=False).warnings == (), "who only reads needs no secrets"
    settings = load_settings(path, lenience=LENIENT)
    (warning,) = settings.warnings
    assert warning.startswith(f"relay.toml: account[sales].smtp.{key}: {reason}: this account alone can't log in")
    assert warning.endswith("relay account edit sales --password")
    assert load_settings(path, lenience=lenient_to(settings.login_sources)).warnings == (warning,)
    smtp = settings.directory.accounts[0].smtp
    assert smtp is not None
    with pytest.raises(CredentialError) as error:
        read_secret(smtp.password)
    assert error.value.permanent, "the account is paused, and told with the command"
    for language in ("en", "de"):
        words = explain(Reply(code=535, enhanced="5.7.8", text=str(error.value)), language, account="sales")
        assert words is not None
        assert "relay account edit sales --password" in words.advice
        assert ("/etc/relay/environment" in words.advice) is (key == "password_env"), "which a shell does not read"


def test_what_becomes_empty_is_a_mistake_of_the_change(tmp_path: Path) -> None:
    account = make_account("sales", 9, smtp={"username": "u", "password": "x"})
    other = make_account("info", 9, smtp={"username": "u", "password": ""})
    sources = load_settings(
        write_config(tmp_path, accounts=[account, other], users=[ANNA]), lenience=LENIENT
    ).login_sources
    account["smtp"]["password"] = ""
    with pytest.raises(ConfigurationError) as error:
        load_settings(write_config(tmp_path, accounts=[account, other], users=[ANNA]), lenience=lenient_to(sources))
    assert [line.split(": ")[1] for line in error.value.errors] == ["account[sales].smtp.password"]


def test_a_key_that_is_gone_is_its_accounts_trouble_with_the_place_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(CredentialError) as error:
        read_key_file(str(tmp_path / "gone"), "private_key")
    assert error.value.permanent
    words = explain(Reply(code=535, enhanced="5.7.8", text=str(error.value)), "en", account="sales")
    assert words is not None
    assert "relay account edit sales --private-key FILE" in words.advice
    with pytest.raises(CredentialError) as other:
        read_key_file(str(tmp_path), "private_key")
    assert not other.value.permanent


@pytest.mark.parametrize(("key", "option"), [("password", "--password"), ("client_secret", "--client-secret")])
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_pause_names_the_command(key: str, option: str, language: str) -> None:
    text = f"{key}_file /etc/relay/secrets/sales: can't be read: No such file or directory"
    words = explain(Reply(code=535, enhanced="5.7.8", text=text), language, account="sales")
    assert words is not None
    assert f"relay account edit sales {option}" in words.advice
