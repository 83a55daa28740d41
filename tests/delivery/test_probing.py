"""Paused accounts are probed: by the intervals, and at once when their settings are others."""

import asyncio
import math
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.delivery import Delivery
from relay.runtime import Runtime
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
        office.delivery.flush()
        await office.send()
        assert provider.connections == before
        provider.answers.clear()
        office.configure(port=provider.port, account={"smtp": {**LOGIN["smtp"], "password": "right"}})
        office.delivery.flush()
        await office.send()
        assert office.outcomes(queue_id)[A] == "delivered"


async def test_a_restart_probes_a_paused_account_only_where_its_settings_were_changed(tmp_path: Path) -> None:
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
        assert provider.connections == before
        provider.answers.clear()
        office.configure(
            port=provider.port, account={"smtp": {**LOGIN["smtp"], "password": "right"}}, retry={"intervals": ["1 h"]}
        )
        await office.restart()
        await office.send()
        assert len(provider.mails) == 1


async def test_a_password_of_a_command_is_tried_by_the_intervals_whatever_it_is(tmp_path: Path) -> None:
    """It may be a token, which is another one each time."""
    (tmp_path / "count").write_text("")
    command = ["sh", "-c", f"echo x >> {tmp_path}/count; wc -l < {tmp_path}/count"]
    account = {"smtp": {"username": "sales@example.com", "password_command": command}}
    async with (
        Provider({"AUTH": "535 5.7.8 bad password"}) as provider,
        open_office(tmp_path, port=provider.port, account=account, retry={"intervals": ["1 h"]}) as office,
    ):
        await office.hand_in(A)
        for _ in range(5):
            await office.pass_time(MINUTE)
        assert provider.connections == 1
        await office.pass_time(70 * MINUTE)
        assert provider.connections == 2


@pytest.mark.parametrize("differ", [False, True])
async def test_a_wrong_password_costs_one_login_over_all_nodes_then_those_of_the_intervals(
    tmp_path: Path, *, differ: bool
) -> None:
    """Where the nodes' configurations differ, each tries its own once."""
    async with (
        Provider({"AUTH": "535 5.7.8 bad password"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["1 h"]}) as office,
    ):
        settings = office.settings
        if differ:
            account = {"smtp": {**LOGIN["smtp"], "password": "wrong too"}}
            office.configure(port=provider.port, account=account, retry={"intervals": ["1 h"]})
        runtime = Runtime(
            settings=lambda: settings,
            queue=office.queue,
            now=lambda: office.now,
            monotonic=lambda: office.now / 1000,
            random=lambda: 0.5,
        )
        other = Delivery(runtime)
        await office.hand_in(A)
        await office.hand_in(A)
        for _ in range(20):
            await office.pass_time(MINUTE)
            await other.run_until_idle()
        assert provider.connections == 1 + differ
        await other.drain(1)


async def test_a_probe_comes_when_it_is_due_whenever_the_queue_was_looked_at_before(tmp_path: Path) -> None:
    async with (
        Provider({"AUTH": "535 5.7.8 bad password"}) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["30 s"]}) as office,
    ):
        await office.hand_in(A)
        await office.send()
        (pause,) = admin.list_pauses(office.engine)
        office.now += 5_000  # something makes the queue be looked at
        while provider.connections == 1:
            seconds = await office.delivery._look()
            await asyncio.gather(*office.delivery._running())
            if provider.connections == 1:
                office.now += math.ceil(seconds * 1000)
        assert pause.next_probe is not None
        assert 0 <= office.now - pause.next_probe < 1_000


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


@pytest.mark.parametrize("by_person", [False, True])
async def test_what_a_failed_probe_was_told_pauses_no_account_that_was_resumed(
    tmp_path: Path, *, by_person: bool
) -> None:
    """The provider is asked again: nobody is paused by a refusal of before."""
    account = {"smtp": {**LOGIN["smtp"], "connections": 4}}
    async with (
        Provider({"AUTH": ["535 5.7.8 no", "535 5.7.8 no", "235 2.7.0 welcome"]}) as provider,
        open_office(tmp_path, port=provider.port, account=account, retry=RETRY) as office,
    ):
        for _ in range(8):
            await office.hand_in(A)
        await office.send()
        await office.pass_time(2 * MINUTE)
        assert [pause.account for pause in admin.list_pauses(office.engine)] == ["sales"]
        assert provider.connections == 2  # the mail's and the probe's
        with capture_logs() as lines:
            if by_person:
                admin.resume_account(office.engine, "sales", now=office.now)
                office.delivery.rescan()
                await office.send()
            else:
                await office.pass_time(10 * MINUTE)
        events = [line["event"] for line in lines]
        assert events.count("account_resumed") == 1
        assert "account_paused" not in events
        assert len(provider.mails) == 8


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
            office.delivery.rescan()
            await provider.wait_for("AUTH", before + 1)
            await _look_once(office)
            # One that waits behind it would connect nowhere yet, and count as a probe all the same.
            assert [task.get_name() for task in asyncio.all_tasks()].count("probe sales") == 1
        assert provider.connections == before + 1
        await office.delivery.drain(0.01)
        await running


async def _look_once(office: Office) -> None:
    """Wait until the queue has been looked at."""
    office.delivery.rescan()
    while office.delivery._alarm.is_set() or math.isinf(office.delivery._next_look):  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("answers", "paused"),
    [({}, []), ({"EHLO": "421 4.3.2 later"}, []), ({"AUTH": "535 5.7.8 bad password"}, ["535 5.7.8 bad password"])],
)
async def test_a_login_that_is_tried_without_a_mail_pauses_the_account_only_where_it_is_refused(
    tmp_path: Path, answers: dict[str, str], paused: list[str]
) -> None:
    async with (
        Provider(answers) as provider,
        open_office(tmp_path, port=provider.port, account=LOGIN, retry={"intervals": ["1 h"]}) as office,
    ):
        await office.delivery.try_login("nobody")
        assert provider.connections == 0
        await office.delivery.try_login("sales")
        await office.delivery.try_login("sales")
        assert provider.connections == (2 if "EHLO" in answers else 1)
        assert [pause.reason for pause in admin.list_pauses(office.engine)] == paused
