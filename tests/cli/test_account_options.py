import datetime as dt
from pathlib import Path

import click
import pytest

from relay.cli.account_editing import add, edit
from relay.cli.account_options import KEYS, AbsoluteFile, Changes, Day, follow_port
from relay.cli.init import command as init


def test_a_file_is_named_as_it_is_seen_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert AbsoluteFile().convert("key.json", None, None) == str(tmp_path / "key.json")
    assert AbsoluteFile().convert("/etc/key.json", None, None) == "/etc/key.json"
    assert AbsoluteFile().convert("../key.json", None, None) == str(tmp_path.parent / "key.json")


def test_a_day_is_read() -> None:
    assert Day().convert("2027-06-30", None, None) == dt.date(2027, 6, 30)
    with pytest.raises(click.UsageError, match="such as 2027-06-30"):
        Day().convert("30.6.2027", None, None)


@pytest.mark.parametrize(
    ("before", "changes", "security"),
    [
        ({}, {("smtp", "port"): 465}, {("smtp", "security"): "tls"}),
        ({}, {("smtp", "port"): 587}, {}),
        ({"smtp": {"security": "tls"}}, {("smtp", "port"): 587}, {("smtp", "security"): "starttls"}),
        ({"smtp": {"security": "tls"}}, {("smtp", "port"): 2465}, {}),
        ({}, {("smtp", "port"): 465, ("smtp", "security"): "none"}, {}),
        ({}, {("pop3", "port"): 110}, {("pop3", "security"): "starttls"}),
        ({"pop3": {"security": "starttls"}}, {("pop3", "port"): 995}, {("pop3", "security"): "tls"}),
        ({}, {("smtp", "port"): None}, {}),
        ({}, {("smtp", "port"): [465]}, {}),
        ({}, {("smtp", "port"): "465"}, {}),
    ],
)
def test_security_goes_with_the_port(before: dict[str, object], changes: Changes, security: Changes) -> None:
    assert follow_port(before, changes) == changes | security


def test_each_command_that_says_what_an_account_is_has_all_options_of_the_table() -> None:
    for command in (add, edit, init):
        assert {key.variable for key in KEYS} <= {one.name for one in command.params}


def test_what_helps_with_an_account_that_is_there_promises_no_default() -> None:
    """What an option of `edit` does not say stays as it is."""
    context = edit.make_context("edit", ["x", "--password"])
    shown = edit.get_help(context).lower()
    assert "default:" in add.get_help(add.make_context("add", ["x"])).lower()
    assert shown.count("default:") == 1  # that of --config
