"""The wall clock jumps: nothing is given up, nothing starves, nothing storms."""

from pathlib import Path

from structlog.testing import capture_logs

from relay.model.destination import to_account
from relay.storage.queue import Queue
from tests.peers.machine import until
from tests.peers.office import MINUTE, open_office
from tests.peers.provider import Provider

A = "a@example.net"
DAY = 24 * 60 * MINUTE
RETRY = {"intervals": ["1 min", "5 min"], "give_up_after": "3 days", "warn_after": "4 h"}


async def test_a_jump_forwards_gives_nothing_up_and_warns_nobody(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": "451 4.3.0 later"}) as provider,
        open_office(tmp_path, port=provider.port, retry=RETRY) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        with capture_logs() as lines:
            await office.set_clock(3650 * DAY)
            await office.pass_time(10 * MINUTE)
        (jump,) = [line for line in lines if line["event"] == "clock_jumped"]
        assert jump["seconds"] == 3650 * 86_400
        assert office.outcomes(queue_id)[A] == "pending"
        assert office.inbox() == []
        for _ in range(3 * 24 + 2):  # what does pass after it counts as ever
            await office.pass_time(60 * MINUTE)
        assert office.outcomes(queue_id)[A] == "bounced"


async def test_a_jump_backwards_does_not_make_mail_wait(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": ["451 4.3.0 later", "250 ok"]}) as provider,
        open_office(tmp_path, port=provider.port, retry=RETRY) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        with capture_logs() as lines:
            await office.set_clock(-400 * DAY)
        assert "clock_jumped" in [line["event"] for line in lines]
        assert office.outcomes(queue_id)[A] == "delivered"


async def test_what_was_put_off_by_a_wrong_clock_before_a_restart_is_due(tmp_path: Path) -> None:
    async with (
        Provider({f"RCPT {A}": ["451 4.3.0 later", "250 ok"]}) as provider,
        open_office(tmp_path, port=provider.port, retry=RETRY) as office,
    ):
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await office.send()
        office.now, office.skew = office.now - 400 * DAY, office.skew - 400 * DAY
        await office.restart()
        await office.send()
        assert office.outcomes(queue_id)[A] == "delivered"


async def test_time_servers_correct_a_little_and_nobody_notices(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, retry=RETRY) as office:
        await office.send()
        with capture_logs() as lines:
            await office.set_clock(900)
            await office.set_clock(-900)
        assert lines == []


async def test_a_machine_that_sleeps_while_the_provider_is_asked_bounces_nothing(tmp_path: Path) -> None:
    async with (
        Provider({"DATA": "silence"}) as provider,
        open_office(tmp_path, port=provider.port, retry=RETRY) as office,
    ):
        await office.send()
        queue_id = (await office.hand_in(A)).text.split()[-1]
        await provider.wait_for("DATA")
        office.now, office.skew = office.now + 4 * DAY, office.skew + 4 * DAY
        with capture_logs() as lines:
            provider._released.set()  # the connection is lost before anybody looks at the clock
            await until(lambda: any(line["event"] == "delivery_deferred" for line in lines))
        assert "clock_jumped" in [line["event"] for line in lines]
        assert office.outcomes(queue_id)[A] == "pending"


async def test_the_jump_of_one_node_is_no_pause_for_the_others(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, retry=RETRY) as office:
        office.queue.node = "first"
        await office.send()
        before = office.now
        await office.set_clock(DAY)
        ((since, end),) = await office.queue.pauses_between("sales", before, office.now)
        assert end - since > DAY - MINUTE
        other = Queue(office.engine, office.queue._writer, node="other")
        assert await other.pauses_between("sales", before, office.now) == []


async def test_a_jump_backwards_that_an_attempt_notices_ends_what_waited_for_the_wrong_clock(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port, retry=RETRY) as office:
        await office.hand_in(A)
        await office.send()
        lane = office.delivery._lanes.at(to_account("sales"))
        lane.quota.exhaust(office.now + 500 * DAY)  # the day that the wrong clock told was full
        office.now, office.skew = office.now - 400 * DAY, office.skew - 400 * DAY
        await office.delivery._attempter._clock.look()
        assert lane.quota.exhausted_until == 0
