import asyncio
from dataclasses import replace

import argon2
import pytest

from relay.auth import PasswordChecker, hash_password
from relay.model.account import Directory, User
from relay.model.address import Address

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANNA = User(
    name="anna",
    address=Address(local="anna", domain="example.com"),
    aliases=(Address(local="a.schmidt", domain="example.com"),),
    password_hash=QUICK.hash("right"),
)
BERT = User(name="bert", address=Address(local="bert", domain="example.com"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def checker() -> PasswordChecker:
    return PasswordChecker(lambda: Directory(users=(ANNA, BERT)))


@pytest.mark.parametrize("login", ["anna", "ANNA", "anna@example.com", "A.Schmidt@Example.com"])
async def test_a_login_is_the_name_or_an_address(checker: PasswordChecker, login: str) -> None:
    assert await checker.check(login, "right") == "anna"
    assert await checker.check(login, "wrong") is None


@pytest.mark.parametrize(
    ("login", "password"),
    [("bert", ""), ("bert", "right"), ("carl", "right"), ("", ""), ("anna", ""), ("anna", "x" * 5000)],
)
async def test_everything_else_is_wrong(checker: PasswordChecker, login: str, password: str) -> None:
    assert await checker.check(login, password) is None


async def test_a_right_password_is_remembered_for_a_while_and_not_after_it_was_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, current = Clock(), [Directory(users=(ANNA,))]
    checker = PasswordChecker(lambda: current[0], monotonic=clock)
    assert await checker.check("anna", "right") == "anna"
    # From now on argon2 says no to everything: what still is right was remembered.
    monkeypatch.setattr("relay.auth._hasher", _RefusingHasher)
    assert await checker.check("anna", "right") == "anna"
    assert await checker.check("anna", "wrong") is None
    current[0] = Directory(users=(replace(ANNA, password_hash=QUICK.hash("right")),))
    assert await checker.check("anna", "right") is None
    current[0] = Directory(users=(ANNA,))
    clock.now = 301
    assert await checker.check("anna", "right") is None


class _RefusingHasher(argon2.PasswordHasher):
    def verify(self, *_arguments: object) -> bool:  # type: ignore[override]
        raise argon2.exceptions.VerifyMismatchError


async def test_many_checks_at_once_all_get_their_answer(checker: PasswordChecker) -> None:
    passwords = ["right", "wrong"] * 10
    found = await asyncio.gather(*(checker.check("anna", password) for password in passwords))
    assert found == ["anna", None] * 10


def test_whether_anybody_has_a_password(checker: PasswordChecker) -> None:
    assert checker.has_passwords
    assert not PasswordChecker(lambda: Directory(users=(BERT,))).has_passwords


def test_a_hash_is_argon2id_of_the_recommended_cost_and_never_twice_the_same() -> None:
    first, second = hash_password("x"), hash_password("x")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_that_is_none_is_a_wrong_password() -> None:
    broken = User(name="anna", address=ANNA.address, password_hash="$argon2id$nonsense")
    assert await PasswordChecker(lambda: Directory(users=(broken,))).check("anna", "x") is None


class _CountingHasher(argon2.PasswordHasher):
    count = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002 - argon2's name
        self.count += 1
        return bool(super().verify(hash, password))


async def test_sessions_that_log_in_together_cost_no_more_hashes_than_run_at_once(
    checker: PasswordChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = _CountingHasher()
    monkeypatch.setattr("relay.auth._hasher", lambda: hasher)
    assert await asyncio.gather(*(checker.check("anna", "right") for _ in range(20))) == ["anna"] * 20
    assert hasher.count <= 2


async def test_all_ways_to_write_a_login_are_counted_as_one(checker: PasswordChecker) -> None:
    assert {checker.name_of(login) for login in ("anna", "ANNA", "A.Schmidt@Example.com")} == {"anna"}
    assert checker.name_of("Nobody") == "nobody"
    assert len(checker.name_of("x" * 100_000)) == 1024


async def test_what_was_right_is_known_without_a_check_and_nothing_else_is(checker: PasswordChecker) -> None:
    assert checker.remembered("anna", "right") is None
    await checker.check("anna", "right")
    assert checker.remembered("ANNA", "right") == "anna"
    assert [checker.remembered(*one) for one in (("anna", "wrong"), ("bert", "right"), ("carl", "right"))] == [None] * 3


@pytest.mark.parametrize(
    ("login", "name"),
    [("weiß@bücher.example", "weiß"), ("WEISS@xn--bcher-kva.example", "weiss"), ("weiß@xn--bcher-kva.example", "weiß")],
)
async def test_a_login_that_is_an_address_is_compared_as_addresses_are(login: str, name: str) -> None:
    users = [User(name=n, address=Address(local=p, domain="bücher.example"), password_hash=QUICK.hash("right"))
             for n, p in (("weiss", "weiss"), ("weiß", "weiß"))]  # fmt: skip
    checker = PasswordChecker(lambda: Directory(users=tuple(users)))
    assert await checker.check(login, "right") == name
