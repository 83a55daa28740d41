"""The running service, as the functions of the admin room reach it from their threads."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeVar

from relay.admin.requests import Progress, Told
from relay.collection import Tell
from relay.delivery import Delivery
from relay.emitting import emit
from relay.events.event import Event
from relay.model.account import Account
from relay.model.maildrop import PollResult
from relay.pop_poller import PopPoller

_T = TypeVar("_T")
_LONGEST_STEP: Final = 1.0
"""Seconds until something is said of a poll: only then is it seen whether whoever asked is still there."""
_SHORTEST_STEP: Final = 0.1
"""Seconds between two words about a mailbox: each costs a turn of the loop and a line to whoever asked."""
_MOST_IDS: Final = 3
"""Mails of each mailbox whose ids are shown."""


class Running:
    """Passes on to the event loop what a request wants of the service."""

    def __init__(
        self,
        delivery: Delivery,
        poller: PopPoller,
        reload: Callable[[str], Coroutine[Any, Any, list[str]]],
    ) -> None:
        self._delivery = delivery
        self._poller = poller
        self._reload = reload
        self._loop = asyncio.get_running_loop()

    is_running = True

    def flush(self, accounts: Collection[str] | None) -> None:
        """Try these accounts' mails at once (None: all)."""
        self._loop.call_soon_threadsafe(self._delivery.flush, None if accounts is None else frozenset(accounts))

    def rescan(self) -> None:
        """Look at the queue and the pauses at once."""
        self._loop.call_soon_threadsafe(self._delivery.rescan)

    def login_changed(self) -> None:
        """Probe at once, and collect at once, what was refused with another login."""
        self._loop.call_soon_threadsafe(self._delivery.settings_changed)
        self._loop.call_soon_threadsafe(self._poller.look)

    def reload(self, by: str) -> list[str]:
        """Read the configuration anew; returns the mistakes."""
        return self._run(self._reload(by))

    def poll(self, accounts: Sequence[Account]) -> Iterator[Progress | Told]:
        """Poll these accounts' mailboxes."""
        return follow(poll(self._poller, accounts), self._run)

    def record(self, event: Event) -> None:
        """Log what was done."""
        emit(event)

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def follow(news: AsyncGenerator[_T], run: Callable[[Coroutine[Any, Any, _T | None]], _T | None]) -> Iterator[_T]:
    """Yield what an event loop yields; `run` runs something there, and waits for it."""

    async def step() -> _T | None:
        return await anext(news, None)

    while (one := run(step())) is not None:
        yield one


async def poll(poller: PopPoller, accounts: Sequence[Account]) -> AsyncGenerator[Progress | Told]:
    """Poll mailboxes now, and tell of the progress of each, then of the results."""
    news: asyncio.Queue[Progress | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(account: str) -> Tell:
        due = 0.0

        def say(fetched: int, total: int) -> None:
            nonlocal due
            if fetched == total or loop.time() >= due:
                due = loop.time() + _SHORTEST_STEP
                news.put_nowait(Progress(what=account, done=fetched, total=total))

        return say

    polls = asyncio.create_task(poller.poll_now(accounts, tell))
    polls.add_done_callback(lambda _: news.put_nowait(None))
    progress: Progress | None = Progress(what=accounts[0].name, done=0)
    while progress is not None:
        with contextlib.suppress(TimeoutError):  # it is said again: a step that does not end would hold its thread
            async with asyncio.timeout(_LONGEST_STEP):
                progress = await news.get()
        if progress is not None:
            yield progress
    results = await polls
    yield Told(
        json=({name: {"error": one} if isinstance(one, str) else asdict(one) for name, one in results.items()},),
        lines=tuple(line for name, one in results.items() for line in _say_result(name, one)),
        exit_status=int(any(isinstance(one, str) for one in results.values())),
    )


def _say_result(name: str, result: PollResult | str) -> list[str]:
    if isinstance(result, str):
        return [f"{name}: failed: {result}"]
    parts = [f"{result.fetched:d} fetched"]
    parts += [f"{result.quarantined:d} of them put into the quarantine"] if result.quarantined else []
    parts += [f"{result.failed:d} not received (the service's log says why)"] if result.failed else []
    parts += [f"{result.left:d} left on the server"] if result.left else []
    parts += [f"{result.deleted:d} deleted on the server"] if result.deleted else []
    lines = [f"{name}: {', '.join(parts)}, in {result.seconds:.1f} s"]
    lines += [
        f"  The inbox of {user} can't be used: {reason.removeprefix('inbox ')}"
        for user, reason in result.reasons.items()
    ]
    lines += ["  `relay quarantine list` shows what is there, and what mends it"] if result.quarantined else []
    if shown := result.ids[:_MOST_IDS]:
        more = result.fetched - len(shown)
        lines.append(f"  `relay trace ID` tells more: {', '.join(shown)}{f' and {more} more' * (more > 0)}")
    return lines
