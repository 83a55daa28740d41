"""Passwords of accounts as the commands place them; the commands themselves are tried in test_account_editing.py."""

import io
from pathlib import Path
from typing import Any

import pytest

from relay.cli.account_passwords import join_app_password, new_passwords, other_passwords, password_files

NOTHING = {"password_file": None, "pop3_password": False, "inside": False, "password": False, "client_secret": False}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "relay.toml"
    path.write_text("")
    return path


def content(_table: object) -> None:
    """Find nothing wrong."""


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_file_for_both_and_a_password_of_the_mailbox(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {"smtp": {}, "pop3": {}}
    types(monkeypatch, "box\n")
    options = {**NOTHING, "password_file": "mine", "pop3_password": True}
    monkeypatch.chdir(config.parent)
    with new_passwords(config, "new", values, options, ("smtp", "pop3"), content) as said:
        assert said == f", and its password in {config.parent / 'secrets' / 'new.pop3'}"
    assert values["smtp"] == {"password_file": str(config.parent / "mine")}
    assert Path(values["pop3"]["password_file"]).read_text() == "box\n"
    assert [*password_files(values)] == [values["smtp"]["password_file"], values["pop3"]["password_file"]]


def test_what_was_made_goes_where_the_change_fails(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, "one\ntwo\n")
    values: dict[str, Any] = {"smtp": {}, "oauth": {"provider": "google", "flow": "browser"}}

    def fail() -> None:
        with new_passwords(config, "new", values, NOTHING, ("smtp",), content):
            assert len([*(config.parent / "secrets").iterdir()]) == 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not (config.parent / "secrets").exists()


def test_a_server_that_has_its_login_is_not_asked_for(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, "")
    with new_passwords(config, "new", {"smtp": {"password_env": "X"}}, NOTHING, ("smtp",), content) as said:
        assert said == ""


def test_a_file_that_others_name_as_well_is_left_alone(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = config.parent / "shared"
    shared.write_text("old\n")
    account = '[[account]]\nname = "{}"\n[account.smtp]\npassword_file = "shared"\n'
    config.write_text(account.format("a") + account.format("b"))
    types(monkeypatch, "new\n")
    table = {"smtp": {"password_file": "shared"}}
    with other_passwords(config, "a", table, {**NOTHING, "password": True}, {}, content) as (changes, later, _):
        later()
    assert shared.read_text() == "old\n"
    assert Path(str(changes["smtp", "password_file"])).read_text() == "new\n"


@pytest.mark.parametrize("preset", ["gmail", "google"])
@pytest.mark.parametrize(
    "shown", ["abcd efgh ijkl mnop", " abcd efgh ijkl mnop ", "abcd\u00a0efgh\u00a0ijkl\u00a0mnop"]
)
def test_googles_app_password_is_taken_without_its_blanks(
    preset: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert join_app_password(shown, preset) == "abcdefghijklmnop"
    said = capsys.readouterr().out
    assert "without them" in said
    assert "abcd" not in said


@pytest.mark.parametrize(
    ("secret", "preset"), [("abcd efgh ijkl mnop", "ionos"), ("a b", "google"), ("abcd efgh ijkl mnop", None)]
)
def test_other_passwords_keep_their_blanks(secret: str, preset: str | None) -> None:
    assert join_app_password(secret, preset) == secret


def test_what_is_wrong_otherwise_is_said_before_a_secret_is_asked_for(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def refuse(table: object) -> None:
        seen.append(table)
        raise KeyError

    values: dict[str, Any] = {"smtp": {}, "oauth": {"provider": "google", "flow": "browser"}}
    types(monkeypatch, "")
    with pytest.raises(KeyError), new_passwords(config, "new", values, NOTHING, ("smtp",), refuse):
        pass
    assert seen == [
        {"smtp": {"password_file": "is asked for"}, "oauth": {**values["oauth"], "client_secret_file": "is asked for"}}
    ]
    assert values["smtp"] == {}
    table = {"smtp": {"password_env": "X"}}
    with pytest.raises(KeyError), other_passwords(config, "a", table, {**NOTHING, "password": True}, {}, refuse):
        pass
    assert seen[1] == {("smtp", "password_env"): None, ("smtp", "password_file"): "is asked for"}
    with new_passwords(config, "new", {"smtp": {"password_env": "X"}}, NOTHING, ("smtp",), refuse):
        pass  # nothing is asked: the change itself says what is wrong
