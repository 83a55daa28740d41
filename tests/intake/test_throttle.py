"""Guesses are slow however they come, and nobody who knows his password is locked out by others."""

import asyncio
from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from relay.intake.budget import Ip
from relay.intake.throttle import Failures, KeyedLocks, LoginThrottle, TooManyLoginsError
from tests.intake.conftest import Clock

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class Passwords:
    """Everybody's password is `right`; what is checked is counted."""

    has_passwords = True

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.good: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.looked_at = asyncio.Condition()
        self.go = asyncio.Event()
        self.go.set()

    def name_of(self, login: str) -> str:
        return login.lower()

    def remembered(self, login: str, password: str) -> str | None:
        return login.lower() if password == "right" and login.lower() in self.good else None

    async def check(self, login: str, password: str) -> str | None:
        self.checked.append(login)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self.looked_at:
            self.looked_at.notify_all()
        await self.go.wait()
        self.at_once -= 1
        if password != "right":
            return None
        self.good.add(login.lower())
        return login.lower()

    async def wait_for(self, number: int) -> None:
        async with asyncio.timeout(5), self.looked_at:
            await self.looked_at.wait_for(lambda: len(self.checked) >= number)


class Tries:
    def __init__(self) -> None:
        self.clock, self.passwords = Clock(), Passwords()
        self.throttle = LoginThrottle(self.passwords, monotonic=self.clock, sleep=self.clock.sleep)

    async def good(self, ip: Ip, login: str = "anna") -> float:
        """Log in with the right password; gives how long it took."""
        before = self.clock.now
        assert await self.throttle.check(ip, login, "right") == login.lower()
        return self.clock.now - before

    async def wrong(self, ip: Ip, logins: Iterable[str]) -> list[float]:
        """Log in with wrong passwords, one after the other; gives how long each took."""
        found = []
        for n, login in enumerate(logins):
            before = self.clock.now
            assert await self.throttle.check(ip, login, f"wrong{n}") is None
            found.append(self.clock.now - before)
        return found


async def test_each_failure_doubles_the_wait_up_to_a_limit_and_is_forgotten() -> None:
    tries = Tries()
    assert await tries.wrong(HERE, ["anna"] * 7) == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    tries.clock.now += 901
    assert await tries.wrong(HERE, ["anna"]) == [0.0]


@pytest.mark.parametrize("names", [["anna"], ["anna", "Anna", "ANNA"], [f"u{n}" for n in range(60)]])
async def test_sixty_guesses_take_minutes_whichever_names_they_try(names: list[str]) -> None:
    tries = Tries()
    await tries.wrong(HERE, [names[n % len(names)] for n in range(60)])
    assert tries.clock.now - 1000 > 300


async def test_guesses_at_the_same_time_are_tried_one_after_the_other_and_then_turned_away() -> None:
    tries = Tries()
    guesses = [tries.throttle.check(HERE, "anna", f"wrong{n}") for n in range(60)]
    found = await asyncio.gather(*guesses, return_exceptions=True)
    assert tries.passwords.most_at_once == 1
    assert len(tries.passwords.checked) < 12
    assert sum(isinstance(one, TooManyLoginsError) for one in found) == 60 - len(tries.passwords.checked)
    assert not tries.throttle._running


async def test_an_own_good_login_between_guesses_shortens_nothing() -> None:
    tries = Tries()
    await tries.good(HERE, "bert")
    waits = []
    for _ in range(6):
        waits += await tries.wrong(HERE, ["anna"])
        await tries.good(HERE, "bert")
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]


async def test_a_user_known_at_an_address_does_not_wait_for_what_others_do_there() -> None:
    tries = Tries()
    await tries.good(HERE)
    tries.passwords.good.clear()  # what is remembered of it is forgotten
    await tries.wrong(HERE, ["bert"] * 10)
    assert await tries.good(HERE) == 0
    assert await tries.good(HERE, "carl") == 8  # he never was here


async def test_a_foreign_client_slows_the_right_user_down_a_little_at_most() -> None:
    tries = Tries()
    await tries.good(HERE)
    for n in range(200):
        await tries.wrong(ip_address(int(THERE) + n), ["anna"])
    tries.passwords.good.clear()
    assert await tries.good(HERE) == 0
    assert await tries.good(ip_address("198.51.100.1")) == 4.0
    assert await tries.good(ip_address("198.51.100.1"), "bert") == 0


async def test_a_remembered_password_passes_at_once_and_only_a_few_wrong_ones_are_compared_with_it() -> None:
    tries = Tries()
    await tries.good(HERE)
    await tries.wrong(HERE, ["anna"] * 4)
    assert await tries.good(HERE) == 0
    assert tries.passwords.checked == ["anna"] * 5
    await tries.wrong(HERE, ["anna"] * 10)
    assert await tries.good(HERE) == 8.0


async def test_connections_of_one_program_that_log_in_together_are_one_try() -> None:
    tries = Tries()
    tries.passwords.go.clear()
    logins = [asyncio.create_task(tries.throttle.check(HERE, "anna", "right")) for _ in range(20)]
    await tries.passwords.wait_for(1)
    tries.passwords.go.set()
    assert await asyncio.gather(*logins) == ["anna"] * 20
    assert len(tries.passwords.checked) == 1


async def test_one_client_does_not_keep_all_workers_from_the_others() -> None:
    tries = Tries()
    for n in range(5):
        await tries.good(HERE, f"u{n}")
    tries.passwords.good.clear()
    tries.passwords.checked.clear()
    tries.passwords.go.clear()
    logins = [asyncio.create_task(tries.throttle.check(HERE, f"u{n}", "right")) for n in range(5)]
    other = asyncio.create_task(tries.throttle.check(THERE, "anna", "right"))
    await tries.passwords.wait_for(2)
    assert tries.passwords.checked == ["u0", "anna"]
    tries.passwords.go.set()
    await asyncio.gather(*logins, other)


async def test_a_client_that_leaves_has_guessed_all_the_same() -> None:
    tries = Tries()
    tries.passwords.go.clear()
    for n in range(3):
        guess = asyncio.create_task(tries.throttle.check(HERE, "anna", f"wrong{n}"))
        await asyncio.sleep(0)
        guess.cancel()
        await asyncio.wait([guess])
    tries.passwords.go.set()
    await asyncio.gather(*tries.throttle._running.values())
    assert await tries.wrong(HERE, ["anna"]) == [2.0]


async def test_the_addresses_of_one_ipv6_network_are_one_client() -> None:
    tries = Tries()
    waits = [(await tries.wrong(ip_address(f"2001:db8::{n}"), ["anna"]))[0] for n in range(1, 5)]
    assert waits == [0.0, 0.5, 1.0, 2.0]


def test_the_memory_for_failures_is_bounded() -> None:
    failures = Failures()
    for n in range(11_000):
        failures.add(n, 0)
    assert len(failures._counts) == 10_000
    assert (failures.count(0, 0), failures.count(10_999, 0)) == (0, 1)


async def test_what_has_one_key_is_done_one_after_the_other_in_its_order() -> None:
    locks, done = KeyedLocks(), list[str]()
    go = asyncio.Event()

    async def work(key: str, name: str) -> None:
        async with locks.hold(key):
            done.append(f"+{name}")
            await go.wait()
            done.append(f"-{name}")

    tasks = [asyncio.create_task(work(key, f"{key}{n}")) for n in range(2) for key in "ab"]
    await asyncio.sleep(0)
    assert done == ["+a0", "+b0"]
    assert locks.users("a") == 2
    go.set()
    await asyncio.gather(*tasks)
    assert [one for one in done if "a" in one] == ["+a0", "-a0", "+a1", "-a1"]
    assert not locks._locks
    assert locks.users("a") == 0


async def test_who_gives_up_waiting_leaves_nothing() -> None:
    locks = KeyedLocks()
    async with locks.hold("a"):
        waiting = asyncio.create_task(locks.hold("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert not locks._locks
