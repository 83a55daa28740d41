"""The running service, as the functions of the admin room reach it from their threads."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence

from relay.admin.answers import PollNews, PollResult
from relay.collection import PollResult as Polled
from relay.collection import Tell
from relay.delivery import Delivery
from relay.emitting import emit
from relay.events.event import Event
from relay.model.account import Account
from relay.pop_poller import PopPoller
from relay.settings import Settings


class Running:
    """Passes on to the event loop what a request wants of the service."""

    def __init__(
        self,
        delivery: Delivery,
        poller: PopPoller,
        settings: Callable[[], Settings],
        reload: Callable[[], Awaitable[list[str]]],
        digest: Callable[[], str],
    ) -> None:
        self._delivery = delivery
        self._poller = poller
        self._settings = settings
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

        async def run() -> list[str]:
            return await self._reload()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def poll(self, names: Collection[str]) -> Iterator[PollNews]:
        """Poll these accounts' mailboxes."""
        accounts = [account for account in self._settings().directory.accounts if account.name in names]
        news = poll(self._poller, accounts)

        async def step() -> PollNews | None:
            return await anext(news, None)

        while (one := asyncio.run_coroutine_threadsafe(step(), self._loop).result()) is not None:
            yield one

    def record(self, event: Event) -> None:
        """Log what was done."""
        emit(event)


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
        if isinstance(result, Polled):
            yield PollNews(account=name, result=PollResult(**dataclasses.asdict(result)))
        else:
            yield PollNews(account=name, error=result)
