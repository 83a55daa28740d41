"""A file by which an account logs in and that is gone: whose trouble it is, and what makes it anew."""

from pathlib import Path
from typing import Any

import pytest

from relay.model.reply import Reply
from relay.rules.answers.reading import explain
from relay.settings import ConfigurationError, load_settings
from relay.settings.account_files import LENIENT, Lenience, find_command
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
    for strict in (Lenience(), Lenience([tmp_path / "other"])):
        with pytest.raises(ConfigurationError, match="No such file"):
            load_settings(path, lenience=strict)
    for lenient in (LENIENT, Lenience([tmp_path / "gone"])):
        (warning,) = load_settings(path, lenience=lenient).warnings
        assert warning == (
            f"relay.toml: account[sales].smtp.password_file: gone: there is no such file ({tmp_path}/gone): this"
            " account alone can't log in until it is there: relay account edit sales --password"
        )
    (tmp_path / "gone").write_text("")
    with pytest.raises(ConfigurationError, match="its first line is empty"):
        load_settings(path, lenience=LENIENT)


@pytest.mark.parametrize(("key", "option"), [("password", "--password"), ("client_secret", "--client-secret")])
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_pause_names_the_command(key: str, option: str, language: str) -> None:
    text = f"{key}_file /etc/relay/secrets/sales: can't be read: No such file or directory"
    words = explain(Reply(code=535, enhanced="5.7.8", text=text), language, account="sales")
    assert words is not None
    assert f"relay account edit sales {option}" in words.advice
