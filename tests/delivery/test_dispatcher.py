"""Which delivery goes when: hours, retries, lanes, commands, a crash, an account that is gone."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path

from structlog.testing import capture_logs

from relay.storage import admin, commands
from tests.peers.office import MINUTE, START, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account

A = "a@example.net"
DAY_OFFICE = {"active": ["Mon-Fri 07:00-19:00"], "timezone": "Europe/Berlin"}
HOUR = 60 * MINUTE


async def test_outside_of_the_hours_mail_is_kept_until_the_morning(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, schedule=DAY_OFFICE) as office:
        await office.hand_in(A)  # 22:26
        await office.pass_time(8 * HOUR)
        assert provider.connections == 0
        await office.pass_time(HOUR)
        assert len(provider.mails) == 1


async def test_queue_run_acts_at_any_hour(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, schedule=DAY_OFFICE) as office:
        await office.hand_in(A)
        await office.send()
        (row,) = office.waiting()
        assert commands.run_queue(office.engine, [row.message_id], now=office.now) == {"sales": {row.message_id}}
        await office.send()
        assert len(provider.mails) == 1


async def test_retries_follow_the_intervals_and_are_not_early(tmp_path: Path) -> None:
    async with Provider({f"RCPT {A}": "451 4.3.0 later"}) as provider, open_office(tmp_path, port=provider.port) as o:
        await o.hand_in(A)
        await o.send()
        tries = [START]
        while len(tries) < 5:
            await o.pass_time(MINUTE // 4)
            if provider.commands.count(f"RCPT TO:<{A}>") > len(tries):
                tries.append(o.now)
        gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
        assert 0.5 * MINUTE < gaps[0] < 2 * MINUTE
        assert all(3 * MINUTE < gap < 7.5 * MINUTE for gap in gaps[1:])


async def test_a_provider_that_is_down_is_named_once_and_delays_no_other(tmp_path: Path) -> None:
    async with Provider() as provider:
        accounts = [
            {"name": "dead", "address": "dead@example.com", "owner": "anna",
             "smtp": {"host": "127.0.0.1", "port": 9, "security": "none"}},
            {"name": "sales", "address": "sales@example.com", "owner": "anna",
             "smtp": {"host": "127.0.0.1", "port": provider.port, "security": "none"}},
        ]  # fmt: skip
        async with open_office(tmp_path, accounts=accounts) as office:
            with capture_logs() as lines:
                for _ in range(3):
                    await office.hand_in(A, sender="dead@example.com")
                await office.hand_in(A)
                await office.send()
            assert [line["event"] for line in lines].count("account_unreachable") == 1
            assert len(provider.mails) == 1
            assert len(office.waiting("queued")) == 3


async def test_mail_goes_over_kept_connections(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        for _ in range(6):
            await office.hand_in(A)
            await office.send()
        assert len(provider.mails) == 6
        assert provider.connections == 1


async def test_what_was_being_sent_at_a_crash_goes_again_at_once_and_is_named(tmp_path: Path) -> None:
    async with Provider({"DOT": "silence"}) as provider, open_office(tmp_path, port=provider.port) as office:
        reply = await office.hand_in(A)
        await provider.wait_for("DATA")
        # The process dies: its task is cut off with the dot on its way, and nothing is settled.
        with capture_logs() as lines:
            await office.restart()
        (line,) = [line for line in lines if line["event"] == "possible_duplicate"]
        assert line["queue_id"] == reply.text.split()[-1]
        provider.answers.clear()
        await office.send()
        assert len(provider.mails) == 1
        assert office.waiting() == []


async def test_an_account_that_is_gone_or_excluded_has_its_mail_held(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, schedule=DAY_OFFICE) as office:
        await office.hand_in(A)
        office.configure(port=provider.port, account={"excluded": True})
        with capture_logs() as lines:
            await office.send()
        assert len(office.waiting("held")) == 1
        assert "delivery_held" in [line["event"] for line in lines]
        assert len(office.inbox()) == 1
        office.configure(port=provider.port)
        commands.release(office.engine, [office.waiting("held")[0].message_id], now=office.now)
        await office.send()
        assert len(provider.mails) == 1


async def test_a_drain_gives_back_what_was_surely_not_sent(tmp_path: Path) -> None:
    async with Provider({"MAIL": "silence"}) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A)
        await provider.wait_for("MAIL")
        await office.delivery.drain(0.01)
        (row,) = office.waiting()
        assert (row.state, row.uncertain) == ("queued", 0)


async def test_run_looks_again_when_it_is_told_to(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        admin.pause_account(office.engine, "sales", now=office.now)
        running = asyncio.create_task(office.delivery.run())
        await asyncio.sleep(0)
        admin.resume_account(office.engine, "sales", now=office.now)
        await office.hand_in(A)
        office.delivery.rescan()
        await provider.wait_for("DATA")
        await office.delivery.drain(5)
        await running
        assert len(provider.mails) == 1


@contextlib.asynccontextmanager
async def _paced(folder: Path) -> AsyncGenerator[tuple[Provider, Office]]:
    """Open an office that may send two mails a minute; the first left that minute ago, but for 0.7 seconds."""
    async with Provider() as provider:
        smtp = {"host": "127.0.0.1", "port": provider.port, "security": "none", "messages_per_minute": 2}
        async with open_office(folder, account={"archive": False, "smtp": smtp}) as office:
            await office.hand_in(A)
            await office.send()
            office.now += MINUTE - 700
            running = asyncio.create_task(office.delivery.run())
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                yield provider, office
            await office.delivery.drain(5)
            await running


async def test_a_mail_that_comes_while_the_minute_is_full_goes_when_the_pace_allows(tmp_path: Path) -> None:
    async with _paced(tmp_path) as (provider, office):
        await office.hand_in(A)
        await provider.wait_for("DATA", 2)
        await office.hand_in(A)
        await provider.wait_for("DATA", 3)


async def test_a_worker_that_the_pace_stops_goes_on_when_the_pace_allows(tmp_path: Path) -> None:
    async with _paced(tmp_path) as (provider, office):
        admin.pause_account(office.engine, "sales", now=office.now)
        office.delivery.rescan()
        while "sales" not in office.delivery._pauses:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0)
        await office.hand_in(A)
        await office.hand_in(A)
        admin.resume_account(office.engine, "sales", now=office.now)
        office.delivery.rescan()
        await provider.wait_for("DATA", 3)


async def test_the_size_that_another_host_named_refuses_nothing(tmp_path: Path) -> None:
    ehlo = {"EHLO": "SIZE 100"}
    async with Provider(ehlo) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A, header="From: sales@example.com\n", body=[b"x\r\n"])
        await office.send()
        large = [b"x" * 200 + b"\r\n"]
        assert (await office.hand_in(A, body=large)).code == 552
        async with Provider() as other:
            office.configure(port=other.port)
            office.delivery.settings_changed()
            assert (await office.hand_in(A, body=large)).code == 250
            await office.send()
            assert len(other.mails) == 1


async def test_a_corrected_host_takes_effect_at_once_for_what_waits(tmp_path: Path) -> None:
    retry = {"intervals": ["1 h"]}
    async with Provider() as provider, open_office(tmp_path, retry=retry) as office:
        await office.hand_in(A)
        await office.send()
        assert len(office.waiting("queued")) == 1
        office.configure(port=provider.port, retry=retry)
        office.delivery.settings_changed()
        await office.send()
        assert len(provider.mails) == 1


async def test_an_attempt_that_the_correction_of_its_host_overtakes_does_not_wait_for_long(tmp_path: Path) -> None:
    retry = {"intervals": ["1 h"]}
    async with (
        Provider({"EHLO reply": "silence"}) as wrong,
        Provider() as right,
        open_office(tmp_path, port=wrong.port, retry=retry) as office,
    ):
        await office.hand_in(A)
        await wrong.wait_for("EHLO")
        office.configure(port=right.port, retry=retry)
        office.delivery.settings_changed()
        running = asyncio.create_task(office.delivery.run())
        await asyncio.sleep(0)
        wrong._released.set()  # it closes
        await right.wait_for("DATA")
        await office.delivery.drain(5)
        await running


async def test_a_command_on_one_mail_hurries_its_own_lane_and_no_provider_that_asked_for_less(tmp_path: Path) -> None:
    async with Provider({"MAIL": ["421 4.7.0 too many mails, slow down", "250 ok"]}) as slow:
        accounts = [
            make_account("sales", slow.port, archive=False),
            make_account("dead", 9, archive=False, address="dead@example.com"),
            make_account("down", 9, archive=False, address="down@example.com"),
        ]
        async with open_office(tmp_path, accounts=accounts) as office:
            await office.hand_in(A)
            await office.hand_in(A, sender="dead@example.com")
            await office.hand_in(A, sender="down@example.com")
            await office.send()
            mails = {row.account: row.message_id for row in office.waiting("queued")}
            commands.retry(office.engine, [*mails.values()], now=office.now)
            office.delivery.flush(["sales", "dead"])
            await office.send()
            assert slow.mails == []
            attempts = {row.account: row.attempts for row in office.waiting("queued")}
            assert (attempts["dead"], attempts["down"]) == (2, 1)
            office.delivery.flush()
            await office.send()
            assert len(slow.mails) == 1
