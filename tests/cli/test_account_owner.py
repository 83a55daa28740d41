import os
import pty
import sys
from collections.abc import Iterator

import click
import pytest

from relay.cli.account_owner import choose_owner
from tests.cli.conftest import Run

ANNA = {"name": "anna", "address": "anna@example.com"}
BERT = {"name": "bert", "address": "bert@example.com", "aliases": ["Office@example.com"]}


@pytest.mark.parametrize(
    ("users", "address", "owner"),
    [
        ([ANNA, BERT], "Bert@example.com", "bert"),
        ([ANNA, BERT], "office@example.com", "bert"),
        ([ANNA], "sales@example.com", "anna"),
        ([], "sales@example.com", None),
    ],
)
def test_the_owner_that_goes_without_saying_is_not_asked_for(
    users: list[dict[str, object]], address: str, owner: str | None
) -> None:
    assert choose_owner(users, address) == owner


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a terminal; what is written here is typed there."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master
    os.close(master)


def test_at_a_terminal_the_owner_is_asked_for_until_it_is_a_user(keys: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(keys, b"carl\nBert\n")
    assert choose_owner([ANNA, BERT], "sales@example.com") == "bert"
    assert "Who gets its mail: anna, bert" in capsys.readouterr().out


def test_without_a_terminal_the_names_are_said_and_no_password_is_read() -> None:
    third = {"name": "c\x1b", "address": "c@example.com"}
    with pytest.raises(click.UsageError, match=r"^--owner is missing: anna, bert or c\\u001b: ") as caught:
        choose_owner([ANNA, BERT, third], "sales@example.com")
    assert "sales@example.com" in caught.value.message


def test_an_account_of_an_office_with_two_names_its_owner_before_the_password(run: Run) -> None:
    assert run("user", "add", "bert", "--address", "bert@example.com").status == 0
    new = ("account", "add", "new", "--address", "new@example.com", "--preset", "ionos")
    said = run(*new, stdin="secret\n")
    assert (said.status, said.out) == (2, "")
    assert "--owner is missing: anna or bert" in said.err
    assert run(*new, "--owner", "bert", stdin="secret\n").status == 0
