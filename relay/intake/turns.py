"""Queues, one for each key: what has the same key is done one after the other, in the order in which it came."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Gives turns. Only what waits, or has its turn, is remembered."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._there: Counter[Hashable] = Counter()

    def there(self, key: Hashable) -> int:
        """Tell how many wait for a turn or have it."""
        return self._there[key]

    @asynccontextmanager
    async def take(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait for the turn, and have it until the end of the block."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._there[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._there[key] -= 1
            if not self._there[key]:
                del self._there[key], self._locks[key]
