"""Configurations of offices, as documents: every kind of user, device and account, in every order."""

from random import Random
from typing import Any

import argon2

PASSWORD = "correct horse"
"""Of every user."""
NOBODY, ANNAS_SCANNER, BERTS_SCANNER, DORAS_SCANNER = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.5"
PLACES = (NOBODY, ANNAS_SCANNER, BERTS_SCANNER, DORAS_SCANNER)
"""Addresses of clients; no device has the first one."""
_CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

_USERS: list[dict[str, Any]] = [
    {"name": "anna", "address": "anna@example.com", "aliases": ["a.schmidt@example.com", "Weiß@Büro.example"]},
    {
        "name": "bert",
        "address": "bert@example.com",
        "aliases": ["weiss@xn--bro-hoa.example", "ju\u0308rgen@example.com"],
    },
    {"name": "carla", "address": "carla@elsewhere.example", "aliases": ["chef@example.com"]},
    {"name": "dora", "address": "dora@example.com", "aliases": ["jürgen@büro.example"]},
]
_ADDRESSES = (
    "sales@example.com",
    "anna@example.com",
    "Bert@Example.COM",
    "dora@example.com",
    "chef@example.com",
    "kontakt@Büro.example",
    "weiß@büro.example",
    "JÜRGEN@xn--bro-hoa.example",
    "info@example.com",
    "info@straße.example",
    "secret@example.com",
    "old@example.com",
)
_ARCHIVES = ("central@example.com", "Archiv@Büro.example", "sales@example.com")


def make_office(random: Random) -> dict[str, Any]:
    """Make the document of one office; its listeners choose their ports."""
    users = [{**user, "password_hash": _CHEAP.hash(PASSWORD)} for user in _USERS]
    names = [user["name"] for user in users]
    addresses = random.sample(_ADDRESSES, random.randint(6, len(_ADDRESSES)))
    addresses += random.choices(addresses, k=random.randint(0, 2))  # the first account of an address is the one
    return {
        "language": ("en", "de")[len(addresses) % 2],
        "server": {"hostname": "relay.office.example", "postmaster": random.choice(names)},
        "listener": [
            {"host": "127.0.0.1", "port": 0},
            {"host": "127.0.0.1", "port": 0, "default_user": random.choice(names)},
        ],
        "schedule": {"active": ["Mon-Fri 07:00-19:00"]},
        "limits": {"errors_per_session": 1_000_000},
        "user": users,
        "device": [
            {"name": "Anna's scanner", "networks": [f"{ANNAS_SCANNER}/32"], "user": "anna"},
            {"name": "Bert's scanner", "networks": [f"{BERTS_SCANNER}/32"], "user": "bert"},
            {"name": "Dora's scanner", "networks": ["192.0.2.0/24", "127.0.0.4/30"], "user": "dora"},
        ],
        "account": [_make_account(random, n, address, names) for n, address in enumerate(addresses, 1)],
        "archive": {"bcc": random.sample(_ARCHIVES, random.randint(0, 2))},
    }


def _make_account(random: Random, number: int, address: str, users: list[str]) -> dict[str, Any]:
    account: dict[str, Any] = {
        "name": f"account {number}",
        "address": address,
        # Carla may own none, so that rule 4 is met.
        "owner": random.choice([name for name in users if name != "carla" or not random.randrange(6)]),
    }
    options: list[tuple[float, str, Any]] = [
        (0.3, "display_name", random.choice(("Example Sales", "Büro Müller, Köln", 'The "Office"'))),
        (0.15, "excluded", True),
        (0.25, "restrict", True),
        (0.3, "users", random.sample(users, random.randint(1, 2))),
        (0.2, "keep_reply_to", False),
        (0.15, "archive", False),
        (0.2, "archive", random.sample(_ARCHIVES, random.randint(1, 2))),
    ]
    account |= {key: value for chance, key, value in options if random.random() < chance}
    if random.random() < 0.88:
        account["smtp"] = {"host": "127.0.0.1", "port": 9, "security": "none"}
    else:
        login = {"username": "somebody", "password": "something", "security": "none"}
        account["pop3"] = {"host": "127.0.0.1", "port": 9, **login}
    return account
