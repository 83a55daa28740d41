"""What a worker takes next: fresh mail from memory, the rest from the queue, and when it looks again."""

import asyncio
from pathlib import Path

import pytest

from relay.model.destination import to_account
from relay.model.errors import StorageError
from relay.model.mail import ClaimedDelivery, DeliveryState
from relay.rules.turns import Cursor
from relay.storage import commands
from tests.peers.machine import until
from tests.peers.office import open_office
from tests.peers.provider import Provider
from tests.storage.conftest import LATER, TAKEN, settled

A = "a@example.net"


async def test_fresh_mail_that_waits_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        read = []
        monkeypatch.setattr(office.queue, "chunks", lambda *about: read.append(about))
        office.delivery.wake(to_account("sales"))
        await office.send()
        await asyncio.gather(*(office.hand_in(A) for _ in range(12)))
        await until(lambda: not office.waiting())
        assert len(provider.mails) == 12
        assert read == []


async def test_fresh_mail_that_is_held_meanwhile_is_not_sent(tmp_path: Path) -> None:
    async with Provider({"MAIL": "silence"}) as provider:
        one = {"smtp": {"host": "127.0.0.1", "port": provider.port, "security": "none", "connections": 1}}
        async with open_office(tmp_path, account=one) as office:
            first = await office.hand_in(A)
            await provider.wait_for("MAIL")
            replies = [await office.hand_in(A) for _ in range(3)]
            held = replies[1].text.split()[-1]
            assert commands.hold(office.engine, [held], now=office.now).count == 1
            provider.answers.clear()
            provider._released.set()  # the first one's connection is lost: the account rests a moment
            await office.send()
            await office.pass_time(6_000)
            assert len(provider.mails) == 2
            assert {row.message_id: row.state for row in office.waiting()} == {
                held: "held",
                first.text.split()[-1]: "queued",
            }


async def test_what_is_due_soon_is_not_hidden_by_what_is_due_now(tmp_path: Path) -> None:
    async with Provider({f"RCPT {A}": ["451 4.3.0 later", "250 2.1.5 ok"]}) as provider:
        one = {"smtp": {"host": "127.0.0.1", "port": provider.port, "security": "none", "connections": 1}}
        async with open_office(tmp_path, account={**one, "archive": False}, retry={"intervals": ["1 s"]}) as office:
            running = asyncio.create_task(office.delivery.run())
            for to in (A, "b@example.net", "c@example.net", "d@example.net"):
                await office.hand_in(to)
            await until(lambda: len(provider.mails) == 3)
            office.now += 2_000
            await until(lambda: len(provider.mails) == 4)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_is_cancelled_gives_back_nothing_that_another_has(tmp_path: Path) -> None:
    async with open_office(tmp_path, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        await office.hand_in(A)
        ((delivery, _),) = await office.queue.prefetch(to_account("sales"), now=office.now, limit=9, cursor=Cursor())
        lane = office.delivery._lanes.at(to_account("sales"))
        worker = office.delivery._worker
        taken = await office.queue.claim_by_id(delivery)
        assert taken is not None
        lane.due.add(delivery, None)
        late = asyncio.create_task(worker._take(lane, newest=False))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert [row.state for row in office.waiting()] == ["active"]
        await office.queue.requeue(taken)
        lane.due.add(delivery, None)
        late = asyncio.create_task(worker._take(lane, newest=False))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert [row.state for row in office.waiting()] == ["queued"]


async def test_what_a_cancelled_worker_can_not_give_back_is_taken_up_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_delivery: ClaimedDelivery) -> None:
        raise StorageError("the disk is full")

    async with Provider({"MAIL": "silence"}) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A)
        await provider.wait_for("MAIL")
        workers = office.delivery._running()
        with monkeypatch.context() as patch:
            patch.setattr(office.queue, "requeue", refuse)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        assert [row.state for row in office.waiting()] == ["active"]
        provider.answers.clear()
        await office.send()
        assert office.waiting() == []
        assert len(provider.mails) == 1


async def test_a_mail_whose_recipients_all_have_it_already_ends_and_stops_nothing(tmp_path: Path) -> None:
    """A 250 that came too late, while whoever had claimed the mail meanwhile could not send it."""
    async with Provider() as provider, open_office(tmp_path, port=provider.port, account={"archive": False}) as office:
        office.delivery._lanes.stopping = True  # nothing is sent yet
        queue_id = (await office.hand_in(A)).text.split()[-1]
        (late,) = await office.queue.claim(to_account("sales"), now=office.now, limit=1, open_now=True)
        office.queue.abandon(late, doubtful=True)
        await office.queue.reclaim(now=office.now)
        (other,) = await office.queue.claim(to_account("sales"), now=office.now, limit=1, open_now=True)
        assert not await office.queue.settle(settled(late, {0: TAKEN}, DeliveryState.DONE))
        assert await office.queue.settle(settled(other, {0: LATER}, DeliveryState.QUEUED, due=office.now))
        office.delivery._lanes.stopping = False
        await office.send()
        assert office.outcomes(queue_id) == {A: "delivered"}
        assert office.waiting() == []
        assert provider.mails == []
        assert not office.delivery._lanes.at(to_account("sales")).quota.exhausted_until
