"""What sessions share: who is busy, and what goes on without them."""

import asyncio

from tests.intake.conftest import open_listener


async def test_work_that_was_begun_ends_also_if_nobody_waits() -> None:
    async with open_listener() as running:
        shared = running.server._context
        done, go = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await go.wait()
            done.set()

        shared.start(work())
        assert len(shared.tasks) == 1
        go.set()
        await asyncio.wait_for(done.wait(), 5)
        await asyncio.sleep(0)
        assert not shared.tasks


async def test_two_mails_at_once_are_counted() -> None:
    async with open_listener() as running:
        shared = running.server._context
        first, second = await running.greeted(), await running.greeted()
        await first.begin()
        await second.begin()
        await first.send(b"\r\n.\r\n")
        await first.read()
        assert not shared.quiet.is_set()
        second.close()
        await asyncio.wait_for(shared.quiet.wait(), 5)
