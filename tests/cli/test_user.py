import re

from relay.auth import PasswordChecker
from relay.model.account import Directory, User
from relay.model.address import Address
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
