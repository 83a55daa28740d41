"""The users' passwords: argon2id, two checks at a time in threads, and a short memory for those that were right."""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from relay.model.account import Directory, User
from relay.rules.address import parse_addr_spec

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_PARALLEL = 2
"""Checks at a time: each takes 19 MiB and a core."""
_REMEMBER = 300.0
"""Seconds for which a right password is remembered, as a keyed hash."""
_MOST_REMEMBERED = 1000
_LONGEST = 1024
"""Characters of a password; a longer one is wrong before it costs anything."""


@functools.cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - most offices check no password

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """Hash a password for the configuration: argon2id, m = 19 MiB, t = 2, p = 1 (OWASP's choice)."""
    return _hasher().hash(password)


class PasswordChecker:
    """Checks logins against the users of the configuration: a login is a user's name or one of his addresses."""

    def __init__(self, directory: Callable[[], Directory], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._semaphore = asyncio.Semaphore(_PARALLEL)
        self._key = os.urandom(32)
        self._good: OrderedDict[bytes, float] = OrderedDict()
        self._decoy: str | None = None

    @property
    def has_passwords(self) -> bool:
        """Whether any user has a password."""
        return any(user.password_hash for user in self._directory().users)

    def name_of(self, login: str) -> str:
        """Give the name that guesses at a login are counted by: the user's, else the login without regard to case."""
        user = self._find(login[:_LONGEST])
        return login[:_LONGEST].lower() if user is None else user.name

    def remembered(self, login: str, password: str) -> str | None:
        """Give the user's name where this very password was right a short while ago."""
        if len(password) > _LONGEST or len(login) > _LONGEST:
            return None
        user = self._find(login)
        if user is None or user.password_hash is None:
            return None
        since = self._good.get(self._digest(user.password_hash, password), -_REMEMBER)
        return user.name if self._monotonic() - since < _REMEMBER else None

    async def check(self, login: str, password: str) -> str | None:
        """Give the user's name, or None; an unknown login takes as long as a wrong password."""
        if len(password) > _LONGEST or len(login) > _LONGEST:
            return None
        if (name := self.remembered(login, password)) is not None:
            return name
        user = self._find(login)
        known = user.password_hash if user is not None else None
        async with self._semaphore:
            # The sessions of a mail program log in together: the first one's good result serves those that waited.
            good = self.remembered(login, password) is not None
            good = good or await asyncio.to_thread(self._verify, known, password)
        if not good or user is None or known is None:
            return None
        digest = self._digest(known, password)
        self._good.pop(digest, None)
        self._good[digest] = self._monotonic()
        if len(self._good) > _MOST_REMEMBERED:
            self._good.popitem(last=False)
        return user.name

    def _find(self, login: str) -> User | None:
        directory = self._directory()
        user = directory.user(login)
        if user is not None:
            return user
        wanted, key = login.lower(), None
        with contextlib.suppress(ValueError):  # a login need not be an address
            key = parse_addr_spec(login).key
        return next(
            (u for u in directory.users if u.name.lower() == wanted or any(a.key == key for a in u.addresses)), None
        )

    def _verify(self, known: str | None, password: str) -> bool:
        if known is None:
            if self._decoy is None:
                self._decoy = hash_password("nobody")
            self._verify(self._decoy, password)
            return False
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

        try:
            return _hasher().verify(known, password)
        except (VerificationError, InvalidHashError):
            return False

    def _digest(self, known: str, password: str) -> bytes:
        text = f"{known}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)
