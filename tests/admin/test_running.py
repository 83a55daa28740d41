import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict
from typing import cast

import pytest

from relay.admin.requests import Progress, Told
from relay.admin.running import follow, poll
from relay.model.account import Account
from relay.model.address import Address
from relay.model.maildrop import PollResult
from relay.pop_poller import PopPoller

SALES = Account(name="sales", address=Address(local="sales", domain="x.example"), owner="anna")


class _Poller:
    """Polls nothing: it tells of a thousand steps, then gives what it was made with."""

    def __init__(self, results: dict[str, PollResult | str]) -> None:
        self._results = results

    async def poll_now(
        self, _accounts: Sequence[Account], tell: Callable[[str], Callable[[int, int], None]]
    ) -> dict[str, PollResult | str]:
        say = tell("sales")
        for done in range(1, 1001):
            say(done, 1000)
            await asyncio.sleep(0)
        return self._results


async def _poll(results: dict[str, PollResult | str]) -> list[Progress | Told]:
    return [news async for news in poll(cast("PopPoller", _Poller(results)), [SALES])]


async def test_a_poll_tells_of_its_progress_and_then_once_of_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.admin.running._SHORTEST_STEP", 60.0)  # of what lies between, nothing is told so soon
    result = PollResult(fetched=5, quarantined=1, left=2, seconds=1.25, ids=("a", "b", "c", "d"))
    *steps, told = await _poll({"sales": result})
    assert steps == [Progress(what="sales", done=1, total=1000), Progress(what="sales", done=1000, total=1000)]
    assert isinstance(told, Told)
    assert told.exit_status == 0
    assert told.json == ({"sales": asdict(result)},)
    assert told.lines == (
        "sales: 5 fetched, 1 of them put into the quarantine, 2 left on the server, in 1.2 s",
        "  `relay quarantine list` shows what is there, and what mends it",
        "  `relay trace ID` tells more: a, b, c and 2 more",
    )


async def test_a_poll_of_which_nothing_is_new_says_so_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.admin.running._LONGEST_STEP", 0.01)

    class Slow:
        async def poll_now(self, *_: object) -> dict[str, PollResult | str]:
            await asyncio.Event().wait()
            return {}

    news = poll(cast("PopPoller", Slow()), [SALES])
    async with asyncio.timeout(10):
        assert [await anext(news) for _ in range(3)] == [Progress(what="sales", done=0)] * 3
    await news.aclose()


async def test_a_mailbox_that_failed_makes_the_command_fail() -> None:
    told = (await _poll({"sales": "no answer", "info": PollResult(fetched=0, seconds=0.5)}))[-1]
    assert isinstance(told, Told)
    assert told.exit_status == 1
    assert told.json == ({"sales": {"error": "no answer"}, "info": asdict(PollResult(fetched=0, seconds=0.5))},)
    assert told.lines == ("sales: failed: no answer", "info: 0 fetched, in 0.5 s")


async def test_what_a_loop_yields_is_followed_from_a_thread_and_its_fault_arrives_there() -> None:
    loop = asyncio.get_running_loop()

    async def news() -> AsyncGenerator[int]:
        yield 1
        await asyncio.sleep(0)
        yield 2
        raise RuntimeError("the loop's")

    heard: list[int] = []

    def listen() -> None:
        for one in follow(news(), lambda step: asyncio.run_coroutine_threadsafe(step, loop).result()):
            heard.append(one)  # noqa: PERF402 - it is to keep what came before the fault

    with pytest.raises(RuntimeError, match="the loop's"):
        await asyncio.to_thread(listen)
    assert heard == [1, 2]
