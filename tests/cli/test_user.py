import json
import re
import tomllib
from pathlib import Path

from relay.auth import PasswordChecker
from relay.model.account import Directory, User
from relay.model.address import Address
from relay.settings import load_settings
from tests.cli.conftest import Run


async def test_the_hash_is_one_that_the_service_takes(run: Run) -> None:
    said = run("user", "password", stdin="correct horse\n", config_file=None)
    assert said.status == 0
    found = re.fullmatch(r'password_hash = "(\$argon2id\$.*)"\n', said.out)
    assert found is not None
    anna = User(name="anna", address=Address(local="anna", domain="example.com"), password_hash=found[1])
    checker = PasswordChecker(lambda: Directory(users=(anna,)))
    assert await checker.check("anna", "correct horse") == "anna"


def test_an_empty_password_is_wrong_usage(run: Run) -> None:
    said = run("user", "password", stdin="\n", config_file=None)
    assert said.status == 2
    assert said.out == ""


def test_a_user_is_added_and_removed(run: Run, config: Path) -> None:
    before = config.read_bytes()
    said = run(
        "user", "add", "bert", "--address", "bert@example.com", "--alias", "b@example.com", "--password", stdin="x\n"
    )
    assert (said.status, said.err) == (0, "")
    bert = tomllib.loads(config.read_text())["user"][-1]
    assert bert.pop("password_hash").startswith("$argon2id$")
    assert bert == {"name": "bert", "address": "bert@example.com", "aliases": ["b@example.com"]}
    said = run("user", "remove", "bert")
    assert said.out.startswith(f"bert is no longer in {config}\n")
    assert config.read_bytes() == before
    assert "--address is missing" in run("user", "add", "bert").err
    assert "the user anna is there already" in run("user", "add", "anna", "--address", "a@b.example").err


def test_a_user_whom_others_need_stays_and_each_of_them_is_named(run: Run, config: Path) -> None:
    run("user", "add", "bert", "--address", "bert@example.com")
    before = config.read_bytes()
    said = run("user", "remove", "anna")
    assert said.status == 2
    first, *lines = said.err.splitlines()
    assert first == "user anna can't be removed as long as relay.toml needs it:"
    assert [line.split(": ")[1] for line in lines] == [
        "server.postmaster", "listener[1].default_user",
        "account[sales].owner", "account[old].owner", "account[inbox].owner", "nothing was changed",
    ]  # fmt: skip
    assert config.read_bytes() == before


async def test_a_user_gets_another_password(run: Run, config: Path) -> None:
    said = run("user", "password", "anna", stdin="correct horse\n")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"anna has another password in {config}\n")
    checker = PasswordChecker(lambda: load_settings(config).directory)
    assert await checker.check("anna", "correct horse") == "anna"
    assert run("user", "password", "ana", stdin="x\n").err == "there is no user 'ana'; did you mean 'anna'?\n"


def test_an_inbox_stays_where_its_user_goes(run: Run, config: Path) -> None:
    run("user", "add", "bert", "--address", "bert@example.com")
    (config.parent / "inboxes" / "bert").mkdir(parents=True)
    assert (
        f"The inbox stays where it is, with all mail in it: {config.parent}/inboxes/bert\n"
        in run("user", "remove", "bert").out
    )


def test_users_are_listed_without_their_passwords(run: Run, config: Path) -> None:
    run("user", "add", "bert", "--address", "b@example.com", "--alias", "c@example.com", "--password", stdin="x\n")
    said = run("user", "list")
    assert (said.status, said.err) == (0, "")
    anna, bert = said.out.splitlines()[1:]
    assert anna.split() == ["anna", "(postmaster)", "anna@example.com", "no", "a.schmidt@example.com"]
    assert bert.split() == ["bert", "b@example.com", "yes", "c@example.com"]
    listed = json.loads(run("user", "list", "--json").out)
    assert [one["name"] for one in listed] == ["anna", "bert"]
    assert listed[1] == {
        "name": "bert", "address": "b@example.com", "aliases": ["c@example.com"], "has_password": True,
        "notify": None, "is_postmaster": False,
    }  # fmt: skip
    assert "argon2" not in said.out + str(listed)
    assert config.exists()
