import asyncio
from typing import Any

import pytest

from tests.crash.faults import FaultError, throw_at


async def test_a_fault_behind_a_lock_lets_those_go_on_who_wait_for_it_too() -> None:
    lock = asyncio.Lock()

    async def work() -> None:
        async with lock:
            await asyncio.sleep(0)

    async def hurt() -> Any:  # noqa: ANN401
        return await throw_at(work(), 1, lambda: True)

    await lock.acquire()
    first, second = asyncio.create_task(hurt()), asyncio.create_task(work())
    await asyncio.sleep(0)  # both wait for it now
    lock.release()
    with pytest.raises(FaultError):
        await first
    async with asyncio.timeout(10):
        await second


@pytest.mark.parametrize(("at", "reached"), [(1, True), (2, True), (3, False)])
async def test_a_coroutine_says_whether_it_came_so_far(at: int, reached: bool) -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "done"

    assert await throw_at(work(), at, lambda: False) == ("done", reached)
