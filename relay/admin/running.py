"""The running service, as the functions of the admin room reach it from their threads."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from relay.admin.answers import PollNews
from relay.collection import Tell
from relay.delivery import Delivery
from relay.emitting import emit
from relay.events.event import Event
from relay.model.account import Account
from relay.model.maildrop import PollResult
from relay.pop_poller import PopPoller

_T = TypeVar("_T")


class Running:
    """Passes on to the event loop what a request wants of the service."""

    def __init__(
        self,
        delivery: Delivery,
        poller: PopPoller,
        reload: Callable[[], Coroutine[Any, Any, list[str]]],
        digest: Callable[[], str],
    ) -> None:
        self._delivery = delivery
        self._poller = poller
        self._reload = reload
        self._digest = digest
        self._loop = asyncio.get_running_loop()

    def flush(self, accounts: Collection[str] | None) -> bool:
        """Try these accounts' mails at once (None: all)."""
        self._loop.call_soon_threadsafe(self._delivery.flush, None if accounts is None else frozenset(accounts))
        return True

    @property
    def digest(self) -> str:
        """The hash of the configuration that is in force."""
        return self._digest()

    def serve(self) -> None:
        """Do nothing: it serves already."""

    def rescan(self) -> None:
        """Look at the queue and the pauses at once."""
        self._loop.call_soon_threadsafe(self._delivery.rescan)

    def reload(self) -> list[str]:
        """Read the configuration anew; returns the mistakes."""
        return self._run(self._reload())

    def poll(self, accounts: Sequence[Account]) -> Iterator[PollNews]:
        """Poll these accounts' mailboxes."""
        return follow(poll(self._poller, accounts), self._run)

    def record(self, event: Event) -> None:
        """Log what was done."""
        emit(event)

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something in the event loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def follow(
    news: AsyncGenerator[PollNews], run: Callable[[Coroutine[Any, Any, PollNews | None]], PollNews | None]
) -> Iterator[PollNews]:
    """Yield what an event loop yields; `run` runs something there, and waits for it."""

    async def step() -> PollNews | None:
        return await anext(news, None)

    while (one := run(step())) is not None:
        yield one


async def poll(poller: PopPoller, accounts: Sequence[Account]) -> AsyncGenerator[PollNews]:
    """Poll mailboxes now, and tell of the progress: first `fetched` and `total`, then the results."""
    news: asyncio.Queue[PollNews | None] = asyncio.Queue()

    def tell(account: str) -> Tell:
        return lambda fetched, total: news.put_nowait(PollNews(account=account, fetched=fetched, total=total))

    polls = asyncio.create_task(poller.poll_now(accounts, tell))
    polls.add_done_callback(lambda _: news.put_nowait(None))
    while (progress := await news.get()) is not None:
        yield progress
    for name, result in (await polls).items():
        if isinstance(result, PollResult):
            yield PollNews(account=name, result=result)
        else:
            yield PollNews(account=name, error=result)
