import click
import pytest
from click.testing import CliRunner

from relay.cli.account_owner import choose_owner
from relay.cli.interview import Interview
from tests.cli.conftest import Run

ANNA = {"name": "anna", "address": "anna@example.com"}
NOBODY = Interview("en", terminal=False)
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
    assert choose_owner(NOBODY, users, address, None) == owner


def test_at_a_terminal_the_owner_is_asked_for_until_it_is_a_user() -> None:
    with CliRunner().isolation(input="carl\nBert\n") as (out, *_):
        person = Interview("en", terminal=True)
        assert choose_owner(person, [ANNA, BERT], "sales@example.com", None) == "bert"
    assert "Who gets its mail: anna, bert" in out.getvalue().decode()


def test_without_a_terminal_the_names_are_said() -> None:
    third = {"name": "c\x1b", "address": "c@example.com"}
    for given, said in ((None, "is missing: Who gets its mail: anna, bert, c"), ("carl", "Please answer one of: anna")):
        with pytest.raises(click.UsageError, match=f"^--owner:? {said}"):
            choose_owner(NOBODY, [ANNA, BERT, third], "sales@example.com", given)
    assert choose_owner(NOBODY, [ANNA, BERT], "bert@example.com", "Anna") == "anna"


def test_an_account_of_an_office_with_two_names_its_owner_before_the_password(run: Run) -> None:
    assert run("user", "add", "bert", "--address", "bert@example.com").status == 0
    new = ("account", "add", "new", "--address", "new@example.com", "--preset", "ionos")
    said = run(*new, stdin="secret\n")
    assert (said.status, said.out) == (2, "")
    assert "--owner is missing: Who gets its mail: anna, bert" in said.err
    said = run(*new, "--owner", "carl", stdin="secret\n")
    assert (said.status, said.out) == (2, "")
    assert "--owner: Please answer one of: anna, bert" in said.err
    assert run(*new, "--owner", "bert", stdin="secret\n").status == 0
