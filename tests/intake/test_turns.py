import asyncio

from relay.intake.turns import Turns


async def test_what_has_one_key_is_done_one_after_the_other_in_its_order() -> None:
    turns, done = Turns(), list[str]()
    go = asyncio.Event()

    async def work(key: str, name: str) -> None:
        async with turns.take(key):
            done.append(f"+{name}")
            await go.wait()
            done.append(f"-{name}")

    tasks = [asyncio.create_task(work(key, f"{key}{n}")) for n in range(2) for key in "ab"]
    await asyncio.sleep(0)
    assert done == ["+a0", "+b0"]
    assert turns.there("a") == 2
    go.set()
    await asyncio.gather(*tasks)
    assert [one for one in done if "a" in one] == ["+a0", "-a0", "+a1", "-a1"]
    assert not turns._locks
    assert turns.there("a") == 0


async def test_who_gives_up_waiting_leaves_nothing() -> None:
    turns = Turns()
    async with turns.take("a"):
        waiting = asyncio.create_task(turns.take("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert not turns._locks
