"""An alert that a change of state owes is sent once, whatever fails or dies between."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from relay.model.destination import to_account
from relay.model.errors import StorageError
from relay.model.mail import Pause
from relay.model.reply import Reply
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider

A = "a@example.net"


class _FailingOnce:
    """A write of the queue that fails the first time."""

    def __init__(self, real: Callable[..., Awaitable[Any]]) -> None:
        self._real = real
        self._failed = False

    async def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 - any write
        if not self._failed:
            self._failed = True
            raise StorageError("disk full")
        return await self._real(*arguments)


async def test_the_alert_of_a_pause_survives_a_fault_of_the_database(tmp_path: Path) -> None:
    login = {"username": "u", "password": "p"}
    async with Provider({"AUTH": "535 5.7.8 no"}) as provider:
        account = {"smtp": {"host": "127.0.0.1", "port": provider.port, "security": "none", **login}}
        async with open_office(tmp_path, account=account) as office:
            office.queue.mark_sent = _FailingOnce(office.queue.mark_sent)  # type: ignore[method-assign, assignment]
            await office.hand_in(A)
            await asyncio.gather(*office.delivery._running())  # the fault meets the attempt, not the first look
            for _ in range(3):
                await office.pass_time(2 * MINUTE)
            (alert,) = office.inbox()
            assert b"sales" in alert
            assert [row.state for row in office.waiting()] == ["queued"]


async def test_the_alerts_of_a_change_are_told_after_a_crash_that_came_before_them(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}) as office:
        gone = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        await office.queue.pause(
            Pause(account="sales", since=office.now, until=None, reason="no", refusal=Reply(code=535, text="no"))
        )
        await office.queue.hold_accounts(["sales"], now=office.now)
        await office.restart()
        await office.send()
        assert len(office.inbox()) == 2
        await office.restart()
        await office.send()
        assert len(office.inbox()) == 2
        assert office.outcomes(gone)[A] == "pending"


async def test_what_a_second_crash_holds_is_told_though_a_third_comes_at_once(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"archive": False}, schedule={"active": ["Fri 08:00-09:00"]}) as office:
        await office.hand_in(A)
        for _ in range(2):
            await office.queue.claim(to_account("sales"), now=office.now, limit=1, open_now=True)
            await office.queue.recover(now=office.now)
        assert [row.state for row in office.waiting()] == ["held"]
        await office.restart()
        await office.send()
        (told,) = office.inbox()
        assert b"a mail" in told
