"""What sessions share: who is busy, and what goes on without them."""

import asyncio

from tests.intake.conftest import open_desk


async def test_work_that_was_begun_ends_also_if_nobody_waits() -> None:
    async with open_desk() as desk:
        shared = desk.server._desk
        done, go = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await go.wait()
            done.set()

        shared.start(work())
        assert len(shared.work) == 1
        go.set()
        await asyncio.wait_for(done.wait(), 5)
        await asyncio.sleep(0)
        assert not shared.work


async def test_two_mails_at_once_are_counted() -> None:
    async with open_desk() as desk:
        shared = desk.server._desk
        first, second = await desk.greeted(), await desk.greeted()
        await first.begin()
        await second.begin()
        await first.send(b"\r\n.\r\n")
        await first.read()
        assert not shared.quiet.is_set()
        second.close()
        await asyncio.wait_for(shared.quiet.wait(), 5)
