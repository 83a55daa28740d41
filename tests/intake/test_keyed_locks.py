import asyncio

from relay.intake.keyed_locks import KeyedLocks


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
