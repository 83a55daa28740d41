"""Paused accounts are probed: by the intervals, and at once when their settings are others."""

import asyncio
import math
from pathlib import Path

from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider

A = "a@example.net"
DAY = 24 * 60 * MINUTE
RETRY = {"intervals": ["1 min", "5 min"], "give_up_after": "3 days", "warn_after": "4 h"}
LOGIN = {"smtp": {"username": "sales@example.com", "password": "wrong"}}


async def test_other_settings_are_probed_at_once(tmp_path: Path) -> None:
    async with (
        Provider({"AUTH": "535 5.7.8 bad password"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["1 h"]}) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        before = provider.connections
        office.delivery.hurry()
        await office.send()
        assert provider.connections == before
        provider.answers.clear()
        office.configure(port=provider.port, account={"smtp": {**LOGIN["smtp"], "password": "right"}})
        office.delivery.hurry()
        await office.send()
        assert office.outcomes(queue_id)[A] == "delivered"


async def test_a_pause_outlives_a_restart_which_probes_it(tmp_path: Path) -> None:
    async with (
        Provider({"AUTH": ["535 5.7.8 bad password"]}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["1 h"]}) as office,
    ):
        await office.hand_in(A)
        await office.send()
        await office.restart()
        assert [pause.account for pause in admin.list_pauses(office.engine)] == ["sales"]
        before = provider.connections
        await office.send()
        assert provider.connections == before + 1
        assert len(provider.mails) == 0


async def test_a_paused_account_is_probed_after_a_jump_backwards(tmp_path: Path) -> None:
    answers = {"AUTH": ["535 5.7.8 no", "235 ok"]}
    account = {"smtp": {"host": "127.0.0.1", "port": 9, "security": "none", "username": "u", "password": "p"}}
    async with Provider(answers) as provider:
        account["smtp"]["port"] = provider.port
        async with open_office(tmp_path, account=account, retry=RETRY) as office:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
            await office.set_clock(-400 * DAY)
            await office.pass_time(MINUTE)
            assert office.outcomes(queue_id)[A] == "delivered"


async def test_a_probe_that_takes_long_is_not_joined_by_another(tmp_path: Path) -> None:
    async with (
        Provider({"AUTH": ["535 5.7.8 bad password", "silence"]}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["1 s"]}) as office,
    ):
        await office.hand_in(A)
        await office.send()
        before = provider.connections
        running = asyncio.create_task(office.delivery.run())
        for _ in range(4):
            office.now += 11_000
            office.delivery.look()
            await provider.wait_for("AUTH", before + 1)
            await _look_once(office)
        assert provider.connections == before + 1
        await office.delivery.drain(0.01)
        await running


async def _look_once(office: Office) -> None:
    """Wait until the queue has been looked at."""
    office.delivery.look()
    while office.delivery._alarm.is_set() or math.isinf(office.delivery._next_look):  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0)
